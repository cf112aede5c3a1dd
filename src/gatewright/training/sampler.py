"""The order in which training samples come."""

from __future__ import annotations

from typing import Any

import torch

from gatewright.errors import OptionError


class DataOrder:
    """Endless batches of sample indices: a fresh permutation each epoch, the incomplete last batch left out.

    Args:
        samples: Number of training samples.
        batch: Samples per batch; more than there are means all of them.
        generator: The run's generator; one permutation is drawn from it each epoch, on its device.
    """

    def __init__(self, samples: int, batch: int, generator: torch.Generator) -> None:
        if samples < 1:
            raise OptionError("there are no training samples")
        self.batch = min(batch, samples)
        self._samples = samples
        self._generator = generator
        self._order = torch.empty(0, dtype=torch.int64, device=generator.device)
        self._position = 0

    def next(self) -> torch.Tensor:
        """int64 [batch]: the indices of the next batch's samples."""
        if self._position + self.batch > len(self._order):
            self._order = torch.randperm(self._samples, generator=self._generator, device=self._generator.device)
            self._position = 0
        indices = self._order[self._position : self._position + self.batch]
        self._position += self.batch
        return indices

    def state_dict(self) -> dict[str, Any]:
        """The current epoch's permutation and the place in it; the generator is the run's to save."""
        return {"order": self._order, "position": self._position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a saved place.

        Raises:
            OptionError: The state belongs to another number of samples.
        """
        if len(state["order"]) not in {0, self._samples}:
            raise OptionError(f"the data order is of {len(state['order'])} samples, but there are {self._samples}")
        self._order, self._position = state["order"].to(self._generator.device), int(state["position"])
