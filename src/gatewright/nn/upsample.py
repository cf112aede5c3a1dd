"""`NearestUpsample`: larger images by repeating pixels, the only enlargement whose results are bits."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.autograd import Function

from gatewright.errors import OptionError, ShapeError
from gatewright.nn.bit_tensor import BitTensor, holds_bits, rows
from gatewright.nn.eager import eager
from gatewright.runtime.ranges import COUNT


def _repeated(x: Tensor, shape: tuple[int, int, int], scale: int) -> Tensor:
    """Rows of images of shape (C, H, W), each `scale` times in both directions."""
    copies = x.view(*shape[:2], 1, shape[2], 1, -1).expand(-1, -1, scale, -1, scale, -1)
    return copies.reshape(len(x) * scale * scale, -1)


class _Repeat(Function):
    """On packed bits: repeat rows of words; add the gradients of the copies."""

    @staticmethod
    def forward(ctx: Any, x: BitTensor, scale: int) -> Tensor:
        n, channels, height, width = x.shape
        ctx.scale, ctx.shape = scale, (channels, height, width)
        return BitTensor(_repeated(x.words, ctx.shape, scale), (n, channels, height * scale, width * scale))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        channels, height, width = ctx.shape
        copies = rows(grads[0]).view(channels, height, ctx.scale, width, ctx.scale, -1)
        return copies.sum(dim=(2, 4)).movedim(-1, 0), None


class NearestUpsample(nn.Module):
    """Repeat each pixel `scale` times in both directions. It has no gates: in a circuit it is only wiring.

    Args:
        scale: Factor, an integer.

    >>> import torch
    >>> from gatewright import NearestUpsample
    >>> NearestUpsample(2)(torch.tensor([[[[0.0, 1]]]]))
    tensor([[[[0., 0., 1., 1.],
              [0., 0., 1., 1.]]]])
    """

    def __init__(self, scale: int = 2) -> None:
        super().__init__()
        if isinstance(scale, bool) or not isinstance(scale, int) or scale < 1:
            raise OptionError(f"NearestUpsample needs an integer of at least 1, got {scale!r}")
        self.scale = COUNT.whole("scale", scale)

    @eager
    def forward(self, x: Tensor) -> Tensor:
        """Images (N, C, H, W) to (N, C, H * scale, W * scale)."""
        if x.ndim != 4:
            raise ShapeError(f"{self} expects images (N, C, H, W), got shape {tuple(x.shape)}")
        if holds_bits(x):
            repeated: Tensor = _Repeat.apply(x, self.scale)  # type: ignore[no-untyped-call]
            return repeated
        n, channels, height, width = x.shape
        out = _repeated(rows(x), (channels, height, width), self.scale)
        return out.view(channels, height * self.scale, width * self.scale, n).movedim(-1, 0)

    def extra_repr(self) -> str:
        """Scale, for repr."""
        return str(self.scale)
