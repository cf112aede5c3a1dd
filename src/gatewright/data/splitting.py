"""Rows into training, validation and test: by chance with a seed, by groups, or as a column says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.errors import DataError, OptionError, shown

Rows = npt.NDArray[np.int64]
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Shares:
    """How rows are split.

    Attributes:
        validation: Share of the rows that choices are made on.
        test: Share of the rows that are read once, at the end.
        seed: Of the draw; the same rows and seed give the same split.

    Raises:
        OptionError: The shares are not positive, or leave nothing to learn from.
    """

    validation: float = 0.1
    test: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.validation >= 0 and self.test >= 0 and self.validation + self.test < 1):
            raise OptionError(
                f"the shares of validation and test are {self.validation} and {self.test}, expected numbers of 0 or more "
                "that leave something to learn from"
            )


def split_rows(
    labels: npt.NDArray[np.int64], shares: Shares, groups: Sequence[Any] | None = None
) -> tuple[Rows, Rows, Rows]:
    """Draw the rows of train, validation and test, each class in its share.

    Args:
        labels: int64 [rows], classes.
        shares: How many.
        groups: Something for each row; rows with the same are in the same part. None if rows are independent.

    Returns:
        Indices of rows, ascending.

    Raises:
        DataError: There are fewer than three groups.

    >>> [len(part) for part in split_rows(np.repeat([0, 1], 50), Shares())]
    [70, 10, 20]
    """
    random = np.random.default_rng(shares.seed)
    part = np.zeros(len(labels), np.int64)
    if groups is not None:
        part = _by_group(labels, shares, np.asarray(groups, object), random)
    else:
        for label in np.unique(labels):
            rows = random.permutation(np.flatnonzero(labels == label))
            test = round(shares.test * len(rows))
            validation = min(round(shares.validation * len(rows)), max(0, len(rows) - 1 - test))
            test = min(test, len(rows) - 1)
            part[rows[:test]] = 2
            part[rows[test : test + validation]] = 1
    train, validation_rows, test_rows = (np.flatnonzero(part == i) for i in range(3))
    return train, validation_rows, test_rows


def _by_group(labels: npt.NDArray[np.int64], shares: Shares, groups: npt.NDArray[Any], random: Any) -> Rows:
    """Give each group, in random order, to the part that lacks most of what the group has."""
    names, group = np.unique([str(each) for each in groups], return_inverse=True)
    if len(names) < len(PARTS):
        raise DataError(f"there are {len(names)} groups, expected at least 3, for training, validation and test")
    has = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(has, (group, labels), 1)
    lacks = np.outer([1 - shares.validation - shares.test, shares.validation, shares.test], has.sum(axis=0))
    place = np.zeros(len(names), np.int64)
    for each in random.permutation(len(names)):
        share = lacks / np.maximum(np.array([[1.0]]), has.sum(axis=0))
        place[each] = int(np.argmax((share * has[each]).sum(axis=1)))
        lacks[place[each]] -= has[each]
    chosen: Rows = place[group]
    return chosen


def split_as_named(
    names: Sequence[Any], labels: npt.NDArray[np.int64], shares: Shares, column: str
) -> tuple[Rows, Rows, Rows]:
    """The split that a column names: `train`, `validation` and `test`; without validation, a share of train is drawn.

    Raises:
        DataError: A name is another, or there are no training rows.
    """
    texts = np.array([str(name).strip().lower() for name in names])
    wrong = np.flatnonzero(~np.isin(texts, PARTS))
    if len(wrong):
        raise DataError(
            f"column {column!r}, row {wrong[0]}: {shown(names[wrong[0]])}, expected one of {', '.join(PARTS)}"
        )
    train, validation, test = (np.flatnonzero(texts == part) for part in PARTS)
    if not len(train):
        raise DataError(f"column {column!r} names no row 'train'")
    if not len(validation) and shares.validation:
        first, second, _ = split_rows(labels[train], Shares(shares.validation, 0.0, shares.seed))
        train, validation = train[first], train[second]
    return train, validation, test
