"""Sections of `discretization`: when layers are frozen while the rest of the network continues to learn."""

from __future__ import annotations

from typing import Literal

from gatewright.runtime.schema import Choice
from gatewright.training.config.values import Count, Moment, Share, Tolerance, at_step
from gatewright.training.learners import Learner, LearnerOptions, Learning


class Freezing(LearnerOptions):
    """Base of the ways of freezing layers."""


FREEZING: Choice[Freezing] = Choice("kind", "none")


@FREEZING.register
class AdaptiveFreezing(Freezing):
    """The paper's adaptive discretization: a layer is frozen once its mean entropy has converged.

    Attributes:
        kind: `adaptive`.
        start: Moment from which layers may be frozen.
        patience: Steps in a row for which a layer's mean entropy must be steady.
        decay: Of the entropy's moving average.
        tolerance: Greatest distance of a steady entropy from its average.
    """

    kind: Literal["adaptive"]
    start: Moment = 2 / 3
    patience: Count = 100
    decay: Share = 0.99
    tolerance: Tolerance = 5e-4

    def build(self, learning: Learning) -> Learner:
        from gatewright.learning import AdaptiveDiscretization

        return AdaptiveDiscretization(
            learning.model,
            **self.model_dump(exclude={"kind", "start"}),
            start=at_step(self.start, learning.steps),
            every=learning.decision_steps,
            reduce=learning.reduce,
        )


@FREEZING.register
class NoFreezing(Freezing):
    """No layer is frozen while the network learns; it is discretized at the end."""

    kind: Literal["none"]

    def build(self, learning: Learning) -> None:
        return None
