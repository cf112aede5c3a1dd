"""`LogicLocal2d`: a convolution whose gates differ from position to position; `unshare` makes them of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from gatewright.errors import OptionError, ShapeError
from gatewright.nn.candidates import Candidates
from gatewright.nn.conv import LogicConv2d
from gatewright.nn.functional import Geometry
from gatewright.nn.layers import LogicLayer, relaxed


class LogicLocal2d(LogicLayer):
    """(+) A locally connected layer: like `LogicConv2d`, but each output channel has a gate of its own at each position.

    The circuit of a convolution has a gate per channel and position as well, so this layer costs no more; what kernels
    share only helps to learn. Networks that start with kernels and go on without learn best (see `unshare`).

    Args:
        in_shape: (channels, height, width) of the input; no other size is taken.
        out_channels: Channels of the output.
        kernel_size: Side of the square window that a gate may read.
        stride: See `LogicConv2d`.
        padding: See `LogicConv2d`, a number.
        channels: See `LogicConv2d`.
        candidates: See `LogicDense`.
        relaxation: See `LogicDense`.
        gradients: See `LogicDense`.
        init: See `LogicDense`.
        gates: See `LogicDense`.
        generator: See `LogicDense`.

    Neuron `(channel * H' + y) * W' + x` is the gate at one position of the output. Operand ids of neuron m start at
    `m * channels * kernel_size**2`, and are the taps of its own window.

    >>> import torch
    >>> from gatewright import LogicLocal2d
    >>> LogicLocal2d((3, 32, 32), 12, 3, padding=1)(torch.zeros(1, 3, 32, 32)).shape
    torch.Size([1, 12, 32, 32])
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        channels: int = 1,
        candidates: int = 16,
        relaxation: str = "soft",
        gradients: str = "int8",
        init: str = "gaussian",
        gates: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        shape = tuple(int(n) for n in in_shape)
        if len(shape) != 3 or min(shape) < 1:
            raise OptionError(f"in_shape must be (channels, height, width), got {tuple(in_shape)}")
        # A convolution with one candidate checks the options, and knows what a window reads at which position.
        kernels = LogicConv2d(
            shape[0], out_channels, kernel_size, stride=stride, padding=padding, channels=channels, candidates=1
        )
        shared = kernels.geometry(shape)
        taps, pool = shared.taps, kernels.candidates.pool_size
        assert taps is not None  # noqa: S101 - it is a convolution's
        first = kernels.candidates.pool_start
        windows = taps[first[:, None] + torch.arange(pool)]  # [channels, pool]
        neurons = out_channels * len(shared.positions)
        # Dealt as if all had the same inputs, which is quicker than pool by pool, then moved to each one's own ids.
        owned = Candidates(neurons, candidates, torch.zeros(neurons), pool, init=init, gates=gates, generator=generator)
        start = torch.arange(neurons) * pool
        owned.a += start[:, None].to(torch.int32)
        owned.b += start[:, None].to(torch.int32)
        owned.pool_start.copy_(start)
        super().__init__(owned, relaxation, gradients)
        self.in_shape, self.out_shape = shape, shared.out_shape
        self.kernel_size, self.stride, self.padding, self.channels = kernel_size, stride, padding, channels
        rows = (windows[:, None] + shared.positions[:, None]).flatten()  # [channels, positions, pool]
        self.register_buffer("_rows", rows, persistent=False)
        self.register_buffer("_origin", torch.zeros(1, dtype=torch.int32), persistent=False)

    @classmethod
    def of(cls, kernels: LogicConv2d, in_shape: Sequence[int]) -> Self:
        """The same function of images of one shape (C, H, W), with candidates and logits of its own at each position."""
        c = kernels.candidates
        made = cls(
            in_shape,
            kernels.out_channels,
            kernels.kernel_size,
            stride=kernels.stride,
            padding=kernels.padding,
            channels=kernels.channels,
            candidates=c.n_candidates,
            relaxation=kernels.relaxation,
            gradients=kernels.gradients,
            gates=c.allowed_gates.tolist(),
            generator=torch.Generator(),  # what it draws is replaced
        ).to(c.logits.device, c.logits.dtype)
        own = made.candidates
        positions = own.n_neurons // c.n_neurons
        with torch.no_grad():
            for name in ("gate", "logits"):
                getattr(own, name).copy_(getattr(c, name).repeat_interleave(positions, 0))
            for name in ("a", "b"):
                taps = getattr(c, name) - c.pool_start[:, None]
                moved = taps.repeat_interleave(positions, 0) + own.pool_start[:, None]
                getattr(own, name).copy_(moved)
        if kernels.frozen:
            made.freeze()
        return made.train(kernels.training)

    def geometry(self, in_shape: tuple[int, ...]) -> Geometry:
        """See `LogicLayer.geometry`."""
        if in_shape != self.in_shape:
            given, own = (", ".join(map(str, shape)) for shape in (in_shape, self.in_shape))
            raise ShapeError(f"{self} expects (N, {own}), got (N, {given})")
        return Geometry(in_shape, self.out_shape, self.padding, self._origin, taps=self._rows)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        return (
            f"{self.in_shape}, {self.out_shape[0]}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, channels={self.channels}, candidates={self.candidates.n_candidates}"
        )


def unshare(model: nn.Module, x: Tensor) -> list[str]:
    """(+) Give each position of a model's convolutions gates of its own: replace `LogicConv2d` by `LogicLocal2d`.

    The model computes what it did before. Parameters are new ones, so an optimizer has to be told of them.

    Args:
        model: A module that holds convolutions, and takes images of one size.
        x: At least one sample, as the model takes it; only its shape matters.

    Returns:
        Names of the replaced layers; empty if there is none.

    Raises:
        OptionError: A convolution was not called with x, or with images of two sizes; nothing is replaced.

    >>> import torch
    >>> from gatewright import GroupSum, LogicConv2d, unshare
    >>> layers = LogicConv2d(1, 4, 3), torch.nn.Flatten(), GroupSum(2)
    >>> model, x = torch.nn.Sequential(*layers), (torch.rand(1, 1, 6, 6) < 0.5).float()
    >>> before = model.eval()(x)
    >>> unshare(model, x), model[0].candidates.n_neurons
    (['0'], 64)
    >>> torch.equal(model(x), before)
    True
    """
    if isinstance(model, LogicConv2d):
        raise OptionError("a lone convolution cannot be replaced in place; put it into a torch.nn.Sequential")
    found = [(name, module) for name, module in model.named_modules() if isinstance(module, LogicConv2d)]
    seen: dict[str, set[tuple[int, ...]]] = {name: set() for name, _ in found}

    def see(name: str) -> Any:
        return lambda _module, inputs: seen[name].add(tuple(inputs[0].shape[1:]))

    handles = [module.register_forward_pre_hook(see(name)) for name, module in found]
    training = model.training
    try:
        with torch.no_grad(), relaxed(model):
            model.eval()(x[:1])
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    for name, shapes in seen.items():
        if len(shapes) != 1:
            sizes = "images of several sizes" if shapes else "no images"
            raise OptionError(f"convolution {name!r} got {sizes} from this sample, so its positions cannot be told")
    for name, module in found:
        (shape,) = seen[name]
        model.set_submodule(name, LogicLocal2d.of(module, shape))
    return [name for name, _ in found]
