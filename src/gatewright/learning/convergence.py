"""`Convergence`: whether a value has stayed near its exponential average for long enough."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatewright.errors import FormatError, OptionError, shown
from gatewright.learning.state import entry
from gatewright.runtime.ranges import COUNT, TOLERANCE


class Convergence:
    """Tracks values that count as converged once they stay near their own average.

    A value is near if `|h - EMA| < tolerance`, the average being updated with h first; it has converged after `patience`
    such steps in a row (arXiv 2602.05830, section 3).

    Args:
        size: How many values.
        patience: Steps in a row.
        decay: Weight of the past in the average.
        tolerance: How near is near.
    """

    def __init__(self, size: int, *, patience: int, decay: float, tolerance: float) -> None:
        COUNT.whole("patience", patience)
        if not 0 <= decay < 1:
            raise OptionError(f"decay must lie in [0, 1), got {decay}")
        TOLERANCE.check("tolerance", tolerance)
        self.patience, self.decay, self.tolerance = patience, decay, tolerance
        # NaN marks an average that has not begun: the next value starts it.
        self.average = torch.full((size,), torch.nan)
        self.calm = torch.zeros(size, dtype=torch.int32)

    def update(self, value: Tensor) -> Tensor:
        """Take the next values, float [size]; return `settled`."""
        if self.average.device != value.device:
            self.average, self.calm = self.average.to(value.device), self.calm.to(value.device)
        fresh = torch.isnan(self.average)
        # In place: a CUDA graph computes on the same memory each time.
        self.average.copy_(torch.where(fresh, value, self.decay * self.average + (1 - self.decay) * value))
        near = (value - self.average).abs() < self.tolerance
        self.calm.copy_(torch.where(near, self.calm + 1, 0))
        return self.settled

    @property
    def settled(self) -> Tensor:
        """Bool [size]: which have converged."""
        return self.calm >= self.patience

    def restart(self, where: Tensor) -> None:
        """Forget the past of these values, bool or index [size]."""
        self.average[where] = torch.nan
        self.calm[where] = 0

    def state_dict(self) -> dict[str, Any]:
        """The averages and counters."""
        return {"average": self.average.clone(), "calm": self.calm.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        for name, own in (("average", self.average), ("calm", self.calm)):
            given = entry(state, name)
            if not isinstance(given, Tensor) or given.shape != own.shape:
                found = tuple(given.shape) if isinstance(given, Tensor) else shown(given)
                raise FormatError(f"convergence entry {name!r} should have shape {tuple(own.shape)}, found {found}")
            if given.dtype != own.dtype:
                raise FormatError(f"convergence entry {name!r} should be {own.dtype}, found {given.dtype}")
        if bool(torch.isinf(state["average"]).any()) or bool((state["calm"] < 0).any()):
            raise FormatError("convergence entries have numbers that they cannot have")
        self.average.copy_(state["average"])
        self.calm.copy_(state["calm"])
