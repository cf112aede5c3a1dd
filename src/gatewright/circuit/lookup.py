"""Lookup tables of up to eight inputs as gates.

A table f is split on one input x, in the cheapest of three ways (f0 and f1 are f where x is 0 and where it is 1):

- Shannon: `(not x and f0) or (x and f1)`
- Davio:   `f0 xor (x and (f0 xor f1))`
- the same from the other side: `f1 xor (not x and (f0 xor f1))`

and so on until two inputs are left, which are one gate. Costs count gates after simplification: a constant part costs
nothing. Up to six inputs, each one is tried; of tables with seven or eight, the first ones are split in order. All tables
of one size are computed together, and parts that several tables have in common are made once.
"""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import numpy.typing as npt

from gatewright.circuit.builder import Builder
from gatewright.errors import OptionError, ShapeError
from gatewright.gates import IS_LOGIC, Gate

BoolArray = npt.NDArray[np.bool_]
Int32Array = npt.NDArray[np.int32]

MOST_INPUTS = 8
_MOST_TRIED = 6
_SHANNON, _DAVIO, _NEGATIVE_DAVIO = range(3)


def append_tables(builder: Builder, operands: npt.ArrayLike, tables: npt.ArrayLike) -> Int32Array:
    """Append the gates of lookup tables.

    Args:
        builder: Where the gates go.
        operands: int [n, k], the nodes that each table reads, k from 0 to 8.
        tables: bool [n, 2^k], the output for each combination of operands: the first operand is the most significant bit of
            the index, as in gate ids.

    Returns:
        int32 [n], the nodes of the outputs. Constants and wires among them are gates that simplification removes.

    Raises:
        OptionError: The tables have more than eight inputs.
        ShapeError: Operands and tables do not fit each other.

    >>> import numpy as np
    >>> from gatewright import simplify
    >>> builder = Builder(3)
    >>> majority = append_tables(builder, [[0, 1, 2]], [[0, 0, 0, 1, 0, 1, 1, 1]])
    >>> simplify(builder.build(majority)).n_gates
    4
    """
    reads = np.asarray(operands, np.int32)
    truth = np.asarray(tables).astype(np.bool_)
    if reads.ndim != 2 or truth.shape != (len(reads), 1 << reads.shape[1]):
        raise ShapeError(
            f"operands of shape {reads.shape} and tables of shape {truth.shape}, expected [n, k] and [n, 2^k]"
        )
    k = reads.shape[1]
    if k > MOST_INPUTS:
        raise OptionError(f"tables of {k} inputs, expected at most {MOST_INPUTS}")
    if k < 2:  # as tables of two inputs that ignore one or both
        reads = np.concatenate([np.zeros((len(reads), 2 - k), np.int32), reads], 1)
        truth = np.tile(truth, (1, 4 >> k))
    return _append(builder, reads, truth)


def _append(builder: Builder, operands: Int32Array, tables: BoolArray) -> Int32Array:
    n, k = operands.shape
    rows = np.concatenate([operands, np.packbits(tables, axis=1).astype(np.int32)], 1)
    first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)[1:]
    if len(first) < n:
        return _append(builder, operands[first], tables[first])[which.ravel()]
    if n == 0:
        return np.zeros(0, np.int32)
    if k == 2:
        return builder.append(tables @ np.array([8, 4, 2, 1]), operands[:, 0], operands[:, 1])
    way, at = _choose(tables)
    rest = np.array([[i for i in range(k) if i != j] for j in range(k)])[at]
    x = operands[np.arange(n), at]
    others = np.take_along_axis(operands, rest, 1)
    zero, one = _cofactors(tables, at)
    left = np.where((way == _NEGATIVE_DAVIO)[:, None], one, zero)
    right = np.where((way == _SHANNON)[:, None], one, zero ^ one)
    parts = _append(builder, np.concatenate([others, others]), np.concatenate([left, right]))
    a, b = parts[:n], parts[n:]
    inner = builder.append(np.where(way == _NEGATIVE_DAVIO, Gate.NOT_A_AND_B, Gate.AND), x, b)
    outer = a.copy()
    outer[way == _SHANNON] = builder.append(Gate.NOT_A_AND_B, x[way == _SHANNON], a[way == _SHANNON])
    return builder.append(np.where(way == _SHANNON, Gate.OR, Gate.XOR), outer, inner)


def _cofactors(tables: BoolArray, at: npt.NDArray[np.intp]) -> tuple[BoolArray, BoolArray]:
    """Tables [n, 2^(k-1)] where input `at` of each is 0, and where it is 1."""
    k = tables.shape[1].bit_length() - 1
    order = np.stack([np.moveaxis(np.arange(1 << k).reshape((2,) * k), j, 0).ravel() for j in range(k)])
    moved = np.take_along_axis(tables, order[at], 1)
    half = 1 << (k - 1)
    return moved[:, :half], moved[:, half:]


def _choose(tables: BoolArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The cheapest way to split each table, and the input to split on."""
    costs = _costs_of_splits(tables)
    best = costs.reshape(len(tables), -1).argmin(1)
    return np.divmod(best, costs.shape[2])


def _costs_of_splits(tables: BoolArray) -> npt.NDArray[np.int32]:
    """Gates int32 [n, 3, inputs tried] that tables of three and more inputs take, by the way and the input of the split."""
    n, k = len(tables), tables.shape[1].bit_length() - 1
    tried = range(k if k <= _MOST_TRIED else 1)
    result = np.empty((n, 3, len(tried)), np.int32)
    for j in tried:
        zero, one = _cofactors(tables, np.full(n, j))
        both = np.concatenate([zero, one, zero ^ one])
        c0, c1, c2 = _costs(both).reshape(3, n)
        false, true = ~both.any(1).reshape(3, n), both.all(1).reshape(3, n)
        (z0, z1, z2), (o0, o1, o2) = false, true
        fixed0, fixed1 = z0 | o0, z1 | o1
        result[:, _SHANNON, j] = c0 + c1 + np.where(fixed0 & fixed1, 0, np.where(fixed0 | fixed1, 1, 3))
        for way, c, fixed in ((_DAVIO, c0, fixed0), (_NEGATIVE_DAVIO, c1, fixed1)):
            result[:, way, j] = c + c2 + (~z2 & ~o2) + (~z2 & ~fixed)
    return result


def _costs(tables: BoolArray) -> npt.NDArray[np.int32]:
    """Gates int32 [n] that tables of two and more inputs take."""
    size = tables.shape[1]
    if size <= 16:
        return _known_costs(size)[tables @ (1 << np.arange(size)[::-1])]
    return np.asarray(_costs_of_splits(tables).min((1, 2)), np.int32)


@cache
def _known_costs(size: int) -> npt.NDArray[np.int32]:
    """Gates int32 [2^size] of all tables of a size, by the table read as a number."""
    if size == 4:
        return IS_LOGIC.astype(np.int32)
    tables = np.array(list(itertools.product((False, True), repeat=size)))
    return np.asarray(_costs_of_splits(tables).min((1, 2)), np.int32)
