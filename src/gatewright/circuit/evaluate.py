"""The reference evaluation: plain NumPy on packed words, level by level.

The engine and every export are checked against it. It is meant to be right and readable, and fast enough for complete
test sets; `gatewright.engine` is the fast one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from gatewright import gates
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.levels import evaluation_levels
from gatewright.circuit.packed import BoolArray, PackedBits, check_bits
from gatewright.errors import OptionError
from gatewright.features import check_numbers
from gatewright.gates import USES_A, USES_B

_WORKING_BYTES = 1 << 26
"""About how many bytes the node values of one block of samples may take."""


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
        DataError: The samples contain NaN or missing values, or are a table with other columns.
    """
    encoder = circuit.encoder
    if encoder is None:
        raise OptionError(f"the circuit has no encoder: give its {circuit.n_inputs} Boolean inputs instead of features")
    given = encoder.samples(x)
    flat = given.reshape(len(given), encoder.n_features)
    check_numbers(flat, feature_names=encoder.feature_names)
    result = np.empty((len(flat), encoder.n_bits), np.bool_)
    step = max(1, _WORKING_BYTES // (8 * max(1, encoder.n_bits)))
    for start in range(0, len(flat), step):
        block = flat[start : start + step].astype(np.float64)
        result[start : start + step] = block[:, encoder.feature] >= encoder.threshold
    return result


def evaluate(circuit: Circuit, bits: npt.ArrayLike | PackedBits) -> BoolArray:
    """All outputs of a circuit, bool [n, n_outputs], for Boolean inputs `bits`, bool [n, n_inputs] or packed."""
    given = check_bits(bits, circuit.n_inputs)
    result = np.empty((len(given), circuit.n_outputs), np.bool_)
    for rows, block in _blocks(circuit, given):
        result[rows] = block
    return result


def counts(circuit: Circuit, bits: npt.ArrayLike | PackedBits) -> npt.NDArray[np.int64]:
    """What the head counts: offset plus true outputs, per class.

    Args:
        circuit: A circuit with a head.
        bits: bool [n, n_inputs], or packed.

    Returns:
        int64 [n, classes], with places [n, *places, classes]; scores are these divided by `head.tau`.

    Raises:
        OptionError: The circuit has no head.
    """
    head = circuit.head
    if head is None:
        raise OptionError("this circuit has no head: it has outputs (evaluate), but neither counts nor classes")
    given = check_bits(bits, circuit.n_inputs)
    result = np.empty((len(given), head.n_groups), np.int64)
    members = [np.flatnonzero(head.group == k) for k in range(head.n_groups)]
    for rows, block in _blocks(circuit, given):
        for k, columns in enumerate(members):
            result[rows, k] = head.offset[k] + np.count_nonzero(block[:, columns], axis=1)
    return head.by_place(result)


def classify(circuit: Circuit, bits: npt.ArrayLike | PackedBits) -> npt.NDArray[np.int64]:
    """The class of every sample, int64 [n], with places [n, *places]: the lowest of those with the greatest count.

    Arguments are those of `counts`.
    """
    return np.asarray(counts(circuit, bits).argmax(axis=-1), np.int64)


def _blocks(circuit: Circuit, bits: BoolArray | PackedBits) -> Iterator[tuple[slice, BoolArray]]:
    """Evaluate block by block, so that memory does not grow with the number of samples."""
    level = evaluation_levels(circuit)[circuit.n_inputs :]
    order = np.argsort(level, kind="stable")
    cuts = np.flatnonzero(np.diff(level[order], prepend=0)).tolist()
    plan = [order[start:stop] for start, stop in pairwise([*cuts, len(order)])]
    words = int(np.clip(_WORKING_BYTES // (8 * max(1, circuit.n_nodes)), 1, 1024))
    nodes = np.empty((circuit.n_nodes, words), np.uint64)
    for start in range(0, len(bits), 64 * words):
        rows = slice(start, min(start + 64 * words, len(bits)))
        if isinstance(bits, PackedBits):
            packed = bits.words[:, start // 64 : start // 64 + words]
        else:
            packed = PackedBits.pack(bits[rows]).words
        values = nodes[:, : packed.shape[1]]
        values[: circuit.n_inputs] = packed
        for members in plan:
            gate = circuit.gate[members]
            # Operands that a gate does not use may be any earlier node, even one of its own level: read node 0 instead.
            a = values[np.where(USES_A[gate], circuit.a[members], 0)]
            b = values[np.where(USES_B[gate], circuit.b[members], 0)]
            values[circuit.n_inputs + members] = gates.apply(gate[:, None], a, b)
        yield rows, PackedBits(values[circuit.outputs], rows.stop - rows.start).unpack()
