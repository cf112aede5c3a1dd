"""Sections of `connections`: how neurons find their inputs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from gatewright.runtime.schema import Choice
from gatewright.training.config.values import Count, Margin, Moment, Share, Tolerance, at_step
from gatewright.training.learners import Learner, LearnerOptions, Learning


class Connections(LearnerOptions):
    """Base of the ways of learning connections."""


CONNECTIONS: Choice[Connections] = Choice("kind", "resample")


@CONNECTIONS.register
class FixedConnections(Connections):
    """Candidates stay as they were drawn."""

    kind: Literal["fixed"]

    def build(self, learning: Learning) -> None:
        return None


@CONNECTIONS.register
class ResampledConnections(Connections):
    """The paper's adaptive resampling: converged neurons redraw their candidates.

    Attributes:
        kind: `resample`.
        patience: Steps in a row for which a neuron's entropy must be steady.
        decay: Of the entropy's moving average.
        tolerance: Greatest distance of a steady entropy from its average.
        strong: Best probability above which the best candidate is kept and the others are redrawn.
        weak: Best probability below which all are redrawn.
        stop: Moment after which nothing is redrawn.
    """

    kind: Literal["resample"]
    patience: Count = 100
    decay: Share = 0.99
    tolerance: Tolerance = 5e-4
    strong: Share = 0.95
    weak: Share = 0.4
    stop: Moment = 2 / 3

    def build(self, learning: Learning) -> Learner:
        from gatewright.learning import AdaptiveResampling

        return AdaptiveResampling(
            learning.model,
            learning.optimizer,
            **self.model_dump(exclude={"kind", "stop"}),
            every=learning.decision_steps,
            stop_step=at_step(self.stop, learning.steps),
            generator=learning.generator,
            reduce=learning.reduce,
        )


@CONNECTIONS.register
class GuidedConnections(Connections):
    """Gradient-guided proposals: the candidate that the gradient prefers replaces the least likely one.

    Attributes:
        kind: `guided`.
        every: Steps of a round.
        batches: Batches at its end over which the pairs on trial are judged.
        method: `pairs` tries random pairs, in the kernels of the candidate sums; `products` pairs a few anchors of each
            neuron with every input, in matrix products (for GPUs).
        trials: Pairs on trial per neuron and round, with `pairs`.
        inputs: Inputs tried per round, at most, with `products`.
        chance: Probability with which a neuron may take one of them, with `products`.
        replace: Candidates replaced per neuron and round, at most.
        margin: How far below the best logit a new candidate starts.
        share: Share of the neurons that may replace a candidate in a round.
        stop: Moment after which nothing is replaced.
    """

    kind: Literal["guided"]
    every: Count = 10
    batches: Count = 2
    method: Literal["pairs", "products"] = "pairs"
    trials: Count = 16
    inputs: Count = 1024
    chance: float = Field(default=0.1, gt=0, le=1)
    replace: Count = 1
    margin: Margin = 0.3
    share: float = Field(default=1.0, gt=0, le=1)
    stop: Moment = 2 / 3

    def build(self, learning: Learning) -> Learner:
        from gatewright.learning import GuidedProposals, ProductProposals

        shared: dict[str, Any] = {
            **self.model_dump(include={"every", "batches", "replace", "margin", "share"}),
            "stop_step": at_step(self.stop, learning.steps),
            "generator": learning.generator,
            "reduce": learning.reduce,
        }
        if self.method == "pairs":
            return GuidedProposals(learning.model, learning.optimizer, trials=self.trials, **shared)
        return ProductProposals(learning.model, learning.optimizer, inputs=self.inputs, chance=self.chance, **shared)
