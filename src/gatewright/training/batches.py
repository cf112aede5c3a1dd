"""Samples on their way into the network: chosen, augmented."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch

from gatewright.data import Split
from gatewright.errors import DataError

EVALUATION_BATCH = 1024
"""Samples evaluated at a time where no gradient is needed."""


class Feed:
    """One split of a data set, as batches on the training device.

    Args:
        split: Raw samples and labels.
        device: The training device.
        augment: Changes the raw images of `batch` (never those of `all`), or None.
        weight: What each sample counts, in batches and accuracies, float64 [n]; None for 1 each.

    Raises:
        DataError: The samples contain NaN.
    """

    def __init__(
        self,
        split: Split,
        device: torch.device,
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
        weight: npt.NDArray[np.float64] | None = None,
    ) -> None:
        self._augment = augment
        self.device = device
        self._x = torch.as_tensor(split.x).to(device)
        if self._x.is_floating_point() and bool(torch.isnan(self._x).any()):
            raise DataError("the samples contain NaN; a missing value has no bits: replace it before encoding")
        self.weight = None if weight is None else torch.as_tensor(weight, dtype=torch.float64, device=device)
        self._y = torch.as_tensor(split.y).to(device)

    def __len__(self) -> int:
        return len(self._x)

    @property
    def decisions(self) -> float:
        """Labels of all samples, one per sample or one per pixel: their number, or what they count together."""
        return self._y.numel() if self.weight is None else float(self.weight.sum())

    def batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Raw samples and labels at these indices, augmented."""
        indices = indices.to(self._x.device)
        x = self._x.index_select(0, indices)  # copies rows as a whole, which indexing does not
        if self._augment is not None:
            x = self._augment(x)
        return x, self._y[indices]

    def all(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Raw samples and labels of all samples in order, as they are, in parts."""
        for start in range(0, len(self), EVALUATION_BATCH):
            part = slice(start, start + EVALUATION_BATCH)
            yield self._x[part], self._y[part]
