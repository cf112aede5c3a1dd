"""`PixelGroupSum`: bits to class scores at each pixel."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.autograd import Function

from gatewright.errors import ShapeError
from gatewright.kernels import ops
from gatewright.nn.bit_tensor import BitTensor
from gatewright.nn.group_sum import GroupSum


class _PixelCount(Function):
    """Counts per class and pixel, of words whose rows are first brought into the order of the groups."""

    @staticmethod
    def forward(ctx: Any, x: BitTensor, classes: int) -> Tensor:
        n, channels, height, width = x.shape
        ctx.group = channels // classes
        words = x.words.view(classes, ctx.group, height * width, -1).transpose(1, 2).reshape(len(x.words), -1)
        counts: Tensor = ops.group_count(words, classes * height * width, n)
        return counts.view(classes, height, width, n).movedim(-1, 0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        n, classes, height, width = grads[0].shape
        spread = grads[0].movedim(0, -1)[:, None].expand(-1, ctx.group, -1, -1, -1)
        return spread.reshape(classes * ctx.group, height, width, n).movedim(-1, 0), None


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

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes, H, W) of bits or values (N, C, H, W)."""
        if x.ndim != 4:
            raise ShapeError(f"PixelGroupSum expects images (N, C, H, W), got shape {tuple(x.shape)}")
        tau = self.temperature(x.shape[1])
        if isinstance(x, BitTensor):
            counts: Tensor = _PixelCount.apply(x, self.classes)  # type: ignore[no-untyped-call]
        else:
            n, channels, height, width = x.shape
            grouped = x.movedim(0, -1).reshape(self.classes, channels // self.classes, height, width, n)
            counts = grouped.sum(1).movedim(-1, 0)
        return counts / tau
