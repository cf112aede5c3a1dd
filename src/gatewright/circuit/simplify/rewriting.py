"""From a circuit through the sweep to a new circuit, once (`rewrite`) or until nothing changes (`simplify`)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from numba import njit

from gatewright.circuit.builder import Int32Array
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify.rules import Rule, encoder_relations, fold_outputs
from gatewright.circuit.simplify.sweep import RULES, mark_live, sweep
from gatewright.gates import NEGATE, NEGATE_A, NEGATE_B, Gate, UInt8Array


@dataclass(frozen=True)
class PassRecord:
    """What one pass over a circuit did.

    Attributes:
        name: The pass: "sweep", or "samples" for the removal with loss.
        gates_before: Gates of the given circuit, including constants, wires and inverters.
        gates_after: Gates of the returned circuit.
        removed: Number of removed gates by rule; the sum is `gates_before - gates_after`. A rule's number is negative
            if it left more gates of its kind than it found (for example an inverter at an output, in place of a shared
            gate that computed the inverse).
        seconds: Wall-clock time.
    """

    name: str
    gates_before: int
    gates_after: int
    removed: Mapping[str, int]
    seconds: float


@overload
def simplify(circuit: Circuit, *, return_records: Literal[False] = False) -> Circuit: ...


@overload
def simplify(circuit: Circuit, *, return_records: Literal[True]) -> tuple[Circuit, list[PassRecord]]: ...


def simplify(circuit: Circuit, *, return_records: bool = False) -> Circuit | tuple[Circuit, list[PassRecord]]:
    """Simplify a circuit without loss: same outputs (with a head, counts) for every input the encoder can make.

    One sweep applies all rules and its result is almost always final; the sweep is repeated until nothing changes.

    Args:
        circuit: The circuit; it is not changed.
        return_records: Also return what each sweep removed.

    Returns:
        The simplified circuit, with the same inputs and encoder; with `return_records`, also one record per sweep.

    Example:
        >>> from gatewright.circuit import Circuit, simplify
        >>> circuit = Circuit(n_inputs=2, gate=[7, 1], a=[0, 0], b=[1, 2], outputs=[3])  # x AND (x OR y)
        >>> simplify(circuit).n_gates
        0
        >>> small, records = simplify(circuit, return_records=True)
        >>> records[0].removed
        {'absorption': 1, 'dead': 1}
    """
    records: list[PassRecord] = []
    while True:
        smaller, record = rewrite(circuit, Rule.ALL)
        records.append(record)
        if smaller.same_as(circuit):
            return (circuit, records) if return_records else circuit
        circuit = smaller


def rewrite(circuit: Circuit, rules: Rule) -> tuple[Circuit, PassRecord]:
    """Run one sweep with the given rules; return the new circuit, and how many gates each rule removed."""
    start = time.perf_counter()
    netlist = circuit.gate, circuit.a, circuit.b
    if Rule.DEAD in rules:
        live = mark_live(circuit.n_inputs, *netlist, circuit.outputs)
    else:
        live = np.ones(circuit.n_gates, np.bool_)
    literals = np.arange(2, 2 * circuit.n_inputs + 2, 2, dtype=np.int32)
    feature, rank = np.full(circuit.n_inputs, -1, np.int32), np.zeros(circuit.n_inputs, np.int32)
    if Rule.ENCODER in rules and circuit.encoder is not None:
        literals, feature, rank = encoder_relations(circuit.encoder)
    flags = (rule in rules for rule in (Rule.EQUAL, Rule.ABSORB, Rule.SHARE))
    gate, a, b, literal, counted = sweep(*netlist, live, literals, feature, rank, *flags)
    removed = dict(zip(RULES, counted.tolist(), strict=True))
    outputs, head = literal[circuit.outputs], circuit.head
    if Rule.OUTPUTS in rules and head is not None:
        outputs, head = fold_outputs(outputs, head)
    new_gate, new_a, new_b, new_outputs, kept = _emit(circuit.n_inputs, gate, a, b, outputs, Rule.DEAD in rules)
    removed["dead"] += len(gate) - kept
    added = new_gate[kept:]
    n_constants = int(np.count_nonzero((added == Gate.FALSE) | (added == Gate.TRUE)))
    removed["constants"] -= n_constants
    removed["inverters"] -= len(added) - n_constants
    result = Circuit(circuit.n_inputs, new_gate, new_a, new_b, new_outputs, circuit.encoder, head, circuit.metadata)
    removed = {rule: number for rule, number in removed.items() if number}
    return result, PassRecord("sweep", circuit.n_gates, result.n_gates, removed, time.perf_counter() - start)


@njit(cache=True, nogil=True)
def _emit(  # noqa: C901 - one compiled loop; calls would pass all of its arrays around
    n_inputs: int, gate: UInt8Array, a: Int32Array, b: Int32Array, outputs: Int32Array, drop_dead: bool
) -> tuple[UInt8Array, Int32Array, Int32Array, Int32Array, int]:
    """Literals back to node ids.

    A gate that outputs want only inverted is emitted as its inverse, which its readers absorb, so an inverter remains
    only where an output is an inverted input, or a gate is wanted both ways. Constants and inverters follow the gates.

    Returns:
        (gate, a, b, outputs, kept): as in `Circuit`, and how many of the gates are not constants or inverters.
    """
    first = n_inputs + 1
    n_gates = len(gate)
    live = np.full(first + n_gates, not drop_dead)
    plain, inverse = np.zeros(first + n_gates, np.bool_), np.zeros(first + n_gates, np.bool_)
    for literal in outputs:
        live[literal >> 1] = True
        if literal & 1:
            inverse[literal >> 1] = True
        else:
            plain[literal >> 1] = True
    for i in range(n_gates - 1, -1, -1):
        if live[first + i]:
            live[a[i] >> 1] = True
            live[b[i] >> 1] = True

    size = n_gates + 2
    for node in range(1, first + n_gates):
        if (plain[node] and inverse[node]) or (inverse[node] and node < first):
            size += 1
    new_gate, new_a, new_b = np.empty(size, np.uint8), np.zeros(size, np.int32), np.zeros(size, np.int32)
    index = np.zeros(first + n_gates, np.int32)
    flipped = np.zeros(first + n_gates, np.bool_)
    for node in range(1, first):
        index[node] = node - 1
    kept = 0
    for i in range(n_gates):
        node = first + i
        if not live[node]:
            continue
        g = gate[i]
        x, y = a[i] >> 1, b[i] >> 1
        if flipped[x]:
            g = NEGATE_A[g]
        if flipped[y]:
            g = NEGATE_B[g]
        if inverse[node] and not plain[node]:
            flipped[node] = True
            g = NEGATE[g]
        new_gate[kept], new_a[kept], new_b[kept] = g, index[x], index[y]
        index[node] = n_inputs + kept
        kept += 1

    count = kept
    inverter = np.full(first + n_gates, -1, np.int32)
    constant = np.full(2, -1, np.int32)
    new_outputs = np.empty(len(outputs), np.int32)
    for j in range(len(outputs)):
        node, negated = outputs[j] >> 1, outputs[j] & 1
        if node == 0:
            if constant[negated] < 0:
                new_gate[count] = Gate.TRUE if negated else Gate.FALSE
                constant[negated] = n_inputs + count
                count += 1
            new_outputs[j] = constant[negated]
        elif negated and not flipped[node]:
            if inverter[node] < 0:
                new_gate[count], new_a[count], new_b[count] = Gate.NOT_A, index[node], index[node]
                inverter[node] = n_inputs + count
                count += 1
            new_outputs[j] = inverter[node]
        else:
            new_outputs[j] = index[node]
    return new_gate[:count].copy(), new_a[:count].copy(), new_b[:count].copy(), new_outputs, kept
