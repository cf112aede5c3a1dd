"""Which classes share the counting of which bits.

A head whose classes weigh bits computes `sums = W @ bits`. Counting a bit once per class, and once per unit of its weight,
takes about 4.5 gates each time. Bits whose columns of W agree in some classes can be counted once for all of these; the
count, a few bits long, is then handed to each class. So every column is split into *patterns*, sets of signed digits with a
class and a power of two each, and equal patterns (up to one sign and one power of two) share a counter.

Choosing the patterns is a facility location problem, solved by iteration: counting a bit costs one adder and its share of
what handing the count on costs, so popular patterns are cheap. Each column takes its cheapest split, found exactly by
dynamic programming over subsets of its digits; popularity follows from that, and a dozen rounds settle it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Int64Array = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

Pattern = tuple[tuple[int, int, int], ...]
"""Digits (class, power of two, sign 1 or -1), ascending. A canonical one has 0 as least power and 1 as first sign."""

LARGEST_PATTERN = 5
"""Most digits of a pattern that is shared. Six change nothing on trained heads: larger patterns are hardly ever popular."""

LARGEST_PIECE = 10
"""Most digits that are split together, as the search is exponential in them; columns with more are cut beforehand."""

MOST_SUBSETS = 1 << 24
"""Most subsets of pieces that are looked at; heads with more columns are cut into smaller pieces."""

_ROUNDS = 12
_POWERS = 64
_NEVER = 1e9


class Part(NamedTuple):
    """A canonical pattern in a column: the column holds `sign * 2 ** power` times the pattern."""

    pattern: Pattern
    sign: int
    power: int


class _Table(NamedTuple):
    """All subsets of all pieces: subset `mask` of piece i is entry `first[i] + mask`.

    Attributes:
        sizes: int64 [pieces], digits of each piece.
        first: int64 [pieces], entry of each piece's empty subset.
        pattern: int64 [entries], which pattern the subset is, or -1 if it has too many digits to be shared.
    """

    sizes: Int64Array
    first: Int64Array
    pattern: Int64Array


class Sharing:
    """The patterns to count by.

    Args:
        columns: int64 [columns, classes], different columns of weights.
        uses: int64 [columns], number of bits that have each.
    """

    def __init__(self, columns: Int64Array, uses: Int64Array) -> None:
        # Patterns are looked up by a random hash. A collision would cost gates, not correctness.
        self._hash = np.random.default_rng(0).integers(1, 1 << 62, (columns.shape[1], _POWERS), np.int64)
        self._price: dict[int, float] = {}
        for self._largest in range(LARGEST_PIECE, LARGEST_PATTERN - 1, -1):
            lists = [_pieces(column, self._largest) for column in columns]
            if sum(1 << len(piece) for each in lists for piece in each) <= MOST_SUBSETS:
                break
        pieces = [piece for each in lists for piece in each]
        if pieces:
            self._settle(pieces, np.repeat(uses, [len(each) for each in lists]).astype(np.float64))

    def of_column(self, column: Int64Array) -> list[Part]:
        """The parts that a bit with this column of weights is counted in."""
        return [part for piece in _pieces(column, self._largest) for part in self._cheapest(piece, within=False)]

    def of_counter(self, pattern: Pattern) -> list[Part]:
        """The smaller parts that a counter of this pattern hands its count to."""
        return self._cheapest(pattern, within=True)

    def _settle(self, pieces: Sequence[Pattern], weights: FloatArray) -> None:
        sizes, first, codes = self._subsets(pieces)
        values, inverse = np.unique(codes, return_inverse=True)
        table = _Table(sizes, first, np.where(codes == 0, -1, inverse))
        holder, mask, uses = _potential(table, weights, len(values))
        digits = np.array([m.bit_count() for m in mask.tolist()], np.float64)
        hand_on = digits.copy()
        for _ in range(_ROUNDS):
            share = np.log2(uses + 1) * hand_on / np.maximum(uses, 1)
            price = np.where(digits == 1, 1.0, np.where(uses > 0, 1 + share, _NEVER))
            uses = _take_cheapest(table, weights, price)
            used = np.flatnonzero((uses > 0) & (digits > 1))
            hand_on[used] = _cheapest_within(table, price, holder[used], mask[used])
        self._price = dict(zip(values.tolist(), price.tolist(), strict=True))

    def _subsets(self, pieces: Sequence[Pattern]) -> tuple[Int64Array, Int64Array, Int64Array]:
        """Sizes and first entries as in `_Table`, and the hash of each entry's pattern (0 where there is none)."""
        sizes = np.array([len(piece) for piece in pieces], np.int64)
        digits = np.array([digit for piece in pieces for digit in piece], np.int64).reshape(-1, 3)
        ends = np.cumsum(1 << sizes)
        codes = np.zeros(int(ends[-1]), np.int64)
        first = ends - (1 << sizes)
        _hash_subsets(digits, np.cumsum(sizes) - sizes, sizes, first, self._hash, codes)
        return sizes, first, codes

    def _cheapest(self, piece: Pattern, *, within: bool) -> list[Part]:
        sizes, first, codes = self._subsets([piece])
        price = np.array([self._price.get(code, _NEVER) for code in codes.tolist()])
        price[1 << np.arange(len(piece))] = 1.0
        if within:
            price[-1] = _NEVER
        table = _Table(sizes, first, np.where(codes == 0, -1, np.arange(len(codes))))
        total, taken = np.zeros(len(codes)), np.zeros(len(codes), np.int64)
        _cheapest_splits(table, 0, price, total, taken)
        parts, mask = [], len(codes) - 1
        while mask:
            part = int(taken[mask])
            parts.append(_canonical([digit for i, digit in enumerate(piece) if part >> i & 1]))
            mask ^= part
        return parts


def _digits(weight: int) -> list[tuple[int, int]]:
    """A whole number as (power, sign): the fewest signed powers of two; binary digits if that is no more."""
    sign, rest = (1, weight) if weight > 0 else (-1, -weight)
    binary = [(power, sign) for power in range(rest.bit_length()) if rest >> power & 1]
    sparse: list[tuple[int, int]] = []
    power = 0
    while rest:
        digit = 2 - (rest & 3) if rest & 1 else 0
        if digit:
            sparse.append((power, sign * digit))
        rest, power = (rest - digit) >> 1, power + 1
    return sparse if len(sparse) < len(binary) else binary


def _pieces(column: npt.NDArray[Any], largest: int) -> list[Pattern]:
    """The digits of a column, in as few equal pieces as have at most `largest` digits."""
    digits = [(int(k), power, sign) for k in np.flatnonzero(column) for power, sign in _digits(int(column[k]))]
    count = -(-len(digits) // largest)
    return [tuple(digits[len(digits) * i // count : len(digits) * (i + 1) // count]) for i in range(count)]


def _canonical(digits: Sequence[tuple[int, int, int]]) -> Part:
    power, sign = min(digit[1] for digit in digits), digits[0][2]
    return Part(tuple((k, p - power, s * sign) for k, p, s in digits), sign, power)


@njit(cache=True, nogil=True)
def _hash_subsets(
    digits: Int64Array,
    starts: Int64Array,
    sizes: Int64Array,
    first: Int64Array,
    random: Int64Array,
    codes: Int64Array,
) -> None:
    """A number for the canonical pattern of every subset of every piece; 0 where there are too many digits."""
    for i in range(len(sizes)):
        for mask in range(1, 1 << sizes[i]):
            count, power, sign = 0, np.int64(_POWERS), np.int64(0)
            for j in range(sizes[i]):
                if mask >> j & 1:
                    count += 1
                    power = min(power, digits[starts[i] + j, 1])
                    if sign == 0:
                        sign = digits[starts[i] + j, 2]
            if count <= LARGEST_PATTERN:
                code = np.int64(0)
                for j in range(sizes[i]):
                    if mask >> j & 1:
                        digit = digits[starts[i] + j]
                        code += digit[2] * sign * random[digit[0], digit[1] - power]
                codes[first[i] + mask] = code


@njit(cache=True, nogil=True)
def _potential(table: _Table, weights: FloatArray, patterns: int) -> tuple[Int64Array, Int64Array, FloatArray]:
    """For each pattern a piece and a subset that hold it, and how many bits could be counted by it."""
    holder, which = np.zeros(patterns, np.int64), np.zeros(patterns, np.int64)
    uses = np.zeros(patterns)
    for i in range(len(table.sizes)):
        for mask in range(1, 1 << table.sizes[i]):
            pattern = table.pattern[table.first[i] + mask]
            if pattern >= 0:
                holder[pattern], which[pattern] = i, mask
                uses[pattern] += weights[i]
    return holder, which, uses


@njit(cache=True, nogil=True)
def _cheapest_split(table: _Table, i: int, mask: int, largest: int, price: FloatArray, total: FloatArray) -> int:
    """Which part of a subset, the one with its first digit, to count as one; `largest` itself is not allowed."""
    low = mask & -mask
    rest = mask ^ low
    best, part, sub = 1e18, 0, rest
    while True:
        pattern = table.pattern[table.first[i] + (sub | low)]
        if pattern >= 0 and sub | low != largest:
            cost = price[pattern] + total[rest ^ sub]
            if cost < best:
                best, part = cost, sub | low
        if sub == 0:
            break
        sub = (sub - 1) & rest
    total[mask] = best
    return part


@njit(cache=True, nogil=True)
def _cheapest_splits(table: _Table, i: int, price: FloatArray, total: FloatArray, taken: Int64Array) -> None:
    """The price of every subset of a piece, and its first part."""
    for mask in range(1, 1 << table.sizes[i]):
        taken[mask] = _cheapest_split(table, i, mask, 0, price, total)


@njit(cache=True, nogil=True)
def _take_cheapest(table: _Table, weights: FloatArray, price: FloatArray) -> FloatArray:
    """How many bits each pattern counts if every piece takes its cheapest split."""
    uses = np.zeros(len(price))
    total, taken = np.zeros(1 << LARGEST_PIECE), np.zeros(1 << LARGEST_PIECE, np.int64)
    for i in range(len(table.sizes)):
        _cheapest_splits(table, i, price, total, taken)
        mask = (1 << table.sizes[i]) - 1
        while mask:
            uses[table.pattern[table.first[i] + taken[mask]]] += weights[i]
            mask ^= taken[mask]
    return uses


@njit(cache=True, nogil=True)
def _cheapest_within(table: _Table, price: FloatArray, holder: Int64Array, which: Int64Array) -> FloatArray:
    """The price of splitting each pattern, given as a subset of a piece, into smaller ones."""
    result = np.zeros(len(holder))
    total = np.zeros(1 << LARGEST_PIECE)
    for n in range(len(holder)):
        largest = which[n]
        mask = largest & -largest
        while mask:  # the subsets of `largest`, ascending
            _cheapest_split(table, holder[n], mask, largest, price, total)
            mask = (mask - largest) & largest
        result[n] = total[largest]
    return result
