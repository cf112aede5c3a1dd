"""Thermometer encoding: raw features to bits, bit i = feature >= threshold i.

Thresholds are in the units of the raw features and exact in their type, so the encoder of the circuit compares just like
this module does. Images (C, H, W) have T thresholds per channel and become (C * T, H, W), channel `c * T + t`; other
samples have a list of thresholds per feature and become (bits,), feature by feature, thresholds ascending.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from gatewright.circuit.circuit import Encoder
from gatewright.errors import DataError, DtypeError, OptionError, ShapeError, unknown_name
from gatewright.features import FEATURE_DTYPES, exact_thresholds, feature_range
from gatewright.kernels import ops
from gatewright.nn.bit_tensor import BitTensor, rows

KINDS: tuple[str, ...] = ("uniform", "quantile")


class Thermometer(nn.Module):
    """Thresholds raw features into bits.

    Args:
        thresholds: One ascending list per channel (images) or per feature (other samples). Images need lists of one
            length. For integer features they are rounded up to whole numbers (`x >= t` stays the same), for float32
            features to the nearest float32.
        shape: Shape of one raw sample: (C, H, W) is an image, anything else is flattened.
        dtype: Type of the raw features: bool, uint8, int16, int32 or float32.

    Attributes:
        shape: As given.
        out_shape: Shape of an encoded sample.
        dtype: As given.
    """

    feature: Tensor
    threshold: Tensor

    def __init__(self, thresholds: Sequence[npt.ArrayLike], shape: Sequence[int], dtype: str) -> None:
        super().__init__()
        if dtype not in FEATURE_DTYPES:
            raise unknown_name("feature dtype", dtype, FEATURE_DTYPES)
        self.shape = tuple(int(n) for n in shape)
        self.dtype = dtype
        if not self.shape or min(self.shape) < 1:
            raise ShapeError(f"a sample needs a shape of positive sizes, got {self.shape}")
        lists = [_exact(np.asarray(t, np.float64), dtype, i) for i, t in enumerate(thresholds)]
        wanted = self.shape[0] if self._is_image else math.prod(self.shape)
        if len(lists) != wanted:
            what = "channels" if self._is_image else "features"
            raise ShapeError(
                f"samples of shape {self.shape} have {wanted} {what}, got {len(lists)} lists of thresholds"
            )
        if self._is_image:
            count = {len(t) for t in lists}
            if len(count) != 1:
                raise ShapeError("the channels of an image need equally many thresholds")
            _, height, width = self.shape
            pixels = np.arange(math.prod(self.shape)).reshape(self.shape)
            feature = np.concatenate([np.tile(pixels[c].ravel(), len(t)) for c, t in enumerate(lists)])
            threshold = np.concatenate([np.repeat(t, height * width) for t in lists])
            self.out_shape: tuple[int, ...] = (sum(len(t) for t in lists), height, width)
        else:
            feature = np.concatenate([np.full(len(t), i) for i, t in enumerate(lists)])
            threshold = np.concatenate(lists)
            self.out_shape = (len(feature),)
        if len(feature) == 0:
            raise OptionError("an encoder needs at least one threshold")
        self.register_buffer("feature", torch.from_numpy(feature.astype(np.int32)))
        self.register_buffer("threshold", torch.from_numpy(threshold.astype(np.float64)))

    @property
    def _is_image(self) -> bool:
        return len(self.shape) == 3

    @classmethod
    def uniform(
        cls,
        bits: int,
        shape: Sequence[int],
        dtype: str,
        *,
        low: float | None = None,
        high: float | None = None,
        binary: npt.ArrayLike | None = None,
    ) -> Self:
        """Thresholds that cut low..high into bits + 1 equal parts.

        Args:
            bits: Thresholds per channel or feature.
            shape: Shape of one raw sample.
            dtype: Type of the raw features.
            low: Least value; None for the dtype's (0 for float32).
            high: Greatest value; None for the dtype's (1 for float32).
            binary: bool [features]: features that are 0 or 1 and get the one threshold 1 (not for images).
        """
        bottom, top = (0.0, 1.0) if dtype == "float32" else feature_range(dtype)
        bottom, top = bottom if low is None else low, top if high is None else high
        if not bottom < top:
            raise OptionError(f"uniform thresholds need low < high, got {bottom} and {top}")
        steps = np.arange(1, _checked_bits(bits) + 1) / (bits + 1)
        count = shape[0] if len(shape) == 3 else math.prod(shape)
        return cls(_with_binary([bottom + (top - bottom) * steps] * count, binary), shape, dtype)

    @classmethod
    def quantile(cls, bits: int, x: npt.ArrayLike, *, binary: npt.ArrayLike | None = None) -> Self:
        """Thresholds at the quantiles i / (bits + 1) of training samples.

        A table's feature gets fewer where quantiles coincide or nothing lies below them; an image's channel takes the
        quantiles of its distinct pixel values' range that do separate pixels, so that it keeps its number of bits.

        Args:
            bits: Thresholds per channel or feature, at most.
            x: Raw training samples [n, *shape].
            binary: bool [features]: features that are 0 or 1 and get the one threshold 1 (not for images).
        """
        samples = np.asarray(x)
        if samples.ndim < 2 or len(samples) == 0:
            raise ShapeError(f"expected samples [n, ...] with n >= 1, got shape {samples.shape}")
        _check_values(samples)
        shape, dtype = samples.shape[1:], samples.dtype.name
        steps = np.arange(1, _checked_bits(bits) + 1) / (bits + 1)
        if len(shape) == 3:
            lists = [_spread_quantiles(samples[:, c], steps) for c in range(shape[0])]
        else:
            columns = samples.reshape(len(samples), -1)
            lists = []
            for i in range(columns.shape[1]):
                cut = np.unique(np.quantile(columns[:, i], steps, method="higher"))
                low = columns[:, i].min()
                lists.append(cut[cut > low] if (cut > low).any() else np.array([low + 1.0]))
        return cls(_with_binary(lists, binary), shape, dtype)

    @classmethod
    def fit(cls, x: npt.ArrayLike, *, bits: int, kind: str = "quantile", binary: npt.ArrayLike | None = None) -> Self:
        """Choose thresholds from training samples.

        Args:
            x: Raw training samples [n, *shape].
            bits: Thresholds per channel or feature.
            kind: "uniform" (over the samples' range) or "quantile".
            binary: bool [features]: features that are 0 or 1.
        """
        if kind not in KINDS:
            raise unknown_name("kind of thresholds", str(kind), KINDS)
        if kind == "quantile":
            return cls.quantile(bits, x, binary=binary)
        samples = np.asarray(x)
        _check_values(samples)
        low, high = float(samples.min()), float(samples.max())
        return cls.uniform(bits, samples.shape[1:], samples.dtype.name, low=low, high=max(high, low + 1), binary=binary)

    def transform(self, x: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Encode raw samples [n, *shape] to bool [n, *out_shape]."""
        array = np.asarray(x)
        if array.dtype.name not in FEATURE_DTYPES:
            raise DtypeError(f"expected samples of dtype {self.dtype}, got {array.dtype}")
        bits: npt.NDArray[np.bool_] = self(torch.from_numpy(np.ascontiguousarray(array))).unpack().numpy() != 0
        return np.ascontiguousarray(bits)

    def forward(self, x: Tensor) -> BitTensor:
        """Encode raw samples (N, *shape) of the encoder's dtype to a `BitTensor` (N, *out_shape).

        Raises:
            ShapeError: The samples have another shape.
            DtypeError: They have another dtype.
            DataError: They contain NaN.
        """
        if tuple(x.shape[1:]) != self.shape or x.shape[0] == 0:
            raise ShapeError(f"expected samples (N, {', '.join(map(str, self.shape))}), got shape {tuple(x.shape)}")
        if x.dtype != getattr(torch, self.dtype):
            raise DtypeError(f"expected samples of dtype {self.dtype}, got {str(x.dtype).removeprefix('torch.')}")
        if x.dtype == torch.float32 and not _recorded(x) and bool(torch.isnan(x).any()):
            raise DataError("the samples contain NaN; a missing value has no bits: replace it before encoding")
        flat = rows(x.to(torch.uint8) if x.dtype == torch.bool else x)
        return BitTensor(ops.threshold(flat, self.feature, self.threshold), (x.shape[0], *self.out_shape))

    def to_encoder(self, feature_names: Sequence[str] = ()) -> Encoder:
        """The same encoder as part of a circuit."""
        return Encoder(
            self.feature.cpu().numpy(), self.threshold.cpu().numpy(), self.shape, self.dtype, tuple(feature_names)
        )

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        return f"{self.shape} {self.dtype} -> {self.out_shape}"


def _checked_bits(bits: int) -> int:
    if bits < 1:
        raise OptionError(f"an encoder needs at least 1 threshold per feature, got {bits}")
    return bits


def _check_values(samples: npt.NDArray[Any]) -> None:
    if samples.dtype.name not in FEATURE_DTYPES:
        raise DtypeError(f"expected features of dtype {', '.join(FEATURE_DTYPES)}, got {samples.dtype}")
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise DataError("the samples contain NaN or infinity; replace such values before choosing thresholds")


def _with_binary(lists: list[npt.NDArray[Any]], binary: npt.ArrayLike | None) -> list[npt.NDArray[Any]]:
    if binary is None:
        return lists
    mask = np.asarray(binary, bool)
    if mask.shape != (len(lists),):
        raise ShapeError(f"binary must have one entry for each of the {len(lists)} features, got shape {mask.shape}")
    return [np.ones(1) if is_binary else values for is_binary, values in zip(mask, lists, strict=True)]


def _recorded(x: Tensor) -> bool:
    """Whether launches are being recorded as a CUDA graph, where nothing can be asked (a few steps were before)."""
    return x.is_cuda and torch.cuda.is_current_stream_capturing()


def _exact(values: npt.NDArray[np.float64], dtype: str, index: int) -> npt.NDArray[np.float64]:
    if values.ndim != 1 or not np.isfinite(values).all():
        raise OptionError(f"thresholds {index} must be a list of finite numbers, got {values}")
    if np.any(np.diff(values) < 0):
        raise OptionError(f"thresholds {index} must be ascending, got {values}")
    return exact_thresholds(values, dtype)


def _spread_quantiles(pixels: npt.NDArray[Any], steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Quantiles of the pixels that differ from the least value (background would otherwise take most thresholds)."""
    flat = pixels.ravel()
    above = flat[flat > flat.min()]
    if len(above) == 0:
        return np.asarray(flat.min() + steps, np.float64)
    return np.asarray(np.quantile(above, steps, method="higher"), np.float64)
