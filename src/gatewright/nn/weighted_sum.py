"""(+) `WeightedSum`: a head in which every class weighs every bit with a small integer that is learned.

In a circuit a bit of weight w is counted abs(w) times, inverted if w is negative; neither costs a gate of the network, only
adders of the head. So few gates serve all classes (measured in docs/ablation.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.autograd import Function

from gatewright.errors import FormatError, OptionError, ShapeError
from gatewright.kernels import ops
from gatewright.nn.bit_tensor import BitTensor, holds_bits
from gatewright.nn.eager import eager
from gatewright.nn.int8_gradient import Int8Gradient
from gatewright.runtime.ranges import TEMPERATURE, WHOLE

DENSITY = 0.3
"""Share of nonzero weights that the rule for the temperature assumes."""


class _Weigh(Function):
    """Scores [C, N] = weight @ bits, with gradients for both; the bits count as 0 and 1."""

    @staticmethod
    def forward(ctx: Any, x: BitTensor, weight: Tensor) -> Tensor:
        words = x.words
        ctx.save_for_backward(words, weight)
        ctx.shape, ctx.unit = tuple(x.shape), x.unit
        scores: Tensor = ops.weigh(words, weight.to(torch.int8), x.shape[0])
        return scores

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        words, weight = ctx.saved_tensors
        grad = grads[0].contiguous()
        d_weight = ops.weight_sums(words, grad) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, d_weight
        if ctx.unit == 1:
            q, scale = ops.weigh_input(weight.to(torch.int8), grad)
            return Int8Gradient(q, scale, 1, ctx.shape), d_weight
        return (weight.T @ grad).T, d_weight


class _Round(Function):
    """Integers forward; the gradient passes, except where it would push a weight further out of range."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, limit: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.limit = limit
        return weight.clamp(-limit, limit).round()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        outward = (weight.abs() > ctx.limit) & (weight * grads[0] < 0)
        return grads[0].masked_fill(outward, 0), None


class WeightedSum(nn.Module):
    """Score of class k = sum over bits of `w[k, i] (x[i] - 1/2)`, divided by tau; w are integers in -limit..limit.

    The weights are learned straight-through (rounded forward, gradient to the real numbers behind them), as in networks of
    ternary weights. Halves are rounded down per class, so that scores are integers before the division. In eval mode a
    constant that depends on the weights alone is added to all scores: the circuit counts the same numbers, and counts
    must not be negative.

    Args:
        features: Number of bits F.
        classes: Number of classes C.
        limit: Greatest magnitude of a weight.
        tau: Temperature; None for `sqrt(0.3 F) / 2`, the rule of `GroupSum` where 0.3 of the weights are not 0.
        generator: Source of randomness; None for torch's default generator.

    Attributes:
        weight: Parameter float32 [C, F], the real numbers. They start within half a step of 1 for the bits of the class's
            own group, and of 0 for the others.

    >>> import torch
    >>> from gatewright import WeightedSum
    >>> head = WeightedSum(6, 2, limit=3)
    >>> head(torch.ones(5, 6)).shape
    torch.Size([5, 2])
    >>> head.whole()  # integer weights: first those of a group sum
    array([[1, 1, 1, 0, 0, 0],
           [0, 0, 0, 1, 1, 1]], dtype=int8)
    """

    def __init__(
        self,
        features: int,
        classes: int,
        *,
        limit: int = 1,
        tau: float | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        for name, value in {"features": features, "classes": classes, "limit": limit}.items():
            WHOLE.whole(name, value)
        if features < 1 or classes < 1 or not 1 <= limit <= 127:
            raise OptionError(
                f"WeightedSum needs positive features and classes and a limit in 1..127, got {features}, {classes}, {limit}"
            )
        self.features, self.classes, self.limit = features, classes, limit
        self.tau = self.rule(features) if tau is None else TEMPERATURE.check("tau", tau)
        own = torch.arange(features) * classes // features
        start = torch.rand(classes, features, generator=generator) - 0.5
        self.weight = nn.Parameter(start + nn.functional.one_hot(own, classes).T)

    @staticmethod
    def rule(features: int) -> float:
        """The temperature for this many independent bits."""
        return math.sqrt(DENSITY * features) / 2

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        weight = state_dict.get(prefix + "weight")
        if isinstance(weight, Tensor) and not bool(torch.isfinite(weight).all()):
            raise FormatError(f"entry {prefix + 'weight'!r} of the state has numbers that are not finite")
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def whole(self) -> npt.NDArray[np.int8]:
        """The weights as integers, int8 [C, F]."""
        return self._rounded().detach().to("cpu", torch.int8).numpy()

    def _rounded(self) -> Tensor:
        rounded: Tensor = _Round.apply(self.weight, self.limit)  # type: ignore[no-untyped-call]
        return rounded

    @eager
    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes) of bits or values (N, F).

        Raises:
            ShapeError: The input has another shape.
        """
        scores = self._balanced(x)
        if not self.training:
            scores = scores - self._lacking().min()
        return scores.T / self.tau

    def _balanced(self, x: Tensor) -> Tensor:
        """Sums [C, N] of `w (x - 1/2)`, rounded down."""
        if x.ndim != 2 or x.shape[1] != self.features:
            hint = "; put torch.nn.Flatten() before it" if x.ndim > 2 else ""
            raise ShapeError(f"{self} expects (N, {self.features}), got shape {tuple(x.shape)}{hint}")
        weight = self._rounded()
        if weight.dtype.itemsize < 4:  # sums of whole numbers need more digits
            weight = weight.float()
        if holds_bits(x):
            sums: Tensor = _Weigh.apply(x, weight)  # type: ignore[no-untyped-call]
        else:
            sums = weight.to(x.dtype) @ x.T
        half = weight.sum(1) / 2
        # Forward drops the fraction; the gradient is that of the half.
        half = half - (half - half.floor()).detach()
        return sums - half[:, None]

    def _lacking(self) -> Tensor:
        """[C], from counts to scores: w x = abs(w) (1 - x) - abs(w) where w < 0, and half the weights are subtracted."""
        weight = self._rounded().detach()
        return weight.clamp(max=0).sum(1) - (weight.sum(1) / 2).floor()

    def offsets(self) -> npt.NDArray[np.int64]:
        """int64 [C]: what to add to a class's count to get its score.

        The count is the sum of abs(w) over the bits that agree with the sign of their weights.
        """
        lacking = self._lacking().cpu()
        return (lacking - lacking.min()).to(torch.int64).numpy()

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        return f"{self.features}, {self.classes}, limit={self.limit}"
