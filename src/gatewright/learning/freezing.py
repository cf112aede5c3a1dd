"""Freezing layers while the rest goes on learning: adaptive (the paper's) and scheduled discretization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from gatewright.errors import OptionError
from gatewright.learning.convergence import Convergence
from gatewright.learning.reduction import Reduce, alone
from gatewright.nn import logic_layers


class _Freezer:
    """What both share: the layers, the step, and when each layer was frozen."""

    def __init__(self, model: nn.Module) -> None:
        self.layers = logic_layers(model)
        self.steps = 0
        self.frozen_at: list[int | None] = [0 if layer.frozen else None for layer in self.layers]

    def step(self) -> None:
        """Look at the layers, and freeze those whose time has come."""
        self.observe()
        self.decide()

    observing = False
    """Whether `observe` does anything."""

    def observe(self) -> None:
        """Take what is needed to decide."""

    def decide(self) -> None:
        """End the step."""
        raise NotImplementedError

    def _freeze(self, i: int) -> None:
        self.layers[i].freeze()
        self.frozen_at[i] = self.steps

    @property
    def statistics(self) -> dict[str, list[int | None]]:
        """Per layer: the step at which it was frozen, or None."""
        return {"frozen_at": list(self.frozen_at)}

    def state_dict(self) -> dict[str, Any]:
        """The counters; which layers are frozen is in the model's own state."""
        return {"steps": self.steps, "frozen_at": list(self.frozen_at)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.steps = state["steps"]
        self.frozen_at = list(state["frozen_at"])


class AdaptiveDiscretization(_Freezer):
    """Freeze the first unfrozen layer once its mean entropy has settled (arXiv 2602.05830, section 5).

    `step()` after `optimizer.step()`: averages of every unfrozen layer are kept from the first step on; from step `start`
    on, the first unfrozen layer is frozen if it has converged. At most one layer a step, and never the last.

    Example:
        >>> import gatewright as gw
        >>> from torch import nn
        >>> model = nn.Sequential(gw.LogicDense(8, 20), gw.LogicDense(20, 10), gw.GroupSum(2))
        >>> discretizer = gw.AdaptiveDiscretization(model, start=1000)
        >>> discretizer.step()  # after each optimizer.step()

    Args:
        model: Any module that contains logic layers.
        start: First step (counted from 0) at which a layer may be frozen.
        patience: Steps in a row for which the entropy must stay near its average.
        decay: Weight of the past in the average.
        tolerance: How near is near.
        every: Steps between decisions: 1 in the paper; on a GPU, asking costs more than waiting.
        reduce: Averages over the processes that train together, if there are several.
    """

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
        if every < 1:
            raise OptionError(f"every must be at least 1 step, got {every}")
        if start < 0:
            raise OptionError(f"start must be a step, got {start}")
        super().__init__(model)
        self.start = start
        self.every, self.reduce = every, reduce
        self.trackers = [Convergence(1, patience=patience, decay=decay, tolerance=tolerance) for _ in self.layers]

    observing = True

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
            self._freeze(first)
        self.steps += 1

    def state_dict(self) -> dict[str, Any]:
        """Counters and trackers; which layers are frozen is in the model's own state."""
        return {**super().state_dict(), "trackers": [tracker.state_dict() for tracker in self.trackers]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        super().load_state_dict(state)
        for tracker, saved in zip(self.trackers, state["trackers"], strict=True):
            tracker.load_state_dict(saved)


class ScheduledDiscretization(_Freezer):
    """Freeze layer i at step `steps[i]`.

    Args:
        model: Any module that contains logic layers.
        steps: One step per layer, first to last, ascending; fewer than layers leave the rest free.
    """

    def __init__(self, model: nn.Module, *, steps: Sequence[int]) -> None:
        super().__init__(model)
        if len(steps) > len(self.layers):
            raise OptionError(f"{len(steps)} freezing steps were given for {len(self.layers)} logic layers")
        if any(step < 0 for step in steps) or list(steps) != sorted(steps):
            raise OptionError(f"freezing steps must be ascending and not negative (first to last layer), got {steps}")
        self.schedule = [int(step) for step in steps]

    def decide(self) -> None:
        """End the step: freeze the layers whose step has come."""
        for i, (layer, when) in enumerate(zip(self.layers, self.schedule, strict=False)):
            if self.steps >= when and not layer.frozen:
                self._freeze(i)
        self.steps += 1
