"""Arithmetic in gates: counting, comparing, argmax, thresholds.

Numbers are lists of arrays of nodes, least significant bit first; the arrays hold one bit of many numbers at once. The
gates written here are plain: `simplify` removes what constants make superfluous.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.adders import Number, add_columns
from gatewright.circuit.builder import Builder, Int32Array
from gatewright.circuit.circuit import Circuit, Encoder
from gatewright.errors import OptionError
from gatewright.features import WIDE, feature_range, is_signed, type_bits
from gatewright.gates import Gate


def popcount(builder: Builder, bits: npt.ArrayLike, offset: int = 0, adders: str = "ops") -> Number:
    """Count the true bits, plus a constant.

    Args:
        builder: Where the gates go.
        bits: int [n], nodes.
        offset: Constant to add, not negative. Its bits enter the adders like any other bit.
        adders: One of `ADDERS`.

    Returns:
        As many bits as the largest possible sum needs (none if that is 0).
    """
    if offset < 0:
        raise OptionError(f"offset is {offset}, expected 0 or more: shift all classes by the least offset first")
    nodes = np.asarray(bits, np.int32)
    width = (len(nodes) + offset).bit_length()
    columns = {power: [builder.constant(True)] for power in range(width) if offset >> power & 1}
    columns[0] = [*nodes.tolist(), *columns.get(0, [])]
    return add_columns(builder, columns, width, adders)


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


def encoder_gates(builder: Builder, encoder: Encoder) -> Int32Array:
    """Comparators for an encoder on raw features given as bits.

    Input `encoder.first_bits[feature] + i` is bit i, least significant first, of a raw feature. Features are compared as
    unsigned keys whose order is that of the values: two's
    complement with the sign bit inverted; for float32 the magnitude (its 31 low bits, an integer that grows with it) is
    compared, and the sign put in afterwards, so that 0 and -0 are equal; NaN has no place in the order.

    A comparator is a chain from the least significant bit, `ge = x_i AND ge` where the threshold's bit is 1 and
    `ge = x_i OR ge` where it is 0. Thresholds of one feature share the chain of the low bits that they have in common.

    Args:
        builder: Where the gates go; it must have `encoder.n_raw_bits` inputs.
        encoder: The encoder.

    Returns:
        int32 [bits], the node of each Boolean input.
    """
    first, nodes = encoder.first_bits, np.zeros(encoder.n_bits, np.int32)
    of = np.array(encoder.kinds)[encoder.feature] if encoder.n_bits else np.array([], np.str_)
    for kind in dict.fromkeys(of.tolist()):
        bits = np.flatnonzero(of == kind)
        nodes[bits] = _of_type(builder, kind, first[encoder.feature[bits]], encoder.threshold[bits])
    return nodes


def _of_type(
    builder: Builder, kind: str, first: npt.NDArray[np.int64], threshold: npt.NDArray[np.float64]
) -> Int32Array:
    """Comparators of features of one type, whose bits begin at inputs `first`."""
    if kind == "float32":
        # x >= t is, for t > 0: x not negative and |x| >= |t|; else: x not negative or not |x| >= next above |t|.
        positive = threshold > 0
        key = np.abs(threshold).astype(np.float32).view(np.uint32).astype(np.uint64) + np.where(positive, 0, 1).astype(
            np.uint64
        )
        magnitude = _at_least(builder, first, key, 31, key < 1 << 31)
        return builder.append(np.where(positive, Gate.NOT_A_AND_B, Gate.NAND), first + 31, magnitude)
    width, signed = type_bits(kind), is_signed(kind)
    low, high = feature_range(kind)
    # Thresholds out of range are those that all values, or none, reach.
    whole = np.clip(threshold, low, high).astype(np.int64).view(np.uint64)
    key = whole + np.uint64(1 << (width - 1)) if signed else whole
    return _at_least(builder, first, key, width, threshold <= high, inverted_top=signed)


def with_encoder_gates(circuit: Circuit) -> Circuit:
    """The circuit with its encoder as gates: the inputs are the bits of the raw features, as `encoder_gates` says.

    Args:
        circuit: A circuit with an encoder.

    Returns:
        A circuit without encoder, not simplified, with `encoder.n_raw_bits` inputs.
    """
    encoder = circuit.encoder
    if encoder is None:
        raise OptionError("the circuit has no encoder to turn into gates")
    builder = Builder(encoder.n_raw_bits)
    nodes = builder.include(circuit, encoder_gates(builder, encoder))
    return builder.build(nodes[circuit.outputs], head=circuit.head, metadata=circuit.metadata)


def feature_bits(encoder: Encoder, x: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Raw samples to the inputs of `with_encoder_gates`.

    Args:
        encoder: The encoder.
        x: Samples [n, *shape], of the encoder's type.

    Returns:
        bool [n, encoder.n_raw_bits]. Values beyond the range of their feature's type are its nearest end.
    """
    flat = np.ascontiguousarray(x.reshape(len(x), encoder.n_features), dtype=encoder.dtype)
    if not encoder.types:
        return _bits(flat)
    parts = [np.zeros((len(flat), 0), np.bool_)]
    for column, kind in zip(flat.T, encoder.types, strict=True):
        if kind == "float32":
            parts.append(_bits(column.astype(np.float32)[:, None]))
            continue
        low, high = feature_range(kind)
        whole = np.clip(np.floor(column.astype(WIDE)), low, high).astype(np.int64)
        parts.append(_bits(whole[:, None])[:, : type_bits(kind)])
    return np.concatenate(parts, axis=1)


def _bits(flat: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Numbers [n, k] as bits [n, k * width], least significant first."""
    if flat.dtype == np.bool_:
        return flat
    raw = np.ascontiguousarray(flat.astype(flat.dtype.newbyteorder("<"), copy=False)).view(np.uint8)
    return np.unpackbits(raw, axis=1, bitorder="little").view(np.bool_)


def _at_least(
    builder: Builder,
    first_bit: npt.NDArray[np.int64],
    key: npt.NDArray[np.uint64],
    width: int,
    reachable: npt.NDArray[np.bool_],
    *,
    inverted_top: bool = False,
) -> Int32Array:
    """Nodes of `value >= key` for unsigned values of `width` bits at inputs `first_bit` up; false if not `reachable`."""
    true, false = builder.constant(True), builder.constant(False)
    # Chains that agree so far are one: `chain` numbers them, `node` is the comparison of the low bits in each.
    _, chain = np.unique(first_bit, return_inverse=True)
    node = np.full(int(chain.max()) + 1 if len(chain) else 0, true, np.int32)
    for i in range(width):
        pair, inverse = np.unique(
            np.stack([chain, (key >> np.uint64(i) & np.uint64(1)).astype(np.int64)]), axis=1, return_inverse=True
        )
        below, bit = node[pair[0]], pair[1]
        at = np.empty(pair.shape[1], np.int64)
        inverse = inverse.ravel()
        at[inverse] = first_bit + i
        top = inverted_top and i == width - 1
        one, zero = (Gate.NOT_A_AND_B, Gate.NOT_A_OR_B) if top else (Gate.AND, Gate.OR)
        # On a constant chain the gate would be a wire; it is written all the same and simplified away.
        node = builder.append(np.where(bit == 1, one, zero), at, below)
        chain = inverse
    return np.where(reachable, node[chain] if len(chain) else 0, false).astype(np.int32)


def _same_width(builder: Builder, a: Number, b: Number) -> tuple[Number, Number]:
    width = max(len(a), len(b))
    return tuple([*n, *[builder.constant(False)] * (width - len(n))] for n in (a, b))  # type: ignore[return-value]
