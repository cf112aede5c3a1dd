"""`GroupSum` and `PixelGroupSum`: bits to class scores, of a sample or at each of its pixels."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from gatewright.errors import OptionError, ShapeError
from gatewright.kernels import ops
from gatewright.nn.bit_tensor import BitTensor, holds_bits, rows
from gatewright.nn.eager import eager
from gatewright.nn.int8_gradient import Int8Gradient
from gatewright.runtime.ranges import TEMPERATURE, WHOLE


def default_tau(group_size: int) -> float:
    """The temperature used where none is given: sqrt(group size) / 2.

    A count of G fair, independent bits has standard deviation sqrt(G) / 2, so scores start with unit deviation whatever
    the group size. The paper's hand-tuned values lie within a factor of two of it (appendix of arXiv 2602.05830).
    """
    return math.sqrt(group_size) / 2


class _Count(Function):
    """Counts (N, classes, ...) of packed bits (N, F, ...), whose rows are first brought into the order of the groups."""

    @staticmethod
    def forward(ctx: Any, x: BitTensor, classes: int) -> Tensor:
        ctx.shape, ctx.unit = tuple(x.shape), x.unit
        n, features, *places = x.shape
        ctx.group = features // classes
        words = x.words
        words = words.view(classes, ctx.group, -1, words.shape[1]).transpose(1, 2).reshape(words.shape)
        counts: Tensor = ops.group_count(words, classes * math.prod(places), n)
        return counts.view(classes, *places, n).movedim(-1, 0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        if ctx.unit == 1 and len(ctx.shape) == 2:  # all bits of a class have the same gradient
            return Int8Gradient.of(rows(grads[0])[:, None], ctx.group, ctx.shape), None
        return grads[0].movedim(0, -1).contiguous().repeat_interleave(ctx.group, 0).movedim(-1, 0), None


class GroupSum(nn.Module):
    """Score of class k = number of true bits in the k-th of `classes` equal groups, divided by tau.

    Args:
        classes: Number of classes.
        tau: Temperature; None for `default_tau` of the group size.

    >>> import torch
    >>> from gatewright import GroupSum
    >>> GroupSum(2, tau=1)(torch.tensor([[1.0, 1, 0, 0, 0, 1]]))  # classes of three bits each
    tensor([[2., 1.]])
    """

    def __init__(self, classes: int, *, tau: float | None = None) -> None:
        super().__init__()
        self.classes = WHOLE.whole("classes", classes)
        if classes < 1:
            raise OptionError(f"GroupSum needs at least one class, got {classes}")
        self.tau = None if tau is None else TEMPERATURE.check("tau", tau)

    def group_size(self, features: int) -> int:
        """Bits per class.

        Raises:
            ShapeError: The features do not divide into the classes.
        """
        if features < self.classes or features % self.classes:
            raise ShapeError(
                f"GroupSum({self.classes}) cannot share {features} bits among {self.classes} classes equally; "
                f"use a last layer of {max(1, round(features / self.classes)) * self.classes}"
            )
        return features // self.classes

    def rule(self, features: int) -> float:
        """The temperature for this many independent bits."""
        return default_tau(self.group_size(features))

    def temperature(self, features: int) -> float:
        """The temperature that applies to this many bits."""
        return self.rule(features) if self.tau is None else self.tau

    @eager
    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes) of bits or values (N, F)."""
        if x.ndim != 2:
            raise ShapeError(f"GroupSum expects (N, F), got shape {tuple(x.shape)}; put torch.nn.Flatten() before it")
        return self._scores(x)

    def _scores(self, x: Tensor) -> Tensor:
        """Scores (N, classes, ...) of bits or values (N, F, ...)."""
        tau = self.temperature(x.shape[1])
        n, features, *places = x.shape
        if holds_bits(x):
            counts: Tensor = _Count.apply(x, self.classes)  # type: ignore[no-untyped-call]
        else:
            kind = torch.float64 if x.dtype == torch.float64 else torch.float32  # bfloat16 cannot count to a thousand
            grouped = x.movedim(0, -1).reshape(self.classes, features // self.classes, *places, n)
            counts = grouped.sum(1, dtype=kind).movedim(-1, 0)
        return counts / tau

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        return f"{self.classes}, tau={self.tau}"


class PixelGroupSum(GroupSum):
    """A `GroupSum` at each pixel: the channels of a pixel decide its class (segmentation).

    Args:
        classes: Number of classes; they share the channels in equal groups.
        tau: Temperature; None for `default_tau` of the group size.

    >>> import torch
    >>> from gatewright import PixelGroupSum
    >>> PixelGroupSum(4)(torch.ones(1, 16, 24, 24)).shape  # 4 channels per class
    torch.Size([1, 4, 24, 24])
    """

    @eager
    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes, H, W) of bits or values (N, C, H, W)."""
        if x.ndim != 4:
            raise ShapeError(f"PixelGroupSum expects images (N, C, H, W), got shape {tuple(x.shape)}")
        return self._scores(x)
