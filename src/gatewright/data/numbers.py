"""Numbers as targets: the scale that networks learn them on, and the line that makes numbers of counts."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gatewright.errors import DataError

FloatArray = npt.NDArray[np.float64]


class Scale(NamedTuple):
    """What numbers are shifted and divided by.

    Attributes:
        mean: Their mean.
        deviation: Their standard deviation, or 1 if all are equal.
    """

    mean: float
    deviation: float

    @classmethod
    def of(cls, y: FloatArray, weight: FloatArray | None = None) -> Scale:
        """The scale of these numbers.

        Args:
            y: float64 [n], at least one.
            weight: What each counts, float64 [n]; None for 1 each.

        Raises:
            DataError: They are so large or so close to each other that their deviation is no number.

        >>> Scale.of(np.array([1.0, 3.0]))
        Scale(mean=2.0, deviation=1.0)
        """
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(np.average(y, weights=weight))
            deviation = math.sqrt(float(np.average((y - mean) ** 2, weights=weight)))
        if not math.isfinite(deviation):
            raise DataError(f"y reaches from {y.min():g} to {y.max():g}, too far for its variance; scale it")
        if deviation and not 1e-30 < deviation < 1e30:
            raise DataError(f"y has standard deviation {deviation:g}, expected 1e-30 to 1e30; scale it")
        return cls(mean, deviation or 1.0)

    def standardized(self, y: FloatArray) -> npt.NDArray[np.float32]:
        """The numbers with mean 0 and variance 1."""
        return np.asarray((y - self.mean) / self.deviation, np.float32)


def fitted_line(
    counts: npt.NDArray[np.int64], y: FloatArray, weight: FloatArray | None = None
) -> tuple[float, float] | None:
    """Base and scale that make numbers of counts with the least squared error; the scale is a float32.

    Args:
        counts: int64 [n].
        y: float64 [n], the numbers.
        weight: What each counts, float64 [n]; None for 1 each.

    Returns:
        The two, or None if the counts say nothing of the numbers.

    >>> fitted_line(np.array([0, 1, 2]), np.array([5.0, 7.0, 9.0]))
    (5.0, 2.0)
    """
    x = counts.astype(np.float64)
    count, mean = float(np.average(x, weights=weight)), float(np.average(y, weights=weight))
    variance = float(np.average((x - count) ** 2, weights=weight))
    common = float(np.average((x - count) * (y - mean), weights=weight))
    scale = float(np.float32(common / variance)) if variance else 0.0
    return (mean - scale * count, scale) if scale else None
