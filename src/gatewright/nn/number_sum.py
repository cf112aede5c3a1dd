"""(+) `NumberSum`: a head that gives a number, the sum of bits weighed with small integers that are learned."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from gatewright.errors import OptionError
from gatewright.nn.eager import eager
from gatewright.nn.weighted_sum import WeightedSum

WEIGHT_LIMIT = 7
"""Greatest magnitude of a weight by default; of 1, 3, 7 and 15, see docs/sklearn.md."""


class NumberSum(WeightedSum):
    """A number per sample: the sum over bits of `w[i] (x[i] - 1/2)`, rounded down to a whole number, divided by tau.

    The weights are learned as those of `WeightedSum`. The number is the same in training and in eval mode, and exactly
    what the circuit gives, as tau is a power of two. It is meant for targets of mean 0 and variance 1.

    Args:
        features: Number of bits F.
        limit: Greatest magnitude of a weight.
        tau: Power of two that sums are divided by; None for that nearest to `3 sqrt(F)`.
        generator: Source of randomness; None for torch's default generator.

    Attributes:
        weight: Parameter float32 [1, F], the real numbers, which start within half a step of 1.

    Raises:
        OptionError: tau is no power of two (also as `WeightedSum`).

    >>> import torch
    >>> from gatewright.nn import NumberSum
    >>> NumberSum(6, tau=2)(torch.ones(5, 6))[0]  # six weights of 1
    tensor([1.5000], grad_fn=<SelectBackward0>)
    """

    def __init__(
        self,
        features: int,
        *,
        limit: int = WEIGHT_LIMIT,
        tau: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(features, 1, limit=limit, tau=tau, generator=generator)
        if math.frexp(self.tau)[0] != 0.5:
            raise OptionError(f"tau is {tau!r}, expected a power of two, so that numbers are exact")

    @staticmethod
    def rule(features: int) -> float:
        """The temperature for this many bits.

        The smaller the step of a weight beside the target's deviation, the finer the numbers, and the slower they learn.
        """
        return 2.0 ** round(math.log2(3 * math.sqrt(features)))

    @eager
    def forward(self, x: Tensor) -> Tensor:
        """Numbers (N, 1) of bits or values (N, F).

        Raises:
            ShapeError: The input has another shape.
        """
        return self._balanced(x).T / self.tau

    def base(self) -> float:
        """The number where the circuit counts 0."""
        return float(self._lacking()) / self.tau
