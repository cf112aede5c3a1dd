"""Where a foreign comparison turns true, for features of each type."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.errors import unknown_name
from gatewright.features import FEATURE_DTYPES

Float64Array = npt.NDArray[np.float64]


def first_above(threshold: npt.ArrayLike, dtype: str, *, inclusive: bool, float32: bool) -> Float64Array:
    """The least value of a feature type that a library finds above a threshold: circuits compare by `feature >= value`.

    Args:
        threshold: float [...], the library's thresholds, none of them NaN.
        dtype: Type of the features, one of `gatewright.features.FEATURE_DTYPES`.
        inclusive: Whether a feature equal to the threshold counts as above it (`x >= t`; otherwise `x > t`).
        float32: Whether the library converts features to float32 first, which rounds large int32 features.

    Returns:
        float64 [...]; plus infinity where no finite value is above, minus infinity where all are.

    >>> first_above([0.5, 2.0], "uint8", inclusive=False, float32=True)
    array([1., 3.])
    """
    if dtype not in FEATURE_DTYPES:
        raise unknown_name("feature dtype", str(dtype), FEATURE_DTYPES)
    t = np.asarray(threshold, np.float64)
    if dtype == "float32":
        return _float32_above(t, inclusive=inclusive)
    if dtype != "int32" or not float32:
        return np.ceil(t) if inclusive else np.floor(t) + 1
    least = _float32_above(t, inclusive=inclusive)
    with np.errstate(over="ignore", invalid="ignore"):
        before = np.nextafter(least.astype(np.float32), np.float32(-np.inf)).astype(np.float64)
        # Whole numbers from the middle of two neighbouring floats on are rounded up; at the middle, to the even one.
        middle = before + (least - before) / 2
        first = np.ceil(middle)
        first += (first == middle) & (first.astype(np.float32) < least)
    return np.where(np.isfinite(least), first, least)


def _float32_above(t: Float64Array, *, inclusive: bool) -> Float64Array:
    """The least float32 above t."""
    with np.errstate(over="ignore"):
        nearest: npt.NDArray[Any] = t.astype(np.float32)
        above = nearest >= t if inclusive else nearest > t
        return np.where(above, nearest, np.nextafter(nearest, np.float32(np.inf))).astype(np.float64)
