"""`Unsharing`: how a trainer goes on once the positions of convolutions have gates of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch

from gatewright.nn import unshare
from gatewright.training.learners import Learner

Equipment = tuple[torch.optim.Optimizer, dict[str, Learner]]
"""An optimizer, and what is stepped after it."""

KEPT = ("steps", "proposed", "strong_redraws", "weak_redraws", "frozen_at", "entropy")
"""Entries of learners' states that count from the start of the run, or of layers whatever their size."""


class Unsharing(NamedTuple):
    """When convolutions are unshared, and what then trains the network.

    Attributes:
        step: The first step with gates of their own.
        equip: Makes an optimizer and learners for the network as it is.
    """

    step: int
    equip: Callable[[], Equipment]

    def begin(
        self, model: torch.nn.Module, x: torch.Tensor, before: torch.optim.Optimizer, learners: Mapping[str, Learner]
    ) -> Equipment:
        """Unshare the convolutions, and equip the network anew.

        Moments of parameters that stay are kept; those of the new ones start from zero. Learners keep what they counted,
        and forget what they measured of single neurons.

        Args:
            model: The network.
            x: A raw sample or more.
            before: Its optimizer so far.
            learners: Its learners so far.
        """
        kept = {
            name: {key: value for key, value in learner.state_dict().items() if key in KEPT}
            for name, learner in learners.items()
        }
        for learner in learners.values():
            learner.remove()
        unshare(model, x)
        optimizer, new = self.equip()
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter in before.state:
                    optimizer.state[parameter] = before.state[parameter]
        for name, learner in new.items():
            learner.load_state_dict({**learner.state_dict(), **kept[name]})
        return optimizer, new
