"""Which class was taken for which, and what a field reads from that: accuracy, sensitivity, precision, F1, IoU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from gatewright.errors import DataError, ShapeError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of decisions.

    A figure of a class that has no say in it (the precision of a class that is never predicted, say) is NaN.

    Attributes:
        counts: int64 [classes, classes]; row: the true class, column: the class decided for.
    """

    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, truth: npt.ArrayLike, decided: npt.ArrayLike, classes: int) -> Confusion:
        """Count decisions.

        Args:
            truth: Class indices of any shape: one per sample, or one per pixel.
            decided: Class indices of the same shape.
            classes: Number of classes.

        Raises:
            ShapeError: The shapes differ.
            DataError: An index is out of range.
        """
        y, p = np.asarray(truth), np.asarray(decided)
        if y.shape != p.shape:
            raise ShapeError(f"{p.shape} decisions for labels of shape {y.shape}")
        for name, indices in (("label", y), ("decision", p)):
            if indices.size and not 0 <= indices.min() <= indices.max() < classes:
                raise DataError(
                    f"a {name} is out of range: {indices.min()}..{indices.max()}, expected 0..{classes - 1}"
                )
        pairs = y.ravel().astype(np.int64) * classes + p.ravel().astype(np.int64)
        return cls(np.bincount(pairs, minlength=classes * classes).reshape(classes, classes).astype(np.int64))

    @property
    def correct(self) -> int:
        """Decisions that were right."""
        return int(np.trace(self.counts))

    @property
    def total(self) -> int:
        """All decisions."""
        return int(self.counts.sum())

    figure: ClassVar[Literal["accuracy"]] = "accuracy"
    """What `merit` is."""

    @property
    def merit(self) -> float:
        """The accuracy."""
        return self.accuracy

    @property
    def accuracy(self) -> float:
        """Share of decisions that were right, 0 to 1; NaN if there were none."""
        return self.correct / self.total if self.total else float("nan")

    @property
    def sensitivity(self) -> FloatArray:
        """float64 [classes]: of a class's samples, the share that was found (recall)."""
        return self._share(self.counts.sum(axis=1))

    @property
    def precision(self) -> FloatArray:
        """float64 [classes]: of the decisions for a class, the share that was right (positive predictivity)."""
        return self._share(self.counts.sum(axis=0))

    @property
    def f1(self) -> FloatArray:
        """float64 [classes]: harmonic mean of sensitivity and precision."""
        return self._share((self.counts.sum(axis=0) + self.counts.sum(axis=1)) / 2)

    @property
    def iou(self) -> FloatArray:
        """float64 [classes]: intersection over union of where a class is and where it was decided for."""
        return self._share(self.counts.sum(axis=0) + self.counts.sum(axis=1) - np.diag(self.counts))

    @property
    def mean_iou(self) -> float:
        """Mean of `iou` over the classes that occur (mIoU); NaN if none does."""
        iou = self.iou
        return float(np.nanmean(iou)) if not np.isnan(iou).all() else float("nan")

    def _share(self, of: npt.NDArray[Any]) -> FloatArray:
        right = np.diag(self.counts).astype(np.float64)
        shares: FloatArray = np.divide(right, of, out=np.full(len(right), np.nan), where=of > 0)
        return shares

    def by_class(self, class_names: Sequence[str]) -> dict[str, dict[str, int | float | None]]:
        """Per class: its samples, sensitivity, precision and F1, as plain values (None for NaN)."""
        figures = {"sensitivity": self.sensitivity, "precision": self.precision, "f1": self.f1}
        return {
            name: {
                "samples": int(self.counts[k].sum()),
                **{figure: None if np.isnan(v[k]) else float(v[k]) for figure, v in figures.items()},
            }
            for k, name in enumerate(class_names)
        }
