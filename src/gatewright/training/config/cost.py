"""Section `cost`: what gates add to the loss."""

from __future__ import annotations

from typing import Literal

from gatewright.runtime.schema import Section
from gatewright.training.config.values import Cost, Moment, at_step
from gatewright.training.learners import Learner, Learning


class CostOptions(Section):
    """The expected cost of the network's gates, as a term of the loss; see `gatewright.ExpectedCost`.

    Attributes:
        weight: What a thousand gates add to the loss; 0 for nothing.
        currency: `ops` (two-input gates, XOR as one) or `nand` (about two for AND and its like, four for XOR).
        ramp: Moment from which the weight is full; it rises from zero until then.
    """

    weight: Cost = 0.0
    currency: Literal["ops", "nand"] = "ops"
    ramp: Moment = 0.5

    def build(self, learning: Learning) -> Learner | None:
        """What is stepped after the optimizer, or None."""
        if not self.weight:
            return None
        from gatewright.learning import ExpectedCost

        ramp = at_step(self.ramp, learning.steps)
        return ExpectedCost(learning.model, weight=self.weight, currency=self.currency, ramp=ramp)
