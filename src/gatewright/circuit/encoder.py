"""`Encoder`: raw features to the Boolean inputs of a circuit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.parts import Array, Parts, as_stored, as_texts
from gatewright.columns import Column, read_columns, rounded_down
from gatewright.errors import FormatError, GatewrightError, shown
from gatewright.features import (
    COARSE,
    EXACT,
    FEATURE_DTYPES,
    WIDE,
    check_samples,
    exact_thresholds,
    feature_range,
    type_bits,
)
from gatewright.runtime.tables import is_table

_MOST_RAW_BITS = (1 << 31) - 1
"""Places of bits are int32."""


def _beyond(kind: str, dtype: str) -> bool:
    """Whether arrays of `dtype` cannot hold all features of a type."""
    try:
        bits = type_bits(kind)
    except GatewrightError as error:
        raise FormatError(f"encoder.types: {error}") from error
    if dtype == WIDE:
        return False
    if "float" in dtype or kind == "float32":
        return "float" not in dtype or (kind != "float32" and bits > 24 + kind.startswith("int"))
    low, high = feature_range(dtype)
    return feature_range(kind)[0] < low or feature_range(kind)[1] > high


@dataclass(frozen=True, eq=False)
class Encoder(Parts):
    """Raw features to bits: bit i is `features[feature[i]] >= threshold[i]`.

    Attributes:
        feature: int32 [bits], index into the flattened sample.
        threshold: float64 [bits], in units of the raw feature; whole numbers where the features are integers, float32
            values where they are float32, so that every back end compares exactly.
        shape: Shape of one raw sample, for example (1, 28, 28) or (14,).
        dtype: Type of arrays of samples, one of `features.FEATURE_DTYPES`, or float64 where `types` are given.
        feature_names: Names of the flattened features, or empty.
        types: Type of each flattened feature, which has so many bits in hardware; empty if all are of `dtype`. Values
            beyond its range count as its nearest end, so thresholds lie within: above the least value, at most the
            greatest.
        columns: The columns of the table that the features are made from, or empty.

    Example:
        >>> from gatewright.circuit import Encoder
        >>> Encoder(feature=[0, 0, 1], threshold=[64, 128, 100], shape=(2,), dtype="uint8")
        Encoder(bits=3, shape=(2,), dtype='uint8')
    """

    feature: Array
    threshold: Array
    shape: tuple[int, ...]
    dtype: str = "float32"
    feature_names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    def __post_init__(self) -> None:
        self._set(
            types=as_texts(self.types, "encoder.types"),
            columns=tuple(self.columns),
            feature=as_stored(self.feature, np.int32, "encoder.feature"),
            threshold=as_stored(self.threshold, np.float64, "encoder.threshold"),
            shape=tuple(int(n) for n in self.shape),
            feature_names=as_texts(self.feature_names, "encoder.feature_names"),
        )
        if self.dtype not in FEATURE_DTYPES and not (self.types and self.dtype == WIDE):
            raise FormatError(f"encoder.dtype is {shown(self.dtype)}, expected one of {FEATURE_DTYPES}")
        if not self.shape or min(self.shape) < 1:
            raise FormatError(f"encoder.shape must be positive sizes, got {shown(self.shape)}")
        if len(self.types) not in {0, self.n_features}:
            raise FormatError(f"{len(self.types)} feature types for {self.n_features} features")
        wide = next((kind for kind in self.types if _beyond(kind, self.dtype)), None)
        if wide is not None:
            raise FormatError(f"encoder.dtype {self.dtype} cannot hold features of type {wide}")
        if self.n_raw_bits > _MOST_RAW_BITS:
            raise FormatError(f"encoder.shape has more than {_MOST_RAW_BITS} bits: {shown(self.shape)} of {self.dtype}")
        if len(self.feature) != len(self.threshold):
            raise FormatError(f"encoder has {len(self.feature)} features but {len(self.threshold)} thresholds")
        if len(self.feature) and not 0 <= self.feature.min() <= self.feature.max() < self.n_features:
            raise FormatError(f"encoder.feature must lie in 0..{self.n_features - 1}")
        if self.feature_names and len(self.feature_names) != self.n_features:
            raise FormatError(f"{len(self.feature_names)} feature names for {self.n_features} features")
        if self.types:
            self._check_types()
            return
        with np.errstate(over="ignore"):
            exact = exact_thresholds(self.threshold, self.dtype)
        if not np.array_equal(exact, self.threshold):
            raise FormatError(f"encoder.threshold has values that are not exact for {self.dtype} features")

    def _check_types(self) -> None:
        """Check types of features that are not all one, and the columns."""
        whole = ~self.is_float[self.feature]
        exact = np.ceil(self.threshold) == self.threshold
        exact &= (np.abs(self.threshold) <= EXACT) | (self.threshold % COARSE == 0)
        with np.errstate(over="ignore"):
            single = exact_thresholds(self.threshold, "float32") == self.threshold
        low, high = self.lowest[self.feature], self.highest[self.feature]
        bad = np.where(whole, ~exact | (self.threshold <= low) | (self.threshold > high), ~single)
        if bad.any():
            i = int(bad.argmax())
            kind = self.types[self.feature[i]]
            raise FormatError(
                f"encoder.threshold[{i}] is {self.threshold[i]!r}, expected one that is exact and within the range of "
                f"{kind} features"
            )
        for column in self.columns:
            as_texts([column.name, *column.categories], "encoder.columns")
        if self.columns and sum(column.n_features for column in self.columns) != self.n_features:
            raise FormatError(f"encoder.columns do not make the {self.n_features} features")

    def __repr__(self) -> str:
        return f"Encoder(bits={self.n_bits}, shape={self.shape}, dtype={self.dtype!r})"

    def samples(self, x: Any, name: str = "x") -> Array:
        """Raw samples [n, *shape] or [n, features], checked; tables are read by their columns.

        Raises:
            GatewrightError: They do not fit; see `features.check_samples` and `columns.read_columns`.
        """
        if self.columns and is_table(x):
            return read_columns(self.columns, self.types, x, self.dtype, name)
        given = check_samples(x, self.shape, self.dtype, name, self.feature_names)
        if self.dtype == WIDE and given.dtype.kind in "iu":
            given = rounded_down(given, WIDE)
        if self.dtype == WIDE and self.is_float.any():  # those features are float32 in hardware
            given = given.reshape(len(given), self.n_features).astype(WIDE)
            given[:, self.is_float] = given[:, self.is_float].astype(np.float32)
        return given

    @property
    def kinds(self) -> tuple[str, ...]:
        """Type of each feature, `types` or all of `dtype`."""
        return self.types or (self.dtype,) * self.n_features

    @property
    def is_float(self) -> npt.NDArray[np.bool_]:
        """Bool [features]: whether a feature is a float32."""
        return self._each(lambda kind: kind == "float32", np.bool_)

    @property
    def widths(self) -> npt.NDArray[np.int64]:
        """int64 [features], bits of each in hardware."""
        return self._each(type_bits, np.int64)

    @property
    def first_bits(self) -> npt.NDArray[np.int64]:
        """int64 [features], the place of each feature's first bit where all their bits lie one after the other."""
        widths = self.widths
        return np.cumsum(widths) - widths

    @property
    def n_raw_bits(self) -> int:
        """Bits of all features of a sample in hardware."""
        return int(self.widths.sum()) if self.types else self.n_features * type_bits(self.dtype)

    @property
    def lowest(self) -> npt.NDArray[np.float64]:
        """float64 [features], the least value of each."""
        return self._each(lambda kind: feature_range(kind)[0], np.float64)

    @property
    def highest(self) -> npt.NDArray[np.float64]:
        """float64 [features], the greatest value of each."""
        return self._each(lambda kind: feature_range(kind)[1], np.float64)

    def _each(self, figure: Callable[[str], Any], dtype: Any) -> Array:
        """A figure of each feature's type; where all are of one type, without memory for each."""
        if not self.types:
            return np.broadcast_to(np.array(figure(self.dtype), dtype), self.n_features)
        return np.array([figure(kind) for kind in self.types], dtype)

    @property
    def n_bits(self) -> int:
        """Number of Boolean inputs it makes."""
        return len(self.feature)

    @property
    def n_features(self) -> int:
        """Number of raw features of one sample."""
        return math.prod(self.shape)
