"""Thermometer encoding: raw features to bits, bit i = feature >= threshold i.

Thresholds are in the units of the raw features and exact in their type, so the circuit's encoder compares exactly as this
module does. Images (C, H, W) have T thresholds per channel and become (C * T, H, W), channel `c * T + t`; other samples
have a list of thresholds per feature and become (bits,), feature by feature, thresholds ascending.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gatewright.errors import (
    DataError,
    DtypeError,
    FormatError,
    NotFittedError,
    OptionError,
    ShapeError,
    shown,
    unknown_name,
)
from gatewright.features import FEATURE_DTYPES, WIDE, exact_thresholds, feature_range
from gatewright.kernels import ops
from gatewright.nn.bit_tensor import BitTensor, rows
from gatewright.nn.eager import eager
from gatewright.runtime.ranges import COUNT, FLOAT32
from gatewright.runtime.tables import without_table

Lists = list[npt.NDArray[Any]]
"""Thresholds of each channel or feature."""

KINDS: tuple[str, ...] = ("uniform", "quantile")


class Thermometer(nn.Module):
    """Thresholds raw features into bits.

    Args:
        thresholds: One ascending list per channel (images) or per feature (other samples). Images need lists of one
            length. For integer features they are rounded up to integers (`x >= t` stays the same), for float32 features to
            the nearest float32. Or a number of thresholds per channel or feature, which `fit` chooses.
        shape: Shape of one raw sample: (C, H, W) is an image, anything else is flattened. None if `fit` is to take it from
            the samples.
        dtype: Type of the raw features: bool, uint8, int16, int32 or float32. None if `fit` is to take it from the samples.
        kind: How `fit` chooses: "uniform" (equal parts of the samples' range) or "quantile".
        types: Type of each feature of a table, narrower than `dtype`, which may then be float64, too; empty if all are of
            `dtype`. See `gatewright.circuit.Encoder`.

    Attributes:
        out_shape: Shape of an encoded sample.
        feature: Buffer int32 [bits], the raw feature that each bit compares.
        threshold: Buffer float64 [bits], what it is compared with.

    >>> import numpy as np
    >>> from gatewright import Thermometer
    >>> Thermometer([[10, 20], [5]], (2,), "uint8").transform(np.array([[12, 3]], np.uint8))
    array([[ True, False, False]])
    >>> x = np.arange(100, dtype=np.int32).reshape(-1, 1)
    >>> Thermometer(3, kind="quantile").fit(x).threshold.tolist()
    [25.0, 50.0, 75.0]
    """

    feature: Tensor
    threshold: Tensor
    shape: tuple[int, ...]
    dtype: str
    out_shape: tuple[int, ...]

    def __init__(
        self,
        thresholds: Sequence[npt.ArrayLike] | int,
        shape: Sequence[int] | None = None,
        dtype: str | None = None,
        *,
        kind: str = "quantile",
        types: Sequence[str] = (),
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise unknown_name("kind of thresholds", str(kind), KINDS)
        self.kind = kind
        self.types = tuple(types)
        self.thresholds = _checked_count(thresholds) if isinstance(thresholds, (int, np.integer)) else None
        if isinstance(thresholds, (int, np.integer)):
            if shape is not None or dtype is not None:
                raise OptionError(
                    "a number of thresholds takes shape and dtype from the samples in fit; "
                    "Thermometer.uniform(thresholds, shape, dtype) needs no samples"
                )
        elif shape is None or dtype is None:
            raise OptionError("lists of thresholds need the shape and dtype of a raw sample")
        else:
            self._set(thresholds, shape, dtype)

    def _set(self, thresholds: Sequence[npt.ArrayLike], shape: Sequence[int], dtype: str) -> None:
        """Take lists of thresholds, one per channel or feature."""
        if dtype not in FEATURE_DTYPES and not (self.types and dtype == WIDE):
            raise unknown_name("feature dtype", dtype, FEATURE_DTYPES)
        shape = tuple(int(n) for n in shape)
        if not shape or min(shape) < 1 or math.prod(shape) >= 1 << 31:
            raise ShapeError(
                f"a sample needs a shape of positive sizes with at most 2^31 - 1 features, got {shown(shape)}"
            )
        if self.types and len(self.types) != math.prod(shape):
            raise OptionError(f"{len(self.types)} feature types for samples of shape {shape}")
        kinds = self.types or (dtype,) * len(thresholds)
        lists = [
            _exact(np.asarray(t, np.float64), kinds[i] if i < len(kinds) else dtype, i)
            for i, t in enumerate(thresholds)
        ]
        is_image = len(shape) == 3
        wanted = _count_lists(shape)
        if len(lists) != wanted:
            what = "channels" if is_image else "features"
            raise ShapeError(f"samples of shape {shape} have {wanted} {what}, got {len(lists)} lists of thresholds")
        threshold = np.concatenate(lists)
        if len(threshold) == 0:
            raise OptionError("an encoder needs at least one threshold")
        feature = np.repeat(np.arange(wanted), [len(t) for t in lists])
        out_shape: tuple[int, ...] = (len(feature),)
        if is_image:
            if len({len(t) for t in lists}) != 1:
                raise ShapeError("the channels of an image need equally many thresholds")
            pixels = math.prod(shape[1:])
            feature = (feature[:, None] * pixels + np.arange(pixels)).ravel()
            threshold = np.repeat(threshold, pixels)
            out_shape = (*out_shape, *shape[1:])
        self.shape, self.dtype, self.out_shape = shape, dtype, out_shape
        self.register_buffer("feature", torch.from_numpy(feature.astype(np.int32)))
        self.register_buffer("threshold", torch.from_numpy(threshold))

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name in {"shape", "dtype", "out_shape", "feature", "threshold"}:
                raise NotFittedError(f"{self} has no thresholds yet: call fit(x) with training samples first") from None
            raise

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        # The kernel reads feature by feature without looking.
        feature, threshold = (state_dict.get(prefix + name) for name in ("feature", "threshold"))
        if "shape" in vars(self) and isinstance(feature, Tensor) and isinstance(threshold, Tensor):
            if feature.dtype != self.feature.dtype or threshold.dtype != self.threshold.dtype:
                raise FormatError(f"the state's thresholds are {feature.dtype} and {threshold.dtype}")
            if feature.numel() and bool(((feature < 0) | (feature >= math.prod(self.shape))).any()):
                raise FormatError(f"entry {prefix + 'feature'!r} of the state has features outside of a sample's shape")
            if not bool(torch.isfinite(threshold).all()):
                raise FormatError(f"entry {prefix + 'threshold'!r} of the state has numbers that are not finite")
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    @classmethod
    def uniform(
        cls,
        thresholds: int,
        shape: Sequence[int],
        dtype: str,
        *,
        low: float | None = None,
        high: float | None = None,
        binary: npt.ArrayLike | None = None,
    ) -> Self:
        """Thresholds that cut low..high into thresholds + 1 equal parts.

        Args:
            thresholds: Thresholds per channel or feature.
            shape: Shape of one raw sample.
            dtype: Type of the raw features.
            low: Least value; None for the dtype's (0 for float32).
            high: Greatest value; None for the dtype's (1 for float32).
            binary: bool [features]: features that are 0 or 1 and get the one threshold 1 (not for images).
        """
        bottom, top = (0.0, 1.0) if dtype == "float32" else feature_range(dtype)
        bottom, top = (
            bottom if low is None else FLOAT32.check("low", low),
            top if high is None else FLOAT32.check("high", high),
        )
        return cls(_with_binary(_uniform(thresholds, _count_lists(shape), bottom, top), binary), shape, dtype)

    @classmethod
    def quantile(cls, thresholds: int, x: npt.ArrayLike, *, binary: npt.ArrayLike | None = None) -> Self:
        """Thresholds at the quantiles i / (thresholds + 1) of training samples.

        A table's feature gets fewer where quantiles coincide or nothing lies below them; an image's channel takes the
        quantiles of its pixels above the least value, so that it keeps its number of thresholds.

        Args:
            thresholds: Thresholds per channel or feature, at most.
            x: Raw training samples [n, *shape].
            binary: bool [features]: features that are 0 or 1 and get the one threshold 1 (not for images).
        """
        return cls(thresholds, kind="quantile").fit(x, binary=binary)

    def fit(self, x: npt.ArrayLike, y: object = None, *, binary: npt.ArrayLike | None = None) -> Self:  # noqa: ARG002
        """Choose the thresholds, and take shape and dtype, from training samples.

        Args:
            x: Raw training samples [n, *shape].
            y: Not used; scikit-learn's pipelines pass it.
            binary: bool [features]: features that are 0 or 1 and get the one threshold 1 (not for images).

        Returns:
            The encoder itself.

        Raises:
            OptionError: The encoder was made with lists of thresholds.
        """
        if self.thresholds is None:
            raise OptionError(f"{self} was given its thresholds; to fit, give their number: Thermometer(thresholds=8)")
        samples = np.asarray(without_table(x))
        if samples.ndim < 2 or len(samples) == 0:
            raise ShapeError(f"expected samples [n, ...] with n >= 1, got shape {samples.shape}")
        if samples.dtype.name not in FEATURE_DTYPES:
            raise DtypeError(f"expected features of dtype {', '.join(FEATURE_DTYPES)}, got {samples.dtype}")
        if samples.dtype.kind == "f" and not np.isfinite(samples).all():
            raise DataError("the samples contain NaN or infinity; replace such values before choosing thresholds")
        shape = samples.shape[1:]
        if self.kind == "quantile":
            lists = _quantiles(self.thresholds, samples)
        else:
            low, high = float(samples.min()), float(samples.max())
            lists = _uniform(self.thresholds, _count_lists(shape), low, max(high, low + 1))
        self._set(_with_binary(lists, binary), shape, samples.dtype.name)
        return self

    def transform(self, x: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Encode raw samples [n, *shape] to bool [n, *out_shape]."""
        array = np.asarray(without_table(x))
        if array.dtype.name not in {*FEATURE_DTYPES, self.dtype}:
            raise DtypeError(f"expected samples of dtype {self.dtype}, got {array.dtype}")
        bits: npt.NDArray[np.bool_] = self(torch.from_numpy(np.ascontiguousarray(array))).unpack().numpy() != 0
        return np.ascontiguousarray(bits)

    @eager
    def forward(self, x: Tensor) -> BitTensor:
        """Encode raw samples (N, *shape) of the encoder's dtype to a `BitTensor` (N, *out_shape).

        Raises:
            ShapeError: The samples have another shape.
            DtypeError: They have another dtype.
            DataError: They contain NaN.
        """
        if tuple(x.shape[1:]) != self.shape or x.shape[0] == 0:
            empty = " of at least one sample" if x.shape[:1] == (0,) else ""
            sides = ", ".join(map(str, self.shape))
            raise ShapeError(f"expected samples (N, {sides}){empty}, got shape {tuple(x.shape)}")
        if x.dtype != getattr(torch, self.dtype):
            raise DtypeError(f"expected samples of dtype {self.dtype}, got {str(x.dtype).removeprefix('torch.')}")
        # Values cannot be read while launches are recorded as a CUDA graph; the steps before were checked.
        recorded = x.is_cuda and torch.cuda.is_current_stream_capturing()
        if x.is_floating_point() and not recorded and bool(torch.isnan(x).any()):
            raise DataError("the samples contain NaN; a missing value has no bits: replace it before encoding")
        flat = rows(x.to(torch.uint8) if x.dtype == torch.bool else x)
        return BitTensor(ops.threshold(flat, self.feature, self.threshold), (x.shape[0], *self.out_shape))

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        if "shape" not in vars(self):  # asking for it would raise with this very text
            return f"thresholds={self.thresholds}, kind={self.kind!r}"
        return f"{self.shape} {self.dtype} -> {self.out_shape}"


def _checked_count(thresholds: int) -> int:
    if thresholds < 1:
        raise OptionError(f"an encoder needs at least 1 threshold per feature, got {thresholds}")
    return COUNT.whole("thresholds", thresholds)


def _count_lists(shape: Sequence[int]) -> int:
    """Lists of thresholds for samples of this shape: one per channel of an image, else one per feature."""
    return shape[0] if len(shape) == 3 else math.prod(shape)


def _uniform(thresholds: int, lists: int, low: float, high: float) -> Lists:
    if not low < high:
        raise OptionError(f"uniform thresholds need low < high, got {low} and {high}")
    return [low + (high - low) * _steps(thresholds)] * lists


def _quantiles(thresholds: int, samples: npt.NDArray[Any]) -> Lists:
    steps, lists = _steps(thresholds), []
    if samples.ndim == 4:
        for pixels in samples.swapaxes(0, 1):
            above = pixels[pixels > pixels.min()]  # background would otherwise take most thresholds
            lists.append(np.quantile(above, steps, method="higher") if len(above) else pixels.min() + steps)
        return lists
    for column in samples.reshape(len(samples), -1).T:
        cut = np.unique(np.quantile(column, steps, method="higher"))
        above = cut[cut > column.min()]
        lists.append(above if len(above) else np.array([column.min() + 1.0]))
    return lists


def _steps(thresholds: int) -> npt.NDArray[np.float64]:
    return np.arange(1, _checked_count(thresholds) + 1) / (thresholds + 1)


def _with_binary(lists: Lists, binary: npt.ArrayLike | None) -> Lists:
    if binary is None:
        return lists
    mask = np.asarray(binary, bool)
    if mask.shape != (len(lists),):
        raise ShapeError(f"binary must have one entry for each of the {len(lists)} features, got shape {mask.shape}")
    return [np.ones(1) if is_binary else values for is_binary, values in zip(mask, lists, strict=True)]


def _exact(values: npt.NDArray[np.float64], dtype: str, index: int) -> npt.NDArray[np.float64]:
    if values.ndim != 1 or not np.isfinite(values).all():
        raise OptionError(f"thresholds {index} must be a list of finite numbers, got {values}")
    if np.any(np.diff(values) < 0):
        raise OptionError(f"thresholds {index} must be ascending, got {values}")
    if len(values) and not (FLOAT32.low <= values[0] and values[-1] <= FLOAT32.high):
        raise OptionError(
            f"thresholds {index} go from {values[0]:g} to {values[-1]:g}, expected numbers from {FLOAT32.low:g} to "
            f"{FLOAT32.high:g}"
        )
    return exact_thresholds(values, dtype)
