"""The rules of simplification, and those that follow from the encoder and the head."""

from __future__ import annotations

from dataclasses import replace
from enum import Flag, auto

import numpy as np

from gatewright.circuit.builder import Int32Array
from gatewright.circuit.circuit import Encoder, Head


class Rule(Flag):
    """What a sweep does in addition to propagating constants and wires and absorbing inverters, which it always does."""

    NONE = 0

    EQUAL = auto()
    """Resolve gates whose operands are the same node or inverses of each other: they are constants or wires."""

    ABSORB = auto()
    """Simplify every gate together with the gates of its operands.

    The function of a gate in terms of its operands' operands (up to four nodes) is read from the truth tables. Where it
    is a constant, one of the nodes, or one gate of two of them, it is expressed so: `x & (x | y)` is `x`, and
    `(x & ~y) | (~x & y)` is one XOR. What the gate read before may be dead afterwards.
    """

    SHARE = auto()
    """Merge gates that compute the same function of the same operands in any order, or its inverse (structural hashing)."""

    ENCODER = auto()
    """Use what the encoder guarantees; the circuit keeps its value on every input that the encoder can make.

    Bits of the same feature and threshold are one. Thresholds that no value of the feature's type reaches, or all do,
    are constants. Of two bits of one feature, the one with the higher threshold implies the other (with `ABSORB`). The
    inputs themselves stay, even if unused, so that the interface is the same.
    """

    OUTPUTS = auto()
    """Fold constant outputs, and pairs of inverse outputs of one class, into the offsets of the head.

    The remaining outputs keep their order. Without a head every output stays, constants as a constant gate.
    """

    DEAD = auto()
    """Drop the gates that no output depends on."""

    ALL = EQUAL | ABSORB | SHARE | ENCODER | OUTPUTS | DEAD


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
    literal[encoder.threshold <= encoder.lowest[encoder.feature]] = 1
    literal[encoder.threshold > encoder.highest[encoder.feature]] = 0
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
