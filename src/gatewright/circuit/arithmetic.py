"""The head and the encoder as gates: counting, comparing, argmax, thresholds.

Numbers are lists of arrays of nodes, least significant bit first; the arrays hold one bit of many numbers at once. The
gates written here are plain: `simplify` removes what constants make superfluous.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from gatewright.circuit.builder import Builder, Int32Array
from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.errors import OptionError
from gatewright.features import FEATURE_BITS, feature_range
from gatewright.gates import Gate

_Part = TypeVar("_Part", Encoder, Head)

Number = list[int]
"""Nodes of an unsigned number's bits, least significant first."""

_CHAIN = 4
"""How many adders of one column follow each other: longer chains save a few gates and cost depth."""


class _Column:
    """The bits of one weight that are still to be added.

    A *pair* is two bits x and y known as x and x XOR y. Two full adders that read pairs and hand on their two carries as
    a pair take 8 gates instead of 10, which brings a sum of n bits from 5 n gates down to about 4.5 n.
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.plain = np.zeros(0, np.int32)
        self.x = np.zeros(0, np.int32)
        self.differ = np.zeros(0, np.int32)

    def add_plain(self, *bits: Int32Array) -> None:
        """Append bits after the present ones, so that trees of adders stay balanced."""
        self.plain = np.concatenate([self.plain, *bits]).astype(np.int32)

    def take_plain(self, n: int) -> Int32Array:
        """Take out n bits."""
        taken, self.plain = self.plain[:n], self.plain[n:]
        return taken

    def add_pairs(self, x: Int32Array, differ: Int32Array) -> None:
        """Put in pairs."""
        self.x, self.differ = np.concatenate([self.x, x]), np.concatenate([self.differ, differ])

    def take_pairs(self, n: int) -> tuple[Int32Array, Int32Array]:
        """Take out n pairs."""
        taken = self.x[:n], self.differ[:n]
        self.x, self.differ = self.x[n:], self.differ[n:]
        return taken

    def reduce(self, carries: _Column) -> int:
        """Add until one bit is left, and return it; carries go to the next column."""
        append = self.builder.append
        while True:
            if len(self.x) > 1:
                # A chain of adders needs a loose bit to start with, or a constant. Chains side by side keep depth low.
                chains = max(len(self.plain), -(-len(self.x) // (2 * _CHAIN)))
                self._add_five(min(len(self.x) // 2, chains), carries)
            elif len(self.x) == 1:
                self._add_pair(carries)
            elif len(self.plain) > 2:
                n = max(1, len(self.plain) // 5)
                for _ in range(2 if len(self.plain) > 4 else 1):
                    x = self.take_plain(n)
                    self.add_pairs(x, append(Gate.XOR, x, self.take_plain(n)))
            elif len(self.plain) == 2:
                x, y = self.take_plain(1), self.take_plain(1)
                carries.add_plain(append(Gate.AND, x, y))
                self.add_plain(append(Gate.XOR, x, y))
            else:
                return int(self.plain[0]) if len(self.plain) else self.builder.constant(False)

    def _add_pair(self, carries: _Column) -> None:
        """Turn the last pair, with the loose bit if any, into a sum bit and a carry."""
        append = self.builder.append
        x, differ = self.take_pairs(1)
        if not len(self.plain):
            carries.add_plain(append(Gate.A_AND_NOT_B, x, differ))
            self.add_plain(differ)
            return
        z = self.take_plain(1)
        total = append(Gate.XOR, differ, z)
        carries.add_plain(append(Gate.XOR, append(Gate.OR, differ, append(Gate.XOR, x, z)), total))
        self.add_plain(total)

    def _add_five(self, n: int, carries: _Column) -> None:
        """N times: a loose bit z and two pairs (x1, y1), (x2, y2) become one sum bit and a pair of carries (a, b)."""
        append = self.builder.append
        z = self.take_plain(n)
        missing = np.full(n - len(z), self.builder.constant(False), np.int32)
        z = np.concatenate([z, missing]).astype(np.int32)
        x1, differ1 = self.take_pairs(n)
        x2, differ2 = self.take_pairs(n)
        sum1 = append(Gate.XOR, differ1, z)
        # a = maj(x1, y1, z) = sum1 XOR (x1, y1, z not all equal); b likewise with sum1 in the place of z.
        mixed = append(Gate.OR, differ1, append(Gate.XOR, x1, z))
        a = append(Gate.XOR, mixed, sum1)
        # b = sum1 XOR rest, so a XOR b = mixed XOR rest.
        rest = append(Gate.A_AND_NOT_B, append(Gate.XOR, x2, sum1), differ2)
        carries.add_pairs(a, append(Gate.XOR, mixed, rest))
        self.add_plain(append(Gate.XOR, differ2, sum1))


def popcount(builder: Builder, bits: npt.ArrayLike, offset: int = 0) -> Number:
    """Count the true bits by carry-save adders, plus a constant.

    Args:
        builder: Where the gates go.
        bits: int [n], nodes.
        offset: Constant to add, not negative. Its bits enter the adders like any other bit.

    Returns:
        As many bits as the largest possible sum needs (none if that is 0).
    """
    if offset < 0:
        raise OptionError(f"offset is {offset}, expected 0 or more: shift all classes by the least offset first")
    column = _Column(builder)
    column.add_plain(np.asarray(bits, np.int32))
    result: Number = []
    for weight in range((len(column.plain) + offset).bit_length()):
        if offset >> weight & 1:
            column.add_plain(np.array([builder.constant(True)]))
        carries = _Column(builder)
        result.append(column.reduce(carries))
        column = carries
    return result


def less_than(builder: Builder, a: Number, b: Number) -> int:
    """The node of `a < b`, by a borrow chain; missing high bits are 0."""
    borrow = builder.constant(False)
    for x, y in zip(*_same_width(builder, a, b), strict=True):
        # Where the bits differ, b's bit decides; else the lower bits do.
        differ = builder.append(Gate.XOR, x, y)
        change = builder.append(Gate.AND, differ, builder.append(Gate.XOR, y, borrow))
        borrow = int(builder.append(Gate.XOR, borrow, change))
    return borrow


def select(builder: Builder, condition: int, yes: Number, no: Number) -> Number:
    """`yes` where the condition is true, otherwise `no`, bit by bit."""
    result = []
    for x, y in zip(*_same_width(builder, yes, no), strict=True):
        change = builder.append(Gate.AND, builder.append(Gate.XOR, x, y), condition)
        result.append(int(builder.append(Gate.XOR, y, change)))
    return result


def argmax(builder: Builder, numbers: Sequence[Number]) -> Number:
    """The index of the greatest number, the lowest one among equals, as a binary number of `index_bits` bits."""
    width = index_bits(len(numbers))
    constant = (builder.constant(False), builder.constant(True))
    entries = [(number, [constant[k >> i & 1] for i in range(width)]) for k, number in enumerate(numbers)]
    while len(entries) > 1:
        winners = []
        for (left, left_index), (right, right_index) in zip(entries[::2], entries[1::2], strict=False):
            # Strictly less: among equals the left one, which has the lower classes, wins.
            less = less_than(builder, left, right)
            winners.append((select(builder, less, right, left), select(builder, less, right_index, left_index)))
        entries = winners + ([entries[-1]] if len(entries) % 2 else [])
    return entries[0][1]


def index_bits(n_classes: int) -> int:
    """Bits of a binary class index: enough for the last class, and at least one."""
    return max(1, (n_classes - 1).bit_length())


def one_hot(builder: Builder, index: Number, n: int) -> Number:
    """A node for each k of 0 .. n-1 that is true where the index is k."""
    nodes = [builder.constant(True)]
    for bit in index:
        nodes = [int(builder.append(gate, node, bit)) for gate in (Gate.A_AND_NOT_B, Gate.AND) for node in nodes]
    return nodes[:n]


def head_gates(builder: Builder, outputs: npt.NDArray[Any], head: Head) -> Number:
    """Popcounts and argmax of a head.

    Offsets may be negative: all are shifted by the least of them, which changes no comparison.

    Args:
        builder: Where the gates go.
        outputs: int [outputs], the nodes that the head counts.
        head: The head.

    Returns:
        The binary class index; with places, that of each place one after the other.
    """
    offset = head.offset - head.offset.min()
    sums = [popcount(builder, outputs[head.group == k], int(offset[k])) for k in range(head.n_groups)]
    classes = head.n_classes
    return [bit for first in range(0, head.n_groups, classes) for bit in argmax(builder, sums[first : first + classes])]


def with_head_gates(circuit: Circuit, *, output: str = "index") -> Circuit:
    """The circuit with its head as gates.

    Args:
        circuit: A circuit with a head.
        output: "index" for the class as a binary number, least significant bit first; "onehot" for a bit per class.

    Returns:
        A circuit without head, not simplified, whose outputs are the class; with places, those of one after the other.
    """
    head = _needs(circuit.head, "head")
    if output not in {"index", "onehot"}:
        raise OptionError(f"output is {output!r}, expected 'index' or 'onehot'")
    builder = Builder(circuit.n_inputs)
    nodes = builder.include(circuit, np.arange(circuit.n_inputs))
    index = head_gates(builder, nodes[circuit.outputs], head)
    width = index_bits(head.n_classes)
    places = [index[first : first + width] for first in range(0, len(index), width)]
    outputs = (
        index if output == "index" else [node for each in places for node in one_hot(builder, each, head.n_classes)]
    )
    return builder.build(outputs, encoder=circuit.encoder, metadata=circuit.metadata)


def encoder_gates(builder: Builder, encoder: Encoder) -> Int32Array:
    """Comparators for an encoder on raw features given as bits.

    Input `feature * width + i` is bit i, least significant first, of a raw feature, `width` being
    `FEATURE_BITS[encoder.dtype]`. Features are compared as unsigned keys whose order is that of the values: two's
    complement with the sign bit inverted; for float32 the magnitude (its 31 low bits, an integer that grows with it) is
    compared, and the sign put in afterwards, so that 0 and -0 are equal; NaN has no place in the order.

    A comparator is a chain from the least significant bit, `ge = x_i AND ge` where the threshold's bit is 1 and
    `ge = x_i OR ge` where it is 0. Thresholds of one feature share the chain of the low bits that they have in common.

    Args:
        builder: Where the gates go; it must have `n_features * width` inputs.
        encoder: The encoder.

    Returns:
        int32 [bits], the node of each Boolean input.
    """
    width = FEATURE_BITS[encoder.dtype]
    true, false = builder.constant(True), builder.constant(False)
    feature = encoder.feature.astype(np.int64)
    if encoder.dtype == "float32":
        sign = feature * width + 31
        # x >= t is, for t > 0: x not negative and |x| >= |t|; else: x not negative or not |x| >= next above |t|.
        positive = encoder.threshold > 0
        key = np.abs(encoder.threshold).astype(np.float32).view(np.uint32).astype(np.int64) + np.where(positive, 0, 1)
        magnitude = _at_least(builder, feature * width, key, 31, true, false)
        return builder.append(np.where(positive, Gate.NOT_A_AND_B, Gate.NAND), sign, magnitude)
    signed = encoder.dtype in {"int16", "int32"}
    lowest, highest = feature_range(encoder.dtype)
    key = np.clip(encoder.threshold, lowest, highest + 1).astype(np.int64) - int(lowest)
    return _at_least(builder, feature * width, key, width, true, false, inverted_top=signed)


def with_encoder_gates(circuit: Circuit) -> Circuit:
    """The circuit with its encoder as gates: the inputs are the bits of the raw features, as `encoder_gates` says.

    Args:
        circuit: A circuit with an encoder.

    Returns:
        A circuit without encoder, not simplified, with `n_features * width` inputs.
    """
    encoder = _needs(circuit.encoder, "encoder")
    builder = Builder(encoder.n_features * FEATURE_BITS[encoder.dtype])
    nodes = builder.include(circuit, encoder_gates(builder, encoder))
    return builder.build(nodes[circuit.outputs], head=circuit.head, metadata=circuit.metadata)


def feature_bits(encoder: Encoder, x: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Raw samples to the inputs of `with_encoder_gates`.

    Args:
        encoder: The encoder.
        x: Samples [n, *shape], of the encoder's type.

    Returns:
        bool [n, n_features * width].
    """
    flat = np.ascontiguousarray(x.reshape(len(x), encoder.n_features), dtype=encoder.dtype)
    if encoder.dtype == "bool":
        return flat
    raw = flat.astype(flat.dtype.newbyteorder("<"), copy=False).view(np.uint8)
    return np.unpackbits(raw, axis=1, bitorder="little").view(np.bool_)


def _at_least(
    builder: Builder,
    first_bit: npt.NDArray[np.int64],
    key: npt.NDArray[np.int64],
    width: int,
    true: int,
    false: int,
    *,
    inverted_top: bool = False,
) -> Int32Array:
    """Nodes of `value >= key` for unsigned values of `width` bits at inputs `first_bit` and up; keys 0 .. 2**width."""
    # Chains that agree so far are one: `chain` numbers them, `node` is the comparison of the low bits in each.
    _, chain = np.unique(first_bit, return_inverse=True)
    node = np.full(int(chain.max()) + 1 if len(chain) else 0, true, np.int32)
    for i in range(width):
        pair, inverse = np.unique(np.stack([chain, key >> i & 1]), axis=1, return_inverse=True)
        below, bit = node[pair[0]], pair[1]
        at = np.empty(pair.shape[1], np.int64)
        inverse = inverse.ravel()
        at[inverse] = first_bit + i
        top = inverted_top and i == width - 1
        one, zero = (Gate.NOT_A_AND_B, Gate.NOT_A_OR_B) if top else (Gate.AND, Gate.OR)
        # On a constant chain the gate would be a wire; it is written all the same and simplified away.
        node = builder.append(np.where(bit == 1, one, zero), at, below)
        chain = inverse
    reachable = key < 1 << width
    return np.where(reachable, node[chain] if len(chain) else 0, false).astype(np.int32)


def _same_width(builder: Builder, a: Number, b: Number) -> tuple[Number, Number]:
    width = max(len(a), len(b))
    return tuple([*n, *[builder.constant(False)] * (width - len(n))] for n in (a, b))  # type: ignore[return-value]


def _needs(part: _Part | None, name: str) -> _Part:
    if part is None:
        raise OptionError(f"the circuit has no {name} to turn into gates")
    return part
