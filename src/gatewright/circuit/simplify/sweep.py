"""The forward sweep in topological order that applies all rules.

When the sweep reaches a gate, its operands are already in their final form, so one pass over the gates does what
repeated separate passes would: the sweep is linear and its result is almost always a fixed point. Every node becomes a
*literal*, `2 * node + negated`: node 0 is the constant FALSE, then come the inputs, then the gates. Gates absorb the
inversion of their operands, so wires, inverters and constants vanish as they are read. New gates are normalised to
`f(0,0) = 0` and to ascending operands: a gate and its inverse, with operands in either order, are one entry of the hash
table.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from gatewright.circuit.builder import Int32Array
from gatewright.gates import A_FALSE, B_FALSE, EQUAL, NEGATE, NEGATE_A, NEGATE_B, SWAP, USES_A, USES_B, Gate, UInt8Array

Int64Array = npt.NDArray[np.int64]

RULES = ("constants", "wires", "inverters", "equal operands", "absorption", "encoder", "shared", "dead")
"""Names of the reasons for which a gate is removed; the kernel counts them by index."""
_CONSTANT, _WIRE, _INVERTER, _EQUAL, _ABSORBED, _ENCODER, _SHARED, _DEAD = range(len(RULES))

_FALSE, _TRUE, _A, _B, _NOT_A = (int(g) for g in (Gate.FALSE, Gate.TRUE, Gate.A, Gate.B, Gate.NOT_A))
_NONE = 255
# Row r of a 16-row truth table has variable k at bit k of r: these are the columns of the four variables.
_COLUMNS = np.array([sum(1 << r for r in range(16) if r >> k & 1) for k in range(4)], np.int64)
_ROWS = 0xFFFF


@njit(cache=True, nogil=True, inline="always")
def _combine(gate: int, a: int, b: int) -> int:
    """Truth table of a gate over truth tables of its operands."""
    result = 0
    if gate & 8:
        result |= ~a & ~b
    if gate & 4:
        result |= ~a & b
    if gate & 2:
        result |= a & ~b
    if gate & 1:
        result |= a & b
    return result & _ROWS


@njit(cache=True, nogil=True)
def _find_gate(table: int, valid: int, u: int, v: int) -> int:
    """The gate that computes `table` from columns u and v on the valid rows, or `_NONE`."""
    gate = 0
    for bits in range(4):
        cell = valid & (u if bits & 2 else ~u) & (v if bits & 1 else ~v)
        value = table & cell
        if value != 0:
            if value != cell:
                return _NONE
            gate |= 8 >> bits
    return gate


@njit(cache=True, nogil=True)
def _implied(x: int, y: int, feature: Int32Array, rank: Int32Array) -> int:
    """1 if node x true makes node y true by the encoder, 2 for the converse, 0 if neither is known."""
    n = len(feature)
    if x > n or y > n or feature[x - 1] < 0 or feature[x - 1] != feature[y - 1]:
        return 0
    return 1 if rank[x - 1] >= rank[y - 1] else 2


@njit(cache=True, nogil=True)
def _local(  # noqa: C901 - one compiled loop
    gate: int,
    x: int,
    y: int,
    new_gate: UInt8Array,
    new_a: Int32Array,
    new_b: Int32Array,
    feature: Int32Array,
    rank: Int32Array,
) -> tuple[int, int, int, bool]:
    """Re-express a gate of nodes x < y through the operands of x and y, if one gate or less suffices.

    Returns:
        (gate, a, b, by_encoder): the new gate over nodes a and b; gate is `_NONE` if nothing simpler was found.
    """
    first = len(feature) + 1
    y_is_gate = y >= first
    py = new_a[y - first] >> 1 if y_is_gate else y
    qy = new_b[y - first] >> 1 if y_is_gate else y
    # Where x is an operand of y, its own operands add nothing: y was already checked against them.
    x_is_gate = x >= first and x not in (py, qy)
    px = new_a[x - first] >> 1 if x_is_gate else x
    qx = new_b[x - first] >> 1 if x_is_gate else x

    shared = px in (py, qy) or qx in (py, qy)
    related = False
    for i in range(2):
        for j in range(2):
            related |= _implied(qx if i else px, qy if j else py, feature, rank) != 0
    if not (shared or related):
        return _NONE, 0, 0, False

    # Number the variables and write down their columns, then the columns of x and y.
    nodes = np.empty(6, np.int64)
    columns = np.empty(6, np.int64)
    n = 0
    where = np.empty(4, np.int64)
    for k in range(4):
        leaf = px if k == 0 else qx if k == 1 else py if k == 2 else qy
        at = 0
        while at < n and nodes[at] != leaf:
            at += 1
        if at == n:
            nodes[n] = leaf
            columns[n] = _COLUMNS[n]
            n += 1
        where[k] = columns[at]
    n_leaves = n
    fx = _combine(new_gate[x - first], where[0], where[1]) if x_is_gate else where[0]
    fy = _combine(new_gate[y - first], where[2], where[3]) if y_is_gate else where[2]
    valid = _ROWS
    if related:
        for i in range(n_leaves):
            for j in range(i):
                kind = _implied(nodes[i], nodes[j], feature, rank)
                if kind == 1:
                    valid &= ~(columns[i] & ~columns[j])
                elif kind == 2:
                    valid &= ~(columns[j] & ~columns[i])
    by_encoder = valid != _ROWS
    if x_is_gate:
        nodes[n], columns[n] = x, fx
        n += 1
    if y_is_gate:
        nodes[n], columns[n] = y, fy
        n += 1

    table = _combine(gate, fx, fy) & valid
    if table == 0:
        return _FALSE, x, x, by_encoder
    if table == valid:
        return _TRUE, x, x, by_encoder
    for i in range(n):
        if table == columns[i] & valid:
            return _A, nodes[i], nodes[i], by_encoder
        if table == ~columns[i] & valid:
            return _NOT_A, nodes[i], nodes[i], by_encoder
    for i in range(n):
        for j in range(n_leaves):
            if (i < n_leaves and i <= j) or nodes[i] == nodes[j]:
                continue
            found = _find_gate(table, valid, columns[j], columns[i])
            if found != _NONE and not (nodes[j] == x and nodes[i] == y and found == gate):
                return found, nodes[j], nodes[i], by_encoder
    return _NONE, 0, 0, False


@njit(cache=True, nogil=True)
def sweep(  # noqa: C901 - one compiled loop
    gate: UInt8Array,
    a: Int32Array,
    b: Int32Array,
    live: npt.NDArray[np.bool_],
    input_literal: Int32Array,
    feature: Int32Array,
    rank: Int32Array,
    merge_equal: bool,
    absorb: bool,
    share: bool,
) -> tuple[UInt8Array, Int32Array, Int32Array, Int32Array, Int64Array]:
    """Rewrite a netlist in one forward pass.

    Args:
        gate: As in `Circuit`.
        a: Likewise.
        b: Likewise.
        live: bool [gates], the gates to rewrite; others are dropped as dead.
        input_literal: int32 [n_inputs], literal that stands for each input.
        feature: int32 [n_inputs], inputs of one feature imply each other by rank; -1 for inputs without relation.
        rank: int32 [n_inputs], rank of the input's threshold within its feature.
        merge_equal: Whether to resolve equal and complementary operands.
        absorb: Whether to simplify a gate together with its operands' gates (and the encoder's relations).
        share: Whether to merge gates that are equal or inverse.

    Returns:
        (gate, a, b, literal, removed): the new gates with literals as operands, the literal of each old node, and how
        many old gates each of `RULES` removed.
    """
    n_inputs, n_gates = len(input_literal), len(gate)
    literal = np.empty(n_inputs + n_gates, np.int32)
    literal[:n_inputs] = input_literal
    new_gate, new_a, new_b = np.empty(n_gates, np.uint8), np.empty(n_gates, np.int32), np.empty(n_gates, np.int32)
    removed = np.zeros(len(RULES), np.int64)
    count = 0
    size = 16
    while share and size < 2 * n_gates:
        size *= 2
    slots = np.full(size, -1, np.int32)
    mask = np.uint64(size - 1)

    for i in range(n_gates):
        if not live[i]:
            literal[n_inputs + i] = 0
            removed[_DEAD] += 1
            continue
        # Any for the type checker: the compiler infers 64-bit integers here.
        g: Any = np.int64(gate[i])
        la: Any = np.int64(literal[a[i]])
        lb: Any = np.int64(literal[b[i]])
        why = _SHARED
        if not USES_A[g] and not USES_B[g]:
            why, la, lb = _CONSTANT, 0, 0
        elif not (USES_A[g] and USES_B[g]):
            why = _WIRE if g in (_A, _B) else _INVERTER
        output: Any = 0
        while True:
            # Inversions go into the gate; then constants, equal operands, and the gate's own degeneracy.
            if la & 1:
                g, la = NEGATE_A[g], la ^ 1
            if lb & 1:
                g, lb = NEGATE_B[g], lb ^ 1
            if USES_A[g] and USES_B[g]:
                if la == 0 or lb == 0:
                    g, why = A_FALSE[g] if la == 0 else B_FALSE[g], _CONSTANT
                elif la == lb and merge_equal:
                    g, why = EQUAL[g], _EQUAL
            inverted = g >> 3
            if not (USES_A[g] and USES_B[g]):
                output = (la if USES_A[g] else lb if USES_B[g] else 0) ^ inverted
                break
            if inverted:
                g = NEGATE[g]
            if la > lb:
                g, la, lb = SWAP[g], lb, la
            key: Any = (np.uint64(la) << np.uint64(32) | np.uint64(lb)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(g)
            key = (key ^ (key >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
            slot: Any = (key ^ (key >> np.uint64(32))) & mask
            known: Any = -1
            if share:
                while slots[slot] >= 0:
                    at = slots[slot]
                    if new_gate[at] == g and new_a[at] == la and new_b[at] == lb:
                        known = at
                        break
                    slot = (slot + np.uint64(1)) & mask
            if known >= 0:
                output = 2 * (1 + n_inputs + known) + inverted
                break
            if absorb and la != lb:
                simpler, u, v, by_encoder = _local(g, la >> 1, lb >> 1, new_gate, new_a, new_b, feature, rank)
                if simpler != _NONE:
                    g = NEGATE[simpler] if inverted else simpler
                    la, lb = 2 * u, 2 * v
                    why = _ENCODER if by_encoder else _ABSORBED
                    continue
            new_gate[count], new_a[count], new_b[count] = g, la, lb
            if share:
                slots[slot] = count
            output = 2 * (1 + n_inputs + count) + inverted
            count += 1
            why = -1
            break
        literal[n_inputs + i] = output
        if why >= 0:
            removed[why] += 1
    return new_gate[:count].copy(), new_a[:count].copy(), new_b[:count].copy(), literal, removed


@njit(cache=True, nogil=True)
def mark_live(
    n_inputs: int, gate: UInt8Array, a: Int32Array, b: Int32Array, outputs: Int32Array
) -> npt.NDArray[np.bool_]:
    """Bool [gates]: the gates that some output depends on. Arrays and node ids are those of `Circuit`."""
    live = np.zeros(n_inputs + len(gate), np.bool_)
    for node in outputs:
        live[node] = True
    for i in range(len(gate) - 1, -1, -1):
        if live[n_inputs + i]:
            if USES_A[gate[i]]:
                live[a[i]] = True
            if USES_B[gate[i]]:
                live[b[i]] = True
    return live[n_inputs:]
