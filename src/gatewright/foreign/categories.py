"""Nodes of trees that ask for categories: where on the line of a feature's values the answer changes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]


def flips(intervals: Iterable[tuple[float, float]], *, inside_right: bool) -> Float64Array:
    """The values at which a node's answer changes between left and right, float64, ascending.

    A feature goes right if it is at least an odd number of them.

    Args:
        intervals: Disjoint, each from its first value to the one behind its last.
        inside_right: Whether features in an interval go right and all others left; otherwise the reverse.

    >>> flips([(1, 2), (2, 3), (7, 8)], inside_right=True)
    array([1., 3., 7., 8.])
    """
    ends = np.array(list(intervals), np.float64).ravel()
    values, times = np.unique(np.append(ends, [] if inside_right else [-np.inf]), return_counts=True)
    return np.asarray(values[times % 2 == 1], np.float64)


def exactly(value: float) -> tuple[float, float]:
    """The interval of one value."""
    return value, float(np.nextafter(value, np.inf))
