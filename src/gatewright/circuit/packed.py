"""Boolean inputs: the one check of them, and `PackedBits`, 64 samples per word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatewright.errors import DtypeError, ShapeError
from gatewright.features import as_array
from gatewright.runtime.ranges import INT64

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PackedBits:
    """Boolean values of n samples, packed along the samples.

    Sample s is bit `s % 64`, least significant first, of word `s // 64`. Unused bits of the last word may have any value.

    Attributes:
        words: uint64 [rows, ceil(n / 64)], one row per Boolean input; anything that offers `__array__` or `__dlpack__`,
            which is not copied.
        n: Number of samples.

    Raises:
        OptionError: `n` is no whole number.
        DtypeError: `words` are not uint64.
        ShapeError: `words` are not [rows, ceil(n / 64)].

    >>> from gatewright import PackedBits
    >>> packed = PackedBits.pack([[True, False], [True, True], [False, True]])
    >>> packed
    PackedBits(2 rows, 3 samples)
    >>> packed.words.tolist()
    [[3], [6]]
    >>> packed.unpack().tolist()
    [[True, False], [True, True], [False, True]]
    """

    words: npt.NDArray[np.uint64]
    n: int

    def __post_init__(self) -> None:
        words = as_array(self.words, "words")
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "n", INT64.whole("n", self.n))
        if words.dtype != np.uint64:
            raise DtypeError(f"words are {words.dtype}, expected uint64; pack Booleans with PackedBits.pack(bits)")
        if words.ndim != 2:
            raise ShapeError(f"words have shape {words.shape}, expected (rows, words)")
        if words.shape[1] != -(-self.n // 64):
            capacity = 64 * words.shape[1]
            raise ShapeError(
                f"n is {self.n}, but {words.shape[1]} word(s) hold {max(0, capacity - 63)} to {capacity} samples"
            )

    @classmethod
    def pack(cls, bits: Any) -> Self:
        """Pack Booleans, bool [n, rows].

        Raises:
            DtypeError: The bits are not bool.
            ShapeError: They have another shape.
        """
        given = check_booleans(bits)
        n, rows = given.shape
        padded = np.zeros((rows, 8 * -(-n // 64)), np.uint8)
        packed = np.packbits(given.T, axis=1, bitorder="little")
        padded[:, : packed.shape[1]] = packed
        return cls(padded.view("<u8").astype(np.uint64, copy=False), n)

    def unpack(self) -> BoolArray:
        """The Booleans, bool [n, rows]."""
        rows, words = self.words.shape
        raw = np.ascontiguousarray(self.words.astype("<u8", copy=False)).view(np.uint8).reshape(rows, 8 * words)
        return np.ascontiguousarray(np.unpackbits(raw, axis=1, count=self.n, bitorder="little").T).view(np.bool_)

    def __len__(self) -> int:
        return self.n

    def __repr__(self) -> str:
        return f"PackedBits({len(self.words):,} rows, {self.n:,} samples)"


def check_booleans(bits: Any, width: int | None = None) -> BoolArray:
    """Check Boolean inputs, bool [n, width] (any width if it is None): an array or anything `features.as_array` reads.

    Raises:
        DtypeError: The bits are not bool.
        ShapeError: They have another shape.
    """
    given = as_array(bits, "bits")
    if given.dtype != np.bool_:
        raise DtypeError(
            f"bits are {given.dtype}, expected bool: convert zeros and ones with bits.astype(bool), encode raw features "
            "with circuit.evaluate.encode, wrap packed bits as PackedBits(words, n)"
        )
    if given.ndim != 2 or given.shape[1] != (given.shape[1] if width is None else width):
        raise ShapeError(f"bits have shape {given.shape}, expected (n, {'rows' if width is None else width})")
    return given


def check_bits(bits: Any, width: int) -> BoolArray | PackedBits:
    """Check Boolean inputs: bool [n, width], or `PackedBits` of as many rows.

    Raises:
        DtypeError: The bits are neither bool nor `PackedBits`.
        ShapeError: They have another shape.
    """
    if not isinstance(bits, PackedBits):
        return check_booleans(bits, width)
    if len(bits.words) != width:
        raise ShapeError(f"the packed bits have {len(bits.words)} rows, expected {width}, one per Boolean input")
    return bits
