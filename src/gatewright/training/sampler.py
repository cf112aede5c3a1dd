"""The order in which training samples come."""

from __future__ import annotations

from typing import Any

import torch

from gatewright.errors import FormatError, OptionError, shown
from gatewright.learning.state import entry, whole

_LONGEST = 1 << 24
"""Samples of an epoch where weights say their number."""


class DataOrder:
    """Endless batches of sample indices: a fresh permutation each epoch, the incomplete last batch left out.

    Args:
        samples: Number of training samples.
        batch: Samples per batch; more than there are means all of them.
        generator: The run's generator; one permutation is drawn from it each epoch, on its device.
        weight: How often each sample comes, relative to the others, float64 [samples]; None for once an epoch. An epoch
            then has as many samples as the weights say together.
    """

    def __init__(
        self, samples: int, batch: int, generator: torch.Generator, weight: torch.Tensor | None = None
    ) -> None:
        if samples < 1:
            raise OptionError("there are no training samples")
        self._weight = None if weight is None else weight.to(generator.device).cumsum(0)
        self._samples = samples if self._weight is None else max(1, min(_LONGEST, round(float(self._weight[-1]))))
        self.batch = min(batch, self._samples)
        self._generator = generator
        self._order = torch.empty(0, dtype=torch.int64, device=generator.device)
        self._position = 0

    def next(self) -> torch.Tensor:
        """int64 [batch]: the indices of the next batch's samples."""
        if self._position + self.batch > len(self._order):
            order = torch.randperm(self._samples, generator=self._generator, device=self._generator.device)
            self._order = order if self._weight is None else self._drawn(self._weight, order)
            self._position = 0
        indices = self._order[self._position : self._position + self.batch]
        self._position += self.batch
        return indices

    def _drawn(self, total: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        """Each sample as often as its weight says, rounded up or down by chance, in this order."""
        device = self._generator.device
        start = torch.rand((), dtype=torch.float64, generator=self._generator, device=device)
        at = (order + start) * (total[-1] / self._samples)
        return torch.searchsorted(total, at, right=True).clamp_(max=len(total) - 1)

    def state_dict(self) -> dict[str, Any]:
        """The current epoch's permutation and the place in it; the generator is the run's to save."""
        return {"order": self._order, "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a saved place.

        Raises:
            FormatError: The state is none, or belongs to another number of samples.
        """
        order = entry(state, "order")
        if not isinstance(order, torch.Tensor) or order.dtype != torch.int64 or order.ndim != 1:
            raise FormatError(f"the data order is {shown(order)}, expected a list of whole numbers")
        if len(order) not in {0, self._samples}:
            raise FormatError(f"the data order is of {len(order)} samples, but there are {self._samples}")
        if (
            self._weight is None
            and len(order)
            and not torch.equal(order.sort().values, torch.arange(len(order), device=order.device))
        ):
            raise FormatError(f"the data order does not take each of the {self._samples} samples once")
        self._order = order.to(self._generator.device)
        self._position = whole(state, "position", 0, len(order))

    def check_step(self, step: int) -> None:
        """Check that the place is the one after so many batches.

        Raises:
            FormatError: It is another.
        """
        expected = ((step - 1) % (self._samples // self.batch) + 1) * self.batch if step else 0
        if self._position != expected:
            raise FormatError(f"the data order is at sample {self._position}, but at {expected} after {step} steps")
