"""From a circuit through one sweep to a new circuit: the frame that all passes share."""

from __future__ import annotations

import time
from dataclasses import replace
from enum import Flag, auto

import numpy as np
import numpy.typing as npt
from numba import njit

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.sweep import RULES, mark_live, sweep
from gatewright.features import feature_range
from gatewright.gates import NEGATE, NEGATE_A, NEGATE_B, Gate

Int32Array = npt.NDArray[np.int32]
UInt8Array = npt.NDArray[np.uint8]


class Rule(Flag):
    """What a sweep may do besides propagating constants, wires and inverters, which it always does."""

    NONE = 0
    EQUAL = auto()
    ABSORB = auto()
    SHARE = auto()
    ENCODER = auto()
    OUTPUTS = auto()
    DEAD = auto()
    ALL = EQUAL | ABSORB | SHARE | ENCODER | OUTPUTS | DEAD


def rewrite(circuit: Circuit, name: str, rules: Rule) -> tuple[Circuit, PassRecord]:
    """Run one sweep with the given rules.

    Args:
        circuit: The circuit; it is not changed.
        name: Name for the record.
        rules: What the sweep may do.

    Returns:
        The new circuit and what went for which reason.
    """
    start = time.perf_counter()
    if Rule.DEAD in rules:
        live = mark_live(circuit.n_inputs, circuit.gate, circuit.a, circuit.b, circuit.outputs)
    else:
        live = np.ones(circuit.n_gates, np.bool_)
    literals = np.arange(2, 2 * circuit.n_inputs + 2, 2, dtype=np.int32)
    feature = np.full(circuit.n_inputs, -1, np.int32)
    rank = np.zeros(circuit.n_inputs, np.int32)
    if Rule.ENCODER in rules and circuit.encoder is not None:
        literals, feature, rank = encoder_relations(circuit.encoder)
    gate, a, b, literal, counted = sweep(
        circuit.gate,
        circuit.a,
        circuit.b,
        live,
        literals,
        feature,
        rank,
        Rule.EQUAL in rules,
        Rule.ABSORB in rules,
        Rule.SHARE in rules,
    )
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
    return result, PassRecord(name, circuit.n_gates, result.n_gates, removed, time.perf_counter() - start)


def encoder_relations(encoder: Encoder) -> tuple[Int32Array, Int32Array, Int32Array]:
    """What the encoder says about the inputs, for every sample without NaN.

    Returns:
        (literal, feature, rank), each int32 [bits]. `literal` stands for the input: the first input with the same
        feature and threshold, or a constant where the feature's type settles the comparison. Of two inputs of one
        feature, the one of higher rank implies the other.
    """
    literal = np.arange(2, 2 * encoder.n_bits + 2, 2, dtype=np.int32)
    order = np.lexsort((np.arange(encoder.n_bits), encoder.threshold, encoder.feature))
    feature, threshold = encoder.feature[order], encoder.threshold[order]
    new = np.ones(encoder.n_bits, np.bool_)
    new[1:] = (np.diff(feature) != 0) | (np.diff(threshold) != 0)
    rank = np.empty(encoder.n_bits, np.int32)
    rank[order] = np.cumsum(new)
    firsts = order[new]
    literal[order] = literal[firsts[np.cumsum(new) - 1]]
    lowest, highest = feature_range(encoder.dtype)
    literal[encoder.threshold <= lowest] = 1
    literal[encoder.threshold > highest] = 0
    return literal, encoder.feature, rank


def fold_outputs(outputs: Int32Array, head: Head) -> tuple[Int32Array, Head]:
    """Move outputs whose sum is known into the head's offsets: constants, and pairs of one class that are inverse.

    Args:
        outputs: int32 [outputs], literals.
        head: The head that groups them.

    Returns:
        The outputs that remain, in their order, and the head that goes with them.
    """
    offset = head.offset.copy()
    np.add.at(offset, head.group[outputs == 1], 1)
    node, negated = outputs >> 1, outputs & 1
    # Sort into runs of one class and node; within a run the plain outputs come before the inverted ones.
    order = np.lexsort((negated, node, head.group))
    run_start = np.ones(len(order), np.bool_)
    run_start[1:] = (np.diff(node[order]) != 0) | (np.diff(head.group[order]) != 0)
    run = np.cumsum(run_start) - 1
    n_runs = int(run[-1]) + 1 if len(run) else 0
    inverted = np.bincount(run, weights=negated[order], minlength=n_runs).astype(np.int64)
    size = np.bincount(run, minlength=n_runs)
    pairs = np.minimum(inverted, size - inverted)
    place = np.arange(len(order)) - np.flatnonzero(run_start)[run]
    place = np.where(negated[order] == 1, place - (size - inverted)[run], place)
    keep = np.empty(len(order), np.bool_)
    keep[order] = place >= pairs[run]
    keep &= node > 0
    settled = pairs * (node[order][run_start] > 0)
    np.add.at(offset, head.group[order][run_start], settled)
    return outputs[keep], replace(head, group=head.group[keep], offset=offset)


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
    plain = np.zeros(first + n_gates, np.bool_)
    inverse = np.zeros(first + n_gates, np.bool_)
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
    new_gate = np.empty(size, np.uint8)
    new_a = np.zeros(size, np.int32)
    new_b = np.zeros(size, np.int32)
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
