"""Sums of many bits in gates: carry-save adders, shaped for what the result is built of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from gatewright.circuit.builder import Builder, Int32Array
from gatewright.errors import unknown_name
from gatewright.gates import Gate

Number = list[int]
"""Nodes of an unsigned number's bits, least significant first."""

Columns = Mapping[int, Sequence[int]]
"""By power of two, the nodes of the bits that have this weight."""

_CHAIN = 4
"""How many adders of one column follow each other: longer chains save a few gates and cost depth."""


def add_columns(builder: Builder, columns: Columns, width: int, adders: str = "ops") -> Number:
    """The sum of bits of different weight, modulo `2 ** width`.

    Args:
        builder: Where the gates go.
        columns: The bits.
        width: Bits of the result.
        adders: One of `ADDERS`.

    Raises:
        OptionError: `adders` is unknown.
    """
    if adders not in ADDERS:
        raise unknown_name("kind of adders", adders, ADDERS)
    return ADDERS[adders](builder, columns, width)


def _pairs(builder: Builder, columns: Columns, width: int) -> Number:
    return _by_column(_PairColumn, builder, columns, width)


def _table_pairs(builder: Builder, columns: Columns, width: int) -> Number:
    return _by_column(_TablePairColumn, builder, columns, width)


def _by_column(kind: type[_PairColumn], builder: Builder, columns: Columns, width: int) -> Number:
    column, result = kind(builder), []
    for power in range(width):
        column.add_plain(np.array(columns.get(power, ()), np.int32))
        carries = kind(builder)
        result.append(column.reduce(carries))
        column = carries
    return result


def _full_adders(builder: Builder, columns: Columns, width: int) -> Number:
    return _compress(builder, columns, width, six=False)


def _compressors(builder: Builder, columns: Columns, width: int) -> Number:
    return _compress(builder, columns, width, six=True)


def _compress(builder: Builder, columns: Columns, width: int, *, six: bool) -> Number:
    """Count six bits (if wanted), three or two of one weight at a time, as many as there are side by side."""
    waiting = [np.array(columns.get(power, ()), np.int32) for power in range(width + 2)]
    result = []
    for power in range(width):
        while (n := len(bits := waiting[power])) > 1:
            size = 6 if six and n >= 6 else min(n, 3)
            groups = bits[: n // size * size].reshape(-1, size).T  # neighbours arrive together
            counts = _COUNTERS[size](builder, *groups)
            waiting[power] = np.concatenate([bits[groups.size :], counts[0]])
            for more, carry in enumerate(counts[1:], start=1):
                waiting[power + more] = np.concatenate([waiting[power + more], carry])
        result.append(int(waiting[power][0]) if n else builder.constant(False))
    return result


def _half_adder(builder: Builder, x: Int32Array, y: Int32Array) -> tuple[Int32Array, ...]:
    return builder.append(Gate.XOR, x, y), builder.append(Gate.AND, x, y)


def _full_adder(builder: Builder, x: Int32Array, y: Int32Array, z: Int32Array) -> tuple[Int32Array, ...]:
    differ = builder.append(Gate.XOR, x, y)
    carry = builder.append(Gate.OR, builder.append(Gate.AND, x, y), builder.append(Gate.AND, differ, z))
    return builder.append(Gate.XOR, differ, z), carry


def _six_to_three(builder: Builder, *bits: Int32Array) -> tuple[Int32Array, ...]:
    """Three functions of the same six bits: a lookup table each."""
    left, left_carry = _full_adder(builder, *bits[:3])
    right, right_carry = _full_adder(builder, *bits[3:])
    ones, carry = _half_adder(builder, left, right)
    return ones, *_full_adder(builder, left_carry, right_carry, carry)


class _PairColumn:
    """The bits of one weight that are still to be added, by adders that read and make pairs.

    A *pair* is two bits x and y known as x and x XOR y. Two full adders that read pairs and hand on their two carries as
    a pair take 8 gates instead of 10, which brings a sum of n bits from 5 n gates down to about 4.5 n.
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.plain = np.zeros(0, np.int32)
        self.x = np.zeros(0, np.int32)
        self.differ = np.zeros(0, np.int32)

    def add_plain(self, *bits: Int32Array) -> None:
        """Put in bits, after those there are, so that trees of adders stay balanced."""
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

    def reduce(self, carries: _PairColumn) -> int:
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

    def _add_pair(self, carries: _PairColumn) -> None:
        """The one pair that is left, with a loose bit if there is one, becomes a sum bit and a carry."""
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

    def _take_five(self, n: int) -> tuple[Int32Array, ...]:
        """N loose bits (constants where there are too few) and the two halves of twice n pairs."""
        z = self.take_plain(n)
        missing = np.full(n - len(z), self.builder.constant(False), np.int32)
        return np.concatenate([z, missing]).astype(np.int32), *self.take_pairs(n), *self.take_pairs(n)

    def _add_five(self, n: int, carries: _PairColumn) -> None:
        """N times: a loose bit z and two pairs (x1, y1), (x2, y2) become one sum bit and a pair of carries (a, b)."""
        append = self.builder.append
        z, x1, differ1, x2, differ2 = self._take_five(n)
        sum1 = append(Gate.XOR, differ1, z)
        # a = maj(x1, y1, z) = sum1 XOR (x1, y1, z not all equal); b likewise with sum1 in the place of z.
        mixed = append(Gate.OR, differ1, append(Gate.XOR, x1, z))
        a = append(Gate.XOR, mixed, sum1)
        # b = sum1 XOR rest, so a XOR b = mixed XOR rest.
        rest = append(Gate.A_AND_NOT_B, append(Gate.XOR, x2, sum1), differ2)
        carries.add_pairs(a, append(Gate.XOR, mixed, rest))
        self.add_plain(append(Gate.XOR, differ2, sum1))


class _TablePairColumn(_PairColumn):
    """Pairs for tables of four inputs: three tables for a double adder, where two full adders take four.

    The second carry b follows from the sum: it is x2 where x2 and y2 agree, and the inverse of the sum elsewhere. So
    a XOR b is a function of four bits: a, x2, x2 XOR y2 and the sum. It is written without b, which simplification would
    otherwise put in the place of these.
    """

    def _add_five(self, n: int, carries: _PairColumn) -> None:
        append = self.builder.append
        z, x1, differ1, x2, differ2 = self._take_five(n)
        sum1 = append(Gate.XOR, differ1, z)
        total = append(Gate.XOR, differ2, sum1)
        a = append(Gate.OR, append(Gate.AND, differ1, z), append(Gate.A_AND_NOT_B, x1, differ1))
        where_differ = append(Gate.AND, differ2, append(Gate.XNOR, a, total))
        elsewhere = append(Gate.A_AND_NOT_B, append(Gate.XOR, a, x2), differ2)
        carries.add_pairs(a, append(Gate.OR, where_differ, elsewhere))
        self.add_plain(total)


_COUNTERS: Mapping[int, Callable[..., tuple[Int32Array, ...]]] = MappingProxyType(
    {2: _half_adder, 3: _full_adder, 6: _six_to_three}
)

ADDERS: Mapping[str, Callable[[Builder, Columns, int], Number]] = MappingProxyType(
    {"ops": _pairs, "nand": _full_adders, "lut4": _table_pairs, "lut6": _compressors}
)
"""Kinds of adders: `ops` takes the fewest two-input gates, `nand` the fewest NANDs (full adders), `lut4` the fewest tables
of four inputs (pairs, in another form), `lut6` the fewest of six (6:3 compressors). docs/circuits.md has them measured."""
