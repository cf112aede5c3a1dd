"""The samples that users give to an engine: checked, never copied at once, served in chunks as the kernels need them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.packed import PackedBits, check_bits
from gatewright.engine.kernels import has_nan
from gatewright.engine.vector import TILE
from gatewright.features import check_numbers


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of a type that `dtype` can hold without loss: raw features, or Boolean inputs.

    Attributes:
        array: The user's array, as it came (any strides, memory-mapped or not).
        dtype: The type the kernels compare in.
        n_features: Features of one sample.
        first: Number of the first sample, where these are part of a stream.
        feature_names: Names of the features, for messages, or empty.
    """

    array: npt.NDArray[Any]
    dtype: np.dtype[Any]
    n_features: int
    first: int = 0
    feature_names: tuple[str, ...] = ()
    packed: ClassVar[bool] = False

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.array)

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
            check_numbers(part, self.first + start, feature_names=self.feature_names)
        rows, columns = -(-len(part) // TILE) * TILE, max(TILE, self.n_features)
        if part.shape != (rows, columns):
            padded = np.zeros((rows, columns), self.dtype)
            padded[: len(part), : self.n_features] = part
            part = padded
        return _writable(part.view(np.uint8) if self.dtype == np.bool_ else part)


@dataclass(frozen=True, eq=False)
class PackedSamples:
    """Boolean inputs as `PackedBits` hold them."""

    bits: PackedBits
    packed: ClassVar[bool] = True

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.bits.n

    @property
    def bytes_per_word(self) -> int:
        """Bytes that 64 samples take."""
        return 8 * max(1, len(self.bits.words))

    def chunk(self, start: int, stop: int) -> npt.NDArray[Any]:
        """The words of samples start..stop-1, C order; `start` is a multiple of 64."""
        return _writable(np.ascontiguousarray(self.bits.words[:, start // 64 : -(-stop // 64)]))


def _writable(chunk: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The chunk itself or a copy: Numba compiles everything a second time for arrays that are read-only."""
    return chunk if chunk.flags.writeable else chunk.copy()


def read_samples(circuit: Circuit, x: Any, first: int = 0) -> Samples | PackedSamples:
    """Check the samples for a circuit.

    Args:
        circuit: The circuit.
        x: As `Engine.predict` takes it, or a result of this function, which is returned unchanged.
        first: Number of the first sample, for messages.

    Raises:
        ShapeError: The samples have another shape.
        DtypeError: Their type cannot be turned into that of the circuit's features without loss.
        DataError: The columns of a table are not the circuit's features, or a value is missing.
    """
    if isinstance(x, Samples | PackedSamples):
        return x
    encoder = circuit.encoder
    if encoder is not None and not isinstance(x, PackedBits):
        names = encoder.feature_names
        array = encoder.samples(x)
        return Samples(array, np.dtype(encoder.dtype), math.prod(encoder.shape), first, names)
    bits = check_bits(x, circuit.n_inputs)
    if isinstance(bits, PackedBits):
        return PackedSamples(bits)
    return Samples(bits, np.dtype(np.bool_), circuit.n_inputs, first)
