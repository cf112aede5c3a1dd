"""`GroupSum`: bits to class scores."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from gatewright.errors import OptionError, ShapeError
from gatewright.kernels import ops
from gatewright.nn.bit_tensor import BitTensor, rows
from gatewright.nn.int8_gradient import Int8Gradient


def default_tau(group_size: int) -> float:
    """The temperature used where none is given: sqrt(group size) / 2.

    A count of G fair, independent bits has standard deviation sqrt(G) / 2, so scores start with unit deviation whatever
    the group size. The paper's hand-tuned values lie within a factor of two of it (appendix of arXiv 2602.05830).
    """
    return math.sqrt(group_size) / 2


def _spread(grad: Tensor, group: int) -> Tensor:
    """Each class's row to all bits of its group: [classes, N] to [classes * group, N]."""
    return grad[:, None].expand(-1, group, -1).reshape(-1, grad.shape[1])


class _Count(Function):
    @staticmethod
    def forward(ctx: Any, x: BitTensor, classes: int) -> Tensor:
        ctx.shape, ctx.unit = tuple(x.shape), x.unit
        counts: Tensor = ops.group_count(x.words, classes, x.shape[0])
        return counts.T

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        grad, group = rows(grads[0]), ctx.shape[1] // len(grads[0].T)
        if ctx.unit == 1:  # all bits of a class have the same gradient
            return Int8Gradient.of(grad[:, None], group, ctx.shape), None
        return _spread(grad, group).T, None


class GroupSum(nn.Module):
    """Score of class k = number of true bits in the k-th of `classes` equal groups, divided by tau.

    Example:
        >>> import torch
        >>> from gatewright import GroupSum
        >>> GroupSum(2, tau=1)(torch.tensor([[1.0, 1, 0, 0, 0, 1]]))  # classes of three bits each
        tensor([[2., 1.]])

    Args:
        classes: Number of classes.
        tau: Temperature; None for `default_tau` of the group size.

    >>> import torch
    >>> from gatewright import GroupSum
    >>> GroupSum(2, tau=1.0)(torch.tensor([[1.0, 1.0, 0.0, 1.0, 0.0, 0.0]]))
    tensor([[2., 1.]])
    """

    def __init__(self, classes: int, *, tau: float | None = None) -> None:
        super().__init__()
        if classes < 1:
            raise OptionError(f"GroupSum needs at least one class, got {classes}")
        if tau is not None and not (math.isfinite(tau) and tau > 0):
            raise OptionError(f"tau must be a positive number, got {tau}")
        self.classes = classes
        self.tau = tau

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

    def temperature(self, features: int) -> float:
        """The temperature that applies to this many bits."""
        return default_tau(self.group_size(features)) if self.tau is None else self.tau

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes) of bits or values (N, F)."""
        if x.ndim != 2:
            raise ShapeError(f"GroupSum expects (N, F), got shape {tuple(x.shape)}; put torch.nn.Flatten() before it")
        tau = self.temperature(x.shape[1])
        if isinstance(x, BitTensor):
            counts: Tensor = _Count.apply(x, self.classes)  # type: ignore[no-untyped-call]
        else:
            kind = torch.float64 if x.dtype == torch.float64 else torch.float32  # bfloat16 cannot count to a thousand
            counts = x.movedim(0, -1).reshape(self.classes, -1, x.shape[0]).sum(1, dtype=kind).T
        return counts / tau

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        return f"{self.classes}, tau={self.tau}"
