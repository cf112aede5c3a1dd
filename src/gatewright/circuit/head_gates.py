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
from gatewright.circuit.sharing import LARGEST_PATTERN, Int64Array, Part, Pattern, Sharing
from gatewright.circuit.simplify import simplify
from gatewright.errors import OptionError
from gatewright.gates import IS_LOGIC, Gate


def with_head_gates(circuit: Circuit, *, output: str = "index", adders: str = "ops") -> Circuit:
    """The circuit with its head as gates.

    Args:
        circuit: A circuit with a head.
        output: "index" for the class as a binary number, least significant bit first; "onehot" for a bit per class.
        adders: One of `gatewright.circuit.adders.ADDERS`.

    Returns:
        A circuit without head, not simplified, whose outputs are the class; with places, those of one after the other. Of a
        head of numbers, the outputs are the bits of its count.
    """
    head = circuit.head
    if head is None:
        raise OptionError("the circuit has no head to turn into gates")
    if output not in {"index", "onehot"}:
        raise OptionError(f"output is {output!r}, expected 'index' or 'onehot'")
    builder = Builder(circuit.n_inputs)
    nodes = builder.include(circuit, np.arange(circuit.n_inputs))
    index = head_gates(builder, circuit, nodes, head, adders)
    if head.number:
        if output != "index":
            raise OptionError(f"output is {output!r}, but the head gives a number: its count is always binary")
        return builder.build(index, encoder=circuit.encoder, metadata=circuit.metadata)
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
        The binary class index; with places, that of each place one after the other; of a head of numbers, the count.
    """
    if head.number:
        return class_counts(builder, circuit, nodes, head, adders)[0]
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
    bits = np.unique(_counted(circuit)[0])
    if len(bits) == circuit.n_outputs:  # each bit counts once: there is nothing to share
        return _count_apart(builder, nodes[circuit.outputs], head, adders)
    # Sharing few bits may not pay, so both ways are built on their own, and the smaller one is taken over.
    alone = head_alone(circuit).replace(head=head)
    ways = []
    for shared in (False, True):
        own = Builder(alone.n_inputs)
        inside = own.include(alone, np.arange(alone.n_inputs))
        if shared:
            numbers = _Counters(own, alone, head, adders).counts()
        else:
            numbers = _count_apart(own, inside[alone.outputs], head, adders)
        ways.append((simplify(own.build([bit for number in numbers for bit in number])), [len(n) for n in numbers]))
    gates, widths = min(ways, key=lambda way: np.count_nonzero(IS_LOGIC[way[0].gate]))
    result = builder.include(gates, nodes[bits])[gates.outputs]
    return [number.tolist() for number in np.split(result, np.cumsum(widths)[:-1])]


def _count_apart(builder: Builder, outputs: npt.NDArray[np.int32], head: Head, adders: str) -> list[Number]:
    """A popcount per group."""
    return [popcount(builder, outputs[head.group == k], int(head.offset[k]), adders) for k in range(head.n_groups)]


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

    def __init__(self, builder: Builder, alone: Circuit, head: Head, adders: str) -> None:
        """Fill the counters with the inputs of a head on its own."""
        self._builder, self._adders = builder, adders
        self._columns: dict[Pattern, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._greatest: dict[Pattern, int] = defaultdict(int)
        # The head is constant + weights @ bits: an inverted bit weighs -1 and leaves a 1.
        bit, inverted = _counted(alone)
        weights = np.zeros((head.n_groups, alone.n_inputs), np.int64)
        np.add.at(weights, (head.group, bit), np.where(inverted, -1, 1))
        self._constant = head.offset.copy()
        np.add.at(self._constant, head.group, inverted.astype(np.int64))
        counted = head.offset + np.bincount(head.group, minlength=head.n_groups)
        self._widths = [int(greatest).bit_length() for greatest in counted]
        columns, which, uses = np.unique(weights.T, axis=0, return_inverse=True, return_counts=True)
        self._sharing = Sharing(columns, uses)
        parts = [self._sharing.of_column(column) for column in columns]
        for i, column in enumerate(which.ravel().tolist()):
            self._hand_on([i], parts[column])

    def counts(self) -> list[Number]:
        """The count of each group; arithmetic is modulo a power of two that no count reaches."""
        for size in range(LARGEST_PATTERN, 1, -1):  # counters hand on to smaller ones
            for pattern in sorted((p for p in self._columns if len(p) == size), reverse=True):
                width = self._greatest[pattern].bit_length()
                number = add_columns(self._builder, self._columns.pop(pattern), width, self._adders)
                self._hand_on(number, self._sharing.of_counter(pattern))
        numbers = []
        for k, width in enumerate(self._widths):
            columns = self._columns[(k, 0, 1),]
            constant = int(self._constant[k]) % (1 << width)
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
