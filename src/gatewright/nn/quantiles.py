"""Thresholds for the features of a table: at quantiles of its rows, and cheap to compare with.

A comparator is a chain over the bits of a feature that ends where the threshold has only zeros left, so of all thresholds
near a quantile the one with the most zeros at its end is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.features import COARSE, EXACT, feature_range

Array = npt.NDArray[Any]

MOST_CODES = 64
"""Thresholds between the categories of one column; columns of more take quantiles, as numbers do."""

SLACK = 0.25
"""How far a threshold may be from its quantile, in shares of the distance between two quantiles.

Measured on Adult, see docs/sklearn.md.
"""


def table_thresholds(
    thresholds: int,
    x: Array,
    types: Sequence[str],
    *,
    weight: npt.NDArray[np.float64] | None = None,
    categories: npt.NDArray[np.bool_] | None = None,
    slack: float = SLACK,
) -> list[npt.NDArray[np.float64]]:
    """Thresholds for each feature of training rows, ascending; none for features that are the same in all rows.

    Features of few values have a threshold between any two of them.

    Args:
        thresholds: Thresholds per feature, at most.
        x: Rows [n, features] of types that hold the features' own, without NaN.
        types: Types of the features.
        weight: What each row counts, float64 [n]; None for 1 each.
        categories: Bool [features]: features that are codes of categories, which have up to `MOST_CODES` thresholds.
        slack: See `SLACK`.

    >>> x = np.arange(1000).reshape(-1, 1)
    >>> table_thresholds(3, x, ["uint10"])[0].tolist()
    [256.0, 512.0, 768.0]
    """
    each = np.ones(len(x)) if weight is None else weight
    lists = []
    for i, (column, kind) in enumerate(zip(x.T, types, strict=True)):
        values, place = np.unique(column.astype(np.float64), return_inverse=True)
        sizes = np.bincount(place, each, len(values)).astype(np.float64)
        values, sizes = values[sizes > 0], sizes[sizes > 0]
        most = max(thresholds, MOST_CODES) if categories is not None and categories[i] else thresholds
        lists.append(_thresholds_of(values, sizes, most, kind, slack))
    if not any(len(each) for each in lists):  # an encoder needs one
        lists[0] = np.array([feature_range(types[0])[1] if types[0] != "float32" else 0.0])
    return lists


def _thresholds_of(
    values: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64], most: int, kind: str, slack: float
) -> npt.NDArray[np.float64]:
    if len(values) < 2:
        return np.zeros(0)
    lower, upper = values[:-1], values[1:]
    if len(values) - 1 > most:
        below = np.cumsum(sizes) / sizes.sum()  # share of rows up to each value
        wanted = np.arange(1, most + 1) / (most + 1)
        last = len(values) - 1

        def at(share: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
            return np.clip(np.searchsorted(below, share - 1e-12), 0, last)

        reach = slack / (most + 1)
        middle = np.maximum(at(wanted), 1)
        first = np.minimum(at(wanted - reach), middle - 1)
        end = np.maximum(at(wanted + reach), middle)
        lower, upper = values[first], values[end]
    chosen = np.array([_simplest(a, b, kind) for a, b in zip(lower.tolist(), upper.tolist(), strict=True)])
    return np.unique(chosen[np.isfinite(chosen)])


def _simplest(low: float, high: float, kind: str) -> float:
    """The number above low, at most high, whose comparator is the cheapest; NaN if float64 has none that is exact."""
    if kind == "float32":
        if low < 0 <= high:
            return 0.0
        if high > 0:
            return _number(_roundest(_pattern(low), _pattern(high)))
        # What is compared with is the pattern above that of the magnitude.
        return -_number(_roundest(_pattern(high), _pattern(low)) - 1)
    found = _roundest(int(low), int(high))
    if abs(found) > EXACT and found % COARSE:
        return float("nan")
    return float(found)


def _roundest(low: int, high: int) -> int:
    """The whole number above low, at most high, with the most zeros at the end of its binary digits."""
    best = high
    for shift in range(1, 65):
        rounded = high >> shift << shift
        if rounded <= low:
            break
        best = rounded
    return best


def _pattern(value: float) -> int:
    return int(np.abs(np.float32(value)).view(np.uint32))


def _number(pattern: int) -> float:
    return float(np.uint32(pattern).view(np.float32))
