"""What users hand to an engine: checked, never copied whole, and served chunk by chunk in the form the kernels want."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.engine.kernels import has_nan
from gatewright.engine.vector import TILE
from gatewright.errors import DtypeError, ShapeError
from gatewright.features import as_array, check_numbers, check_samples


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples [n, *shape] of a type that `dtype` can hold without loss.

    Attributes:
        array: The user's array, as it came (any strides, memory-mapped or not).
        dtype: The type the kernels compare in.
        n: Number of samples.
        n_features: Features of one sample.
        first: Number of the first sample, where these are part of a stream.
    """

    array: npt.NDArray[Any]
    dtype: np.dtype[Any]
    n: int
    n_features: int
    first: int = 0
    packed: bool = False

    @property
    def bytes_per_word(self) -> int:
        """Bytes that 64 samples take as a chunk."""
        return 64 * max(TILE, self.n_features) * self.dtype.itemsize

    def chunk(self, start: int, stop: int) -> npt.NDArray[Any]:
        """Samples start..stop-1 as a C-ordered array of features, its sides padded to at least 64, rows to 64s.

        Raises:
            DataError: A feature is NaN; the message names the sample and the feature.
        """
        part = np.ascontiguousarray(self.array[start:stop], dtype=self.dtype).reshape(stop - start, self.n_features)
        if self.dtype.kind == "f" and has_nan(part):
            check_numbers(part, self.first + start)
        rows, columns = -(-len(part) // TILE) * TILE, max(TILE, self.n_features)
        if part.shape != (rows, columns):
            padded = np.zeros((rows, columns), self.dtype)
            padded[: len(part), : self.n_features] = part
            part = padded
        return _writable(part.view(np.uint8) if self.dtype == np.bool_ else part)


@dataclass(frozen=True, eq=False)
class PackedBits:
    """Boolean inputs packed along the samples, uint64 [n_inputs, words]."""

    array: npt.NDArray[np.uint64]
    n: int
    packed: bool = True

    @property
    def bytes_per_word(self) -> int:
        """Bytes that 64 samples take."""
        return 8 * max(1, len(self.array))

    def chunk(self, start: int, stop: int) -> npt.NDArray[Any]:
        """The words of samples start..stop-1, C order; `start` is a multiple of 64."""
        return _writable(np.ascontiguousarray(self.array[:, start // 64 : -(-stop // 64)]))


def _writable(chunk: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The chunk itself or a copy: Numba compiles everything a second time for arrays that are read-only."""
    return chunk if chunk.flags.writeable else chunk.copy()


def feature_samples(x: Any, shape: tuple[int, ...], dtype: str, first: int = 0) -> Samples:
    """Check raw features; see `features.check_samples`.

    Args:
        x: Array-like [n, *shape] or flattened [n, features].
        shape: Shape of one sample.
        dtype: Type of the encoder's features.
        first: Number of the first sample, for messages.
    """
    array = check_samples(x, shape, dtype)
    return Samples(array, np.dtype(dtype), len(array), math.prod(shape), first)


def bit_samples(bits: Any, n_inputs: int, n: int | None = None) -> Samples | PackedBits:
    """Check Boolean inputs.

    Args:
        bits: bool [n, n_inputs], or uint64 [n_inputs, words] with sample s in bit s % 64 of word s // 64.
        n_inputs: Boolean inputs of the circuit.
        n: Samples in packed bits; all 64 x words unless told. Not for Booleans, which know their number.

    Raises:
        ShapeError: The shape does not fit, or `n` does not.
        DtypeError: Neither bool nor uint64.
    """
    array = as_array(bits, "bits")
    if array.dtype == np.bool_:
        if array.ndim != 2 or array.shape[1] != n_inputs:
            raise ShapeError(f"bits have shape {array.shape}, expected (n, {n_inputs}) for Booleans")
        if n is not None and n != len(array):
            raise ShapeError(f"n is {n}, but there are {len(array)} samples of Booleans; n is for packed bits")
        return Samples(array, np.dtype(np.bool_), len(array), n_inputs)
    if array.dtype != np.uint64:
        raise DtypeError(
            f"bits are {array.dtype}, expected bool [n, {n_inputs}] or packed uint64 [{n_inputs}, words]; "
            "zeros and ones become Booleans by bits.astype(bool)"
        )
    if array.ndim != 2 or array.shape[0] != n_inputs:
        raise ShapeError(f"bits have shape {array.shape}, expected ({n_inputs}, words) for packed uint64")
    capacity = 64 * array.shape[1]
    if n is not None and not capacity - 64 < n <= capacity and not n == capacity == 0:
        raise ShapeError(f"n is {n}, but {array.shape[1]} word(s) hold {max(0, capacity - 63)} to {capacity} samples")
    return PackedBits(array, capacity if n is None else n)
