"""`LogicConv2d`: a convolution whose kernels are logic gates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch

from gatewright.errors import OptionError, ShapeError
from gatewright.nn.candidates import Candidates
from gatewright.nn.functional import Geometry
from gatewright.nn.layers import LogicLayer
from gatewright.runtime.ranges import WHOLE


class LogicConv2d(LogicLayer):
    """A compact convolution: one two-input gate per output channel and position (arXiv 2602.05830, section 4).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output; each is one neuron, shared over positions.
        kernel_size: Side of the square window.
        stride: Step between windows.
        padding: Rows and columns of zeros on each side, or "same": as many as keep the image's size, for an odd
            `kernel_size` and `stride` 1.
        channels: How many input channels an output channel may read: 1 (channel `c mod in_channels`, the paper's choice),
            0 (all), or n, a divisor of `in_channels` (the n neighbouring channels of group `c mod (in_channels / n)`).
        candidates: See `LogicDense`.
        relaxation: See `LogicDense`.
        gradients: See `LogicDense`.
        init: See `LogicDense`.
        gates: See `LogicDense`.
        generator: See `LogicDense`.

    Operand ids are taps: `(channel * kernel_size + dy) * kernel_size + dx`.

    >>> import torch
    >>> from gatewright import LogicConv2d
    >>> LogicConv2d(3, 12, 3, padding="same")(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 12, 32, 32])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int | Literal["same"] = 0,
        channels: int = 1,
        candidates: int = 16,
        relaxation: str = "soft",
        gradients: str = "int8",
        init: str = "gaussian",
        gates: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        named = {"in_channels": in_channels, "out_channels": out_channels, "kernel_size": kernel_size, "stride": stride}
        for name, value in {**named, "channels": channels}.items():
            WHOLE.whole(name, value)
        if padding == "same":
            if stride != 1 or kernel_size % 2 == 0:
                raise OptionError(
                    f"padding 'same' keeps the image's size only with stride 1 and an odd kernel_size, got stride {stride} "
                    f"and kernel_size {kernel_size}; give the number of rows and columns instead"
                )
            padding = kernel_size // 2
        if not isinstance(padding, int):
            raise OptionError(f"padding must be a number of rows and columns, or 'same', got {padding!r}")
        if min(in_channels, out_channels, kernel_size, stride) < 1 or padding < 0:
            raise OptionError(
                f"LogicConv2d needs positive channels, kernel_size and stride and padding >= 0, got {in_channels} -> "
                f"{out_channels}, kernel_size {kernel_size}, stride {stride}, padding {padding}"
            )
        WHOLE.whole("padding", padding)
        read = in_channels if channels == 0 else channels
        if read < 0 or in_channels % read:
            raise OptionError(f"channels must be 0, or a divisor of in_channels = {in_channels}, got {channels}")
        taps = kernel_size * kernel_size
        pool = torch.arange(out_channels) % (in_channels // read) * (read * taps)
        owned = Candidates(out_channels, candidates, pool, read * taps, init=init, gates=gates, generator=generator)
        super().__init__(owned, relaxation, gradients)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding, self.channels = kernel_size, stride, padding, channels
        self._geometries: dict[tuple[tuple[int, ...], torch.device], Geometry] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Geometries are made anew: those of earlier versions lack what kernels need."""
        super().__setstate__({**state, "_geometries": {}})

    def geometry(self, in_shape: tuple[int, ...]) -> Geometry:
        """See `LogicLayer.geometry`."""
        device = self.candidates.a.device
        if (in_shape, device) not in self._geometries:
            if len(in_shape) != 3 or in_shape[0] != self.in_channels:
                given = ", ".join(map(str, in_shape))
                raise ShapeError(f"{self} expects (N, {self.in_channels}, H, W), got (N, {given})")
            side = self.kernel_size
            height, width = (n + 2 * self.padding for n in in_shape[1:])
            if min(height, width) < side:
                raise ShapeError(f"{self}: an image of {in_shape[1]}x{in_shape[2]} is smaller than the kernel")
            down = torch.arange(0, height - side + 1, self.stride)
            across = torch.arange(0, width - side + 1, self.stride)
            positions = (down[:, None] * width + across).reshape(-1).to(device, torch.int32)
            out_shape = (self.out_channels, len(down), len(across))
            window = (side, self.stride, height, width)
            channel, y, x = (torch.arange(n) for n in (self.in_channels, side, side))
            taps = ((channel[:, None, None] * height + y[:, None]) * width + x).flatten().to(device, torch.int32)
            self._geometries[in_shape, device] = Geometry(in_shape, out_shape, self.padding, positions, window, taps)
        return self._geometries[in_shape, device]

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, channels={self.channels}, candidates={self.candidates.n_candidates}"
        )
