"""The rows that an estimator learns from: equal ones together, with what they count, some of it held out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Weights = npt.NDArray[np.float64]


class Rows(NamedTuple):
    """Different rows, in an order that does not depend on that of the table.

    A row that comes twice is a row that counts twice, so an estimator learns the same from either.

    Attributes:
        x: Features [rows, features].
        y: Classes, int64 [rows], or numbers, float64 [rows].
        weight: float64 [rows], what each counts; at least 1 where all did, so that it says how many rows it stands for.
    """

    x: Array
    y: Array
    weight: Weights


def merged_rows(x: Array, y: Array, weight: Weights) -> Rows:
    """Put equal rows of one class or number together.

    Args:
        x: Features [rows, features], without NaN.
        y: Classes, int64 [rows], or numbers, float64 [rows].
        weight: float64 [rows], what each counts, positive.
    """
    keys = np.column_stack([x.astype(np.float64) + 0.0, y.astype(np.float64)])  # -0 is 0
    _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    together = np.bincount(place.ravel(), weight, len(first))
    return Rows(np.ascontiguousarray(x[first]), y[first], together / min(1.0, float(together.min())))


def held_out_weight(
    labels: npt.NDArray[Any], share: float, random: np.random.RandomState, weight: Weights | None = None
) -> Weights:
    """What is held out of each row: a share of each class, drawn at random, of which at least a row's worth is left.

    Args:
        labels: Classes [rows], from 0.
        share: Share to hold out, 0 or more and less than 1.
        random: Draws the rows.
        weight: What each row counts; None for 1 each.

    Returns:
        float64 [rows], from 0 to the weight.
    """
    counts = np.ones(len(labels)) if weight is None else weight
    held_out = np.zeros(len(labels))
    for label in range(int(labels.max()) + 1):
        rows = random.permutation(np.flatnonzero(labels == label))
        total = float(counts[rows].sum())
        wanted = max(0.0, min(float(round(share * total)), total - 1))
        before = np.cumsum(counts[rows]) - counts[rows]
        held_out[rows] = np.clip(wanted - before, 0, counts[rows])
    return held_out


def fold_weights(labels: npt.NDArray[Any], folds: int, random: np.random.RandomState, weight: Weights) -> list[Weights]:
    """What is held out of each row in turn: about an equal share of each class, drawn at random.

    A row that counts like n usual ones of its class is dealt out like n rows, so others like it stay to be learned from;
    all others are held out as a whole.

    Args:
        labels: Classes [rows], from 0.
        folds: Parts.
        random: Draws the rows.
        weight: What each row counts.

    Returns:
        Per part that holds something out: float64 [rows], from 0 to the weight. Their sum is the weight.
    """
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    usual = np.array([np.median(weight[labels == label]) for label in labels])
    copies = np.maximum(1, np.round(weight / usual)).astype(np.int64)[order]
    last = np.cumsum(copies) - 1  # copies of all rows, numbered in this order, go to the parts by turns
    parts = []
    for fold in range(folds):
        here = (last - fold) // folds - (last - copies - fold) // folds
        part = np.empty(len(labels))
        part[order] = weight[order] * here / copies
        if part.any():
            parts.append(part)
    return parts
