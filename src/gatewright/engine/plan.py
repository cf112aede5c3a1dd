"""Plan a circuit for the interpreter, once per engine: polarity, liveness, order and slots.

The interpreter knows four ops (AND, AND-NOT, XOR, OR), because every other gate is one of these with some of its
operands or its output inverted. Planning pushes all inverters to the outputs, where they cost nothing, drops wires,
constants and gates that no output needs, orders the rest (see `order_gates`), and lets values share *slots* (rows of packed
samples): a slot is free again once its value has been read for the last time, so the working set stays in cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from gatewright.circuit.builder import Int32Array
from gatewright.circuit.circuit import Circuit
from gatewright.engine.order import order_gates
from gatewright.engine.vector import FIELD
from gatewright.errors import UnsupportedError
from gatewright.gates import NEGATE, NEGATE_A, NEGATE_B

AND, AND_NOT, XOR, OR = range(4)
"""The ops of a `Plan`: a & b, a & ~b, a ^ b, a | b."""

ZERO_SLOT, ONE_SLOT, FIRST_SLOT = 0, 1, 2
"""Slots that always hold 0, always hold 1, and the first one for values."""

UNKNOWN = 2
"""Marks an input whose value is not known at planning time; known inputs are marked 0 or 1."""

_CONSTANT = -1


@dataclass(frozen=True, eq=False)
class Plan:
    """The program for a block of samples.

    Attributes:
        n_slots: Rows of packed samples needed, the two constant ones included.
        inputs: int32 [live inputs], Boolean inputs that outputs depend on, ascending.
        input_slots: int32 [live inputs], slot of each.
        program: int64 [ops], each destination * 2^42 + a * 2^21 + b, all slots.
        runs: int32 [runs, 3], (op, first, last + 1) rows of `program` that have one op.
        output_slots: int32 [outputs], slot of each output at the end.
        output_inverted: uint8 [outputs], whether the output is the inverse of its slot.
    """

    n_slots: int
    inputs: Int32Array
    input_slots: Int32Array
    program: npt.NDArray[np.int64]
    runs: Int32Array
    output_slots: Int32Array
    output_inverted: npt.NDArray[np.uint8]


@numba.njit(cache=True)
def _normalise(
    n_inputs: int, known: Any, gate: Any, a: Any, b: Any, base: Any, inverted: Any, op: Any, left: Any, right: Any
) -> None:
    """Write every node as `base ^ inverted`, a base being a constant, an input or a gate with one of the four ops."""
    for i in range(n_inputs):
        base[i] = i if known[i] == 2 else -1
        inverted[i] = 0 if known[i] == 2 else known[i]
    for i in range(len(gate)):
        node = n_inputs + i
        g = gate[i]
        if g in (0, 15):
            base[node], inverted[node] = -1, g & 1
            continue
        ra, rb = base[a[i]], base[b[i]]
        if inverted[a[i]]:
            g = NEGATE_A[g]
        if inverted[b[i]]:
            g = NEGATE_B[g]
        f00, f01, f10, f11 = g >> 3 & 1, g >> 2 & 1, g >> 1 & 1, g & 1
        # What is left of a function of (base a, base b), bases of constants being 0: of none, of one, or of both.
        uses_a = ra != -1 and (f00 != f10 or f01 != f11)
        uses_b = rb != -1 and (f00 != f01 or f10 != f11)
        if ra == rb or not (uses_a and uses_b):
            source, at_one = -1, f00
            if ra == rb and ra != -1:
                source, at_one = ra, f11
            elif uses_a:
                source, at_one = ra, f10
            elif uses_b:
                source, at_one = rb, f01
            base[node], inverted[node] = (-1 if at_one == f00 else source), f00
            continue
        if f00:
            g = NEGATE[g]
        base[node], inverted[node] = node, f00
        left[i], right[i] = ra, rb
        if g == 4:  # not a and b
            left[i], right[i] = rb, ra
        op[i] = 0 if g == 1 else (1 if g in (2, 4) else (2 if g == 6 else 3))


@numba.njit(cache=True)
def _live_levels(n_inputs: int, base: Any, left: Any, right: Any, outputs: Any, level: Any) -> None:
    """Set level[node] to its distance from the inputs for live bases (inputs 0), -1 for the rest."""
    level[:] = -1
    for j in range(len(outputs)):
        if base[outputs[j]] >= 0:
            level[base[outputs[j]]] = 0
    for i in range(len(left) - 1, -1, -1):
        if level[n_inputs + i] == 0:
            level[left[i]] = 0
            level[right[i]] = 0
    for i in range(len(left)):
        if level[n_inputs + i] == 0:
            level[n_inputs + i] = 1 + max(level[left[i]], level[right[i]])


@numba.njit(cache=True)
def _assign_slots(
    n_inputs: int, inputs: Any, order: Any, left: Any, right: Any, held: Any, slot: Any, program: Any
) -> int:
    """Give every live value a slot, re-using those whose values are dead; returns the number of slots."""
    last = np.full(len(held), -1, np.int64)
    for i in range(len(order)):
        last[left[order[i]]] = i
        last[right[order[i]]] = i
    free = np.empty(len(held) + 2, np.int32)
    n_free = 0
    n_slots = 2
    for i in range(len(inputs)):
        slot[inputs[i]] = n_slots
        n_slots += 1
    for i in range(len(order)):
        x, y = left[order[i]], right[order[i]]
        if last[x] == i and not held[x]:
            free[n_free] = slot[x]
            n_free += 1
        if y != x and last[y] == i and not held[y]:
            free[n_free] = slot[y]
            n_free += 1
        if n_free:
            n_free -= 1
            target = free[n_free]
        else:
            target = n_slots
            n_slots += 1
        program[i] = target << 2 * FIELD | slot[x] << FIELD | slot[y]
        slot[n_inputs + order[i]] = target
    return n_slots


def make_plan(circuit: Circuit, known: npt.NDArray[np.uint8] | None = None) -> Plan:
    """Plan the evaluation of a circuit's gates.

    Args:
        circuit: Any circuit, simplified or not.
        known: uint8 [n_inputs], 0 or 1 for inputs that always have that value, `UNKNOWN` for the others; None if no
            input is known.

    Raises:
        UnsupportedError: More values are alive at once than a step of a program can tell apart (2^21).
    """
    n_inputs, n_gates, n_nodes = circuit.n_inputs, circuit.n_gates, circuit.n_nodes
    if known is None:
        known = np.full(n_inputs, UNKNOWN, np.uint8)
    base, inverted = np.empty(n_nodes, np.int32), np.empty(n_nodes, np.uint8)
    op = np.zeros(n_gates, np.uint8)
    left, right = np.zeros(n_gates, np.int32), np.zeros(n_gates, np.int32)
    _normalise(n_inputs, known, circuit.gate, circuit.a, circuit.b, base, inverted, op, left, right)
    level = np.empty(n_nodes, np.int32)
    _live_levels(n_inputs, base, left, right, circuit.outputs, level)

    inputs = np.flatnonzero(level[:n_inputs] == 0).astype(np.int32)
    live = np.flatnonzero(level[n_inputs:] > 0)
    live = live[np.argsort(level[n_inputs + live], kind="stable")]
    order = order_gates(live, level[n_inputs + live], op, left, right, n_nodes)
    bases = base[circuit.outputs]
    held = np.zeros(n_nodes, np.bool_)
    held[bases[bases != _CONSTANT]] = True
    slot = np.zeros(n_nodes, np.int64)
    program = np.empty(len(order), np.int64)
    n_slots = _assign_slots(n_inputs, inputs, order, left, right, held, slot, program)
    if n_slots > 1 << FIELD:
        raise UnsupportedError(
            f"the circuit has {n_slots - FIRST_SLOT} values alive at once and the engine has room for "
            f"{(1 << FIELD) - FIRST_SLOT}; export it as C instead"
        )

    ops = op[order]
    starts = np.flatnonzero(np.diff(ops, prepend=np.uint8(255)))
    stops = np.append(starts, len(ops))[1:]
    return Plan(
        n_slots=n_slots,
        inputs=inputs,
        input_slots=slot[inputs].astype(np.int32),
        program=program,
        runs=np.stack([ops[starts], starts, stops], axis=1).astype(np.int32),
        output_slots=np.where(bases == _CONSTANT, ZERO_SLOT, slot[bases]).astype(np.int32),
        output_inverted=inverted[circuit.outputs],
    )
