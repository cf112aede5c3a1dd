"""Freezing layers while the others keep learning: the paper's adaptive discretization."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gatewright.learning.convergence import Convergence
from gatewright.learning.reduction import Reduce, alone
from gatewright.learning.state import MOST_STEPS, counts, entries, whole
from gatewright.nn import logic_layers
from gatewright.runtime.ranges import COUNT, COUNT_OR_NONE


class AdaptiveDiscretization:
    """Freeze the first unfrozen layer once its mean entropy has settled (arXiv 2602.05830, section 5).

    Call `step()` after `optimizer.step()`. It averages the entropies of all unfrozen layers from the first step on; from
    step `start` on, it freezes the first unfrozen layer if that has converged: at most one layer per step, and never the
    last.

    Example:
        >>> import gatewright as gw
        >>> from torch import nn
        >>> model = nn.Sequential(gw.LogicDense(8, 20), gw.LogicDense(20, 10), gw.GroupSum(2))
        >>> discretizer = gw.AdaptiveDiscretization(model, start=3, patience=2)
        >>> for _ in range(5):
        ...     discretizer.step()  # after each optimizer.step(); nothing changes here, so the first layer settles
        >>> discretizer.statistics
        {'frozen_at': [3, None]}

    Args:
        model: Any module that contains logic layers.
        start: First step (counted from 0) at which a layer may be frozen.
        patience: Steps in a row for which the entropy must stay near its average.
        decay: Weight of the past in the average.
        tolerance: How near is near.
        every: Steps between decisions: 1 in the paper; on a GPU a decision makes the host wait for the device.
        reduce: Averages over the processes that train together, if there are several.
    """

    observing = True
    """Whether `observe` does anything."""

    def __init__(
        self,
        model: nn.Module,
        *,
        start: int,
        patience: int = 100,
        decay: float = 0.99,
        tolerance: float = 5e-4,
        every: int = 1,
        reduce: Reduce = alone,
    ) -> None:
        COUNT.whole("every", every)
        COUNT_OR_NONE.whole("start", start)
        self.layers = logic_layers(model)
        self.steps = 0
        self.frozen_at: list[int | None] = [0 if layer.frozen else None for layer in self.layers]
        self.start = start
        self.every, self.reduce = every, reduce
        self.trackers = [Convergence(1, patience=patience, decay=decay, tolerance=tolerance) for _ in self.layers]

    def step(self) -> None:
        """Update the averages, and freeze the first unfrozen layer if it has settled."""
        self.observe()
        self.decide()

    @torch.no_grad()
    def observe(self) -> None:
        """Take the mean entropies of all layers that may still be frozen."""
        free = [i for i, layer in enumerate(self.layers[:-1]) if not layer.frozen]
        entropy = [self.layers[i].candidates.entropy().mean().reshape(1) for i in free]
        self.reduce(entropy)
        for i, h in zip(free, entropy, strict=True):
            self.trackers[i].update(h)

    def decide(self) -> None:
        """End the step: freeze the first unfrozen layer if it has settled."""
        first = next((i for i, layer in enumerate(self.layers[:-1]) if not layer.frozen), None)
        now = self.steps >= self.start and self.steps % self.every == 0
        if now and first is not None and bool(self.trackers[first].settled):
            self.layers[first].freeze()
            self.frozen_at[first] = self.steps
        self.steps += 1

    def remove(self) -> None:
        """Do nothing: nothing was attached to the layers."""

    @property
    def statistics(self) -> dict[str, list[int | None]]:
        """Per layer: the step at which it was frozen, or None."""
        return {"frozen_at": list(self.frozen_at)}

    def state_dict(self) -> dict[str, Any]:
        """Counters and trackers; which layers are frozen is in the model's own state."""
        return {
            "steps": self.steps,
            "frozen_at": list(self.frozen_at),
            "trackers": [tracker.state_dict() for tracker in self.trackers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.steps = whole(state, "steps", 0, MOST_STEPS)
        self.frozen_at = counts(state, "frozen_at", len(self.layers), none=True)
        for tracker, saved in zip(self.trackers, entries(state, "trackers", len(self.trackers)), strict=True):
            tracker.load_state_dict(saved)
