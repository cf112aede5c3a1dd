"""The temperature that makes probabilities of counts, fitted to rows that were not learned from."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

PRIOR = math.log(2)
"""Deviation of the logarithm of the best temperature from that of the rule, before any row is seen.

So a few rows, or rows that are all right, change little; with hundreds of rows it does not matter (docs/sklearn.md).
"""

_FURTHEST, _POINTS, _ROUNDS = math.log(64), 33, 4


def fitted_temperature(
    counts: npt.NDArray[np.int64], labels: npt.NDArray[np.int64], weight: npt.NDArray[np.float64], start: float
) -> float:
    """The likeliest temperature: that of least log loss, drawn towards the one of the rule as `PRIOR` says.

    Args:
        counts: int64 [rows, classes], counts of the classes.
        labels: int64 [rows], the classes.
        weight: float64 [rows], what each row counts.
        start: The temperature of the rule; returned where there are no rows, or all counts are equal.

    >>> counts = np.array([[9, 1], [8, 3], [1, 9], [6, 5]] * 25)
    >>> sure = fitted_temperature(counts, counts.argmax(1), np.ones(100), 2.0)
    >>> doubtful = fitted_temperature(counts, np.arange(100) % 2, np.ones(100), 2.0)
    >>> sure < 2 < doubtful
    True
    """
    if not len(counts) or (counts == counts[:, :1]).all():
        return start
    behind = (counts - counts.max(axis=1, keepdims=True)).astype(np.float64)
    own = behind[np.arange(len(counts)), labels]

    def loss(change: float) -> float:
        tau = start * math.exp(change)
        logs = np.log(np.exp(behind / tau).sum(axis=1)) - own / tau
        return float(weight @ logs) + (change / PRIOR) ** 2 / 2

    best, reach = 0.0, _FURTHEST
    for _ in range(_ROUNDS):
        best = min((best + change for change in np.linspace(-reach, reach, _POINTS).tolist()), key=loss)
        reach *= 4 / _POINTS
    return start * math.exp(best)
