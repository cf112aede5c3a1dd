"""The head as gates: counts, in counters that classes share (`sharing.py` says which), and argmax."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from gatewright.circuit.adders import Number, add_columns
from gatewright.circuit.arithmetic import argmax, index_bits, one_hot, popcount
from gatewright.circuit.builder import Builder
from gatewright.circuit.circuit import Circuit, Head
from gatewright.circuit.sharing import Int64Array, Part, Pattern, Sharing
from gatewright.errors import OptionError
from gatewright.gates import Gate


def with_head_gates(circuit: Circuit, *, output: str = "index", adders: str = "ops") -> Circuit:
    """The circuit with its head as gates.

    Args:
        circuit: A circuit with a head.
        output: "index" for the class as a binary number, least significant bit first; "onehot" for a bit per class.
        adders: One of `gatewright.circuit.adders.ADDERS`.

    Returns:
        A circuit without head, not simplified, whose outputs are the class; with places, those of one after the other.
    """
    head = circuit.head
    if head is None:
        raise OptionError("the circuit has no head to turn into gates")
    if output not in {"index", "onehot"}:
        raise OptionError(f"output is {output!r}, expected 'index' or 'onehot'")
    builder = Builder(circuit.n_inputs)
    nodes = builder.include(circuit, np.arange(circuit.n_inputs))
    index = head_gates(builder, circuit, nodes, head, adders)
    width = index_bits(head.n_classes)
    places = [index[first : first + width] for first in range(0, len(index), width)]
    outputs = (
        index if output == "index" else [node for each in places for node in one_hot(builder, each, head.n_classes)]
    )
    return builder.build(outputs, encoder=circuit.encoder, metadata=circuit.metadata)


def head_alone(circuit: Circuit) -> Circuit:
    """The head of a circuit on its own: the inputs are the bits that it counts, each once.

    Args:
        circuit: A circuit with a head.

    Returns:
        A circuit whose gates are the inverters that the head reads.
    """
    head = circuit.head
    if head is None:
        raise OptionError("the circuit has no head")
    bit, inverted = _counted(circuit)
    bits, at = np.unique(bit, return_inverse=True)
    inverters = np.unique(at[inverted])
    outputs = np.where(inverted, len(bits) + np.searchsorted(inverters, at), at)
    return Circuit(
        len(bits), np.full(len(inverters), Gate.NOT_A), inverters, np.zeros_like(inverters), outputs, head=head
    )


def head_gates(
    builder: Builder, circuit: Circuit, nodes: npt.NDArray[np.int32], head: Head, adders: str = "ops"
) -> Number:
    """Counts and argmax of a head.

    Offsets may be negative: all are shifted by the least of them, which changes no comparison.

    Args:
        builder: Where the gates go; it contains the circuit's.
        circuit: The circuit.
        nodes: int32 [circuit.n_nodes], the node in the builder of each node of the circuit.
        head: Its head.
        adders: One of `gatewright.circuit.adders.ADDERS`.

    Returns:
        The binary class index; with places, that of each place one after the other.
    """
    sums = class_counts(builder, circuit, nodes, replace(head, offset=head.offset - head.offset.min()), adders)
    classes = head.n_classes
    return [bit for first in range(0, head.n_groups, classes) for bit in argmax(builder, sums[first : first + classes])]


def class_counts(
    builder: Builder, circuit: Circuit, nodes: npt.NDArray[np.int32], head: Head, adders: str = "ops"
) -> list[Number]:
    """The count of each group of a head, its offset included.

    Args:
        builder: Where the gates go; it contains the circuit's.
        circuit: The circuit.
        nodes: int32 [circuit.n_nodes], the node in the builder of each node of the circuit.
        head: Its head, with offsets of 0 or more.
        adders: One of `gatewright.circuit.adders.ADDERS`.

    Returns:
        A number per group, of as many bits as its greatest count needs.
    """
    bits, weights, offset = _weights(circuit, head)
    if not len(bits) or np.count_nonzero(weights, axis=0).max() == 1 == np.abs(weights).max():
        # Each bit counts once for one class: there is nothing to share.
        outputs = nodes[circuit.outputs]
        return [popcount(builder, outputs[head.group == k], int(head.offset[k]), adders) for k in range(head.n_groups)]
    greatest = head.offset + np.bincount(head.group, minlength=head.n_groups)
    return _Counters(builder, nodes[bits], weights, adders).counts(offset, [int(n).bit_length() for n in greatest])


def _weights(circuit: Circuit, head: Head) -> tuple[Int64Array, Int64Array, Int64Array]:
    """The head as `offset + weights @ bits`, a node and its inverter being one bit.

    Returns:
        (bits, weights, offset): int64 [bits] nodes of the circuit, int64 [groups, bits], int64 [groups].
    """
    bit, inverted = _counted(circuit)
    bits, at = np.unique(bit, return_inverse=True)
    weights = np.zeros((head.n_groups, len(bits)), np.int64)
    np.add.at(weights, (head.group, at), np.where(inverted, -1, 1))
    offset = head.offset.copy()
    np.add.at(offset, head.group, inverted.astype(np.int64))
    return bits, weights, offset


def _counted(circuit: Circuit) -> tuple[Int64Array, npt.NDArray[np.bool_]]:
    """The node that each output reads, inverters left out, and whether there is one."""
    node = circuit.outputs.astype(np.int64)
    inverted = np.zeros(len(node), np.bool_)
    for gate, operand in ((Gate.NOT_A, circuit.a), (Gate.NOT_B, circuit.b)):
        is_inverter = np.zeros(circuit.n_nodes, np.bool_)
        is_inverter[circuit.n_inputs :] = circuit.gate == gate
        here = is_inverter[circuit.outputs]
        node[here] = operand[circuit.outputs[here] - circuit.n_inputs]
        inverted |= here
    return node, inverted


class _Counters:
    """Counters by pattern, filled with bits and emptied from the largest pattern to the single classes.

    A counter of the pattern p that counts N stands for `N * p`. Its negative is `~N * p - (2 ** width - 1) * p`: it takes
    inverters, which simplification absorbs, and a constant per class.
    """

    def __init__(self, builder: Builder, bits: npt.NDArray[np.int32], weights: Int64Array, adders: str) -> None:
        self._builder = builder
        self._adders = adders
        self._columns: dict[Pattern, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._greatest: dict[Pattern, int] = defaultdict(int)
        self._constant = np.zeros(len(weights), np.int64)
        columns, which, uses = np.unique(weights.T, axis=0, return_inverse=True, return_counts=True)
        self._sharing = Sharing(columns, uses)
        parts = [self._sharing.of_column(column) for column in columns]
        for bit, column in zip(bits.tolist(), which.ravel().tolist(), strict=True):
            self._hand_on([bit], parts[column])

    def counts(self, offset: Int64Array, widths: Sequence[int]) -> list[Number]:
        """The sums, modulo 2 ** width each."""
        while shared := [pattern for pattern in self._columns if len(pattern) > 1]:
            pattern = max(shared, key=lambda p: (len(p), p))
            width = self._greatest[pattern].bit_length()
            number = add_columns(self._builder, self._columns.pop(pattern), width, self._adders)
            self._hand_on(number, self._sharing.of_counter(pattern))
        numbers = []
        for k, width in enumerate(widths):
            columns = self._columns[(k, 0, 1),]
            constant = int(offset[k] + self._constant[k]) % (1 << width)
            for power in range(width):
                if constant >> power & 1:
                    columns[power].append(self._builder.constant(True))
            numbers.append(add_columns(self._builder, columns, width, self._adders))
        return numbers

    def _hand_on(self, number: Number, parts: Sequence[Part]) -> None:
        """Add a number to the counters of some patterns."""
        greatest = (1 << len(number)) - 1
        for pattern, sign, power in parts:
            bits = number
            if sign < 0:
                bits = self._builder.append(Gate.NOT_A, np.array(number, np.int32), 0).tolist()
                for k, p, s in pattern:
                    self._constant[k] -= s * (greatest << p + power)
            for i, bit in enumerate(bits):
                self._columns[pattern][power + i].append(bit)
            self._greatest[pattern] += greatest << power
