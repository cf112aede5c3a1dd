"""From a config's options to the objects that learn connections and freeze layers."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from gatewright import learning
from gatewright.learning.reduction import Reduce, alone
from gatewright.training.config import (
    AdaptiveFreezing,
    GuidedConnections,
    ResampledConnections,
    RunConfig,
    at_step,
)

DECISION_STEPS = 10
"""Steps between redraws and freezes on a GPU, where each decision makes the host wait for it."""


class Learner(Protocol):
    """What is stepped after the optimizer: connection learning and discretization."""

    @property
    def statistics(self) -> dict[str, Any]:
        """Readable numbers: redraws, freezes, entropies."""

    @property
    def observing(self) -> bool:
        """Whether `observe` does anything at this step."""

    def observe(self) -> None:
        """Take what is needed of the state after one optimizer step; reads no values."""

    def decide(self) -> None:
        """End the step, and act."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a saved state."""


def build_learners(
    config: RunConfig,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    reduce: Reduce = alone,
) -> dict[str, Learner]:
    """The learners that the config asks for, in the order in which they are stepped."""
    steps = config.train.steps
    on_gpu = next(model.parameters()).device.type == "cuda"
    every = DECISION_STEPS if on_gpu else 1
    learners: dict[str, Learner] = {}
    match config.connections:
        case ResampledConnections() as c:
            learners["connections"] = learning.AdaptiveResampling(
                model,
                optimizer,
                patience=c.patience,
                decay=c.decay,
                tolerance=c.tolerance,
                strong=c.strong,
                weak=c.weak,
                every=every,
                stop_step=at_step(c.stop, steps),
                generator=generator,
                reduce=reduce,
            )
        case GuidedConnections() as c:
            shared: dict[str, Any] = {
                "every": c.every,
                "batches": c.batches,
                "replace": c.replace,
                "margin": c.margin,
                "share": c.share,
                "stop_step": at_step(c.stop, steps),
                "generator": generator,
                "reduce": reduce,
            }
            if c.method == "pairs":
                learners["connections"] = learning.GuidedProposals(model, optimizer, trials=c.trials, **shared)
            else:
                learners["connections"] = learning.ProductProposals(
                    model, optimizer, inputs=c.inputs, chance=c.chance, **shared
                )
    if isinstance(d := config.discretization, AdaptiveFreezing):
        learners["discretization"] = learning.AdaptiveDiscretization(
            model,
            start=at_step(d.start, steps),
            patience=d.patience,
            decay=d.decay,
            tolerance=d.tolerance,
            every=every,
            reduce=reduce,
        )
    return learners
