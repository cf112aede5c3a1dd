"""The reference evaluation: plain NumPy on packed words, level by level.

It is what the engine and every export are held against. It is meant to be right and readable, and fast enough for whole
test sets; `gatewright.engine` is the fast one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright import gates
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.levels import evaluation_levels
from gatewright.errors import DtypeError, OptionError, ShapeError
from gatewright.features import check_numbers, check_samples
from gatewright.gates import USES_A, USES_B

BoolArray = npt.NDArray[np.bool_]
_WORKING_BYTES = 1 << 26
"""About how many bytes the node values of one block of samples may take."""


def pack_samples(bits: npt.ArrayLike) -> npt.NDArray[np.uint64]:
    """Pack samples into words: sample s is bit `s % 64`, least significant first, of word `s // 64`.

    Args:
        bits: bool [n, rows].

    Returns:
        uint64 [rows, ceil(n / 64)]; the last word's unused bits are 0.
    """
    given = _bits(bits, None)
    n, rows = given.shape
    words = -(-n // 64)
    padded = np.zeros((rows, 8 * words), np.uint8)
    packed = np.packbits(given.T, axis=1, bitorder="little")
    padded[:, : packed.shape[1]] = packed
    return padded.view("<u8").astype(np.uint64, copy=False)


def unpack_samples(words: npt.NDArray[np.uint64], n: int) -> BoolArray:
    """Undo `pack_samples`.

    Args:
        words: uint64 [rows, words].
        n: Number of samples, at most 64 per word.

    Returns:
        bool [n, rows].
    """
    if words.dtype != np.uint64 or words.ndim != 2:
        raise ShapeError(f"words must be uint64 [rows, words], got {words.dtype}{list(words.shape)}")
    if not 0 <= n <= 64 * words.shape[1]:
        raise ShapeError(f"{words.shape[1]} words hold at most {64 * words.shape[1]} samples, got n={n}")
    raw = np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.uint8).reshape(len(words), 8 * words.shape[1])
    unpacked = np.unpackbits(raw, axis=1, count=n, bitorder="little")
    return np.ascontiguousarray(unpacked.T).view(np.bool_)


def encode(circuit: Circuit, x: npt.ArrayLike) -> BoolArray:
    """Raw samples to the circuit's Boolean inputs.

    Args:
        circuit: A circuit with an encoder.
        x: Samples [n, *encoder.shape] or flattened [n, features], of the encoder's type or one that converts to it
            without loss (uint8 to int16, say).

    Returns:
        bool [n, n_inputs].

    Raises:
        OptionError: The circuit has no encoder.
        ShapeError: The samples have another shape.
        DtypeError: The samples have a type that may lose values.
        DataError: The samples contain NaN.
    """
    encoder = circuit.encoder
    if encoder is None:
        raise OptionError(f"the circuit has no encoder: give its {circuit.n_inputs} Boolean inputs instead of features")
    given = check_samples(x, encoder.shape, encoder.dtype)
    flat = given.reshape(len(given), encoder.n_features)
    check_numbers(flat)
    result = np.empty((len(flat), encoder.n_bits), np.bool_)
    step = max(1, _WORKING_BYTES // (8 * max(1, encoder.n_bits)))
    for start in range(0, len(flat), step):
        block = flat[start : start + step].astype(np.float64)
        result[start : start + step] = block[:, encoder.feature] >= encoder.threshold
    return result


def evaluate(circuit: Circuit, bits: npt.ArrayLike) -> BoolArray:
    """All outputs of a circuit.

    Args:
        circuit: The circuit.
        bits: bool [n, n_inputs].

    Returns:
        bool [n, n_outputs].
    """
    given = _bits(bits, circuit.n_inputs)
    result = np.empty((len(given), circuit.n_outputs), np.bool_)
    for rows, block in _blocks(circuit, given):
        result[rows] = block
    return result


def counts(circuit: Circuit, bits: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """What the head counts: offset plus true outputs, per class.

    Args:
        circuit: A circuit with a head.
        bits: bool [n, n_inputs].

    Returns:
        int64 [n, classes], with places [n, *places, classes]; scores are these divided by `head.tau`.
    """
    head = circuit.head
    if head is None:
        raise OptionError("this circuit has no head: it has outputs (evaluate), but neither counts nor classes")
    given = _bits(bits, circuit.n_inputs)
    result = np.empty((len(given), head.n_groups), np.int64)
    members = [np.flatnonzero(head.group == k) for k in range(head.n_groups)]
    for rows, block in _blocks(circuit, given):
        for k, columns in enumerate(members):
            result[rows, k] = head.offset[k] + np.count_nonzero(block[:, columns], axis=1)
    return head.by_place(result)


def classify(circuit: Circuit, bits: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The class of every sample: the lowest one among those with the greatest count.

    Args:
        circuit: A circuit with a head.
        bits: bool [n, n_inputs].

    Returns:
        int64 [n], with places [n, *places].
    """
    winners: npt.NDArray[np.int64] = np.argmax(counts(circuit, bits), axis=-1).astype(np.int64)
    return winners


def _bits(bits: npt.ArrayLike, width: int | None) -> BoolArray:
    given: npt.NDArray[Any] = np.asarray(bits)
    if given.dtype != np.bool_:
        raise DtypeError(f"bits are {given.dtype}, expected bool (of raw features, make bits with `encode`)")
    if given.ndim != 2 or (width is not None and given.shape[1] != width):
        raise ShapeError(f"bits have shape {given.shape}, expected (n, {'rows' if width is None else width})")
    return given


def _blocks(circuit: Circuit, bits: BoolArray) -> Iterator[tuple[slice, BoolArray]]:
    """Evaluate block by block, so that memory does not grow with the number of samples."""
    level = evaluation_levels(circuit)[circuit.n_inputs :]
    order = np.argsort(level, kind="stable")
    cuts = np.flatnonzero(np.diff(level[order], prepend=0)).tolist()
    plan = [order[start:stop] for start, stop in pairwise([*cuts, len(order)])]
    words = int(np.clip(_WORKING_BYTES // (8 * max(1, circuit.n_nodes)), 1, 1024))
    nodes = np.empty((circuit.n_nodes, words), np.uint64)
    for start in range(0, len(bits), 64 * words):
        rows = slice(start, min(start + 64 * words, len(bits)))
        packed = pack_samples(bits[rows])
        values = nodes[:, : packed.shape[1]]
        values[: circuit.n_inputs] = packed
        for members in plan:
            gate = circuit.gate[members]
            # Operands that a gate does not use may be any earlier node, even one of its own level: read node 0 instead.
            a = values[np.where(USES_A[gate], circuit.a[members], 0)]
            b = values[np.where(USES_B[gate], circuit.b[members], 0)]
            values[circuit.n_inputs + members] = gates.apply(gate[:, None], a, b)
        yield rows, unpack_samples(values[circuit.outputs], rows.stop - rows.start)
