"""`LogicLocal2d`: a convolution whose gates differ from position to position; `unshare` makes them of kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from gatewright.errors import OptionError, ShapeError
from gatewright.nn.candidates import Candidates, covering_operands
from gatewright.nn.conv import LogicConv2d
from gatewright.nn.functional import Geometry
from gatewright.nn.layers import LogicLayer, relaxed
from gatewright.runtime.ranges import COUNT

MOST_TAPS = 1 << 26
"""Bits that all neurons of a layer may read together, each counted for every neuron: a table of 256 MiB."""


class LogicLocal2d(LogicLayer):
    """(+) A locally connected layer: like `LogicConv2d`, but each output channel has a gate of its own at each position.

    The circuit of a convolution has a gate per channel and position as well, so that of this layer is no larger; what
    kernels share helps to learn. Networks that start with kernels and go on without (see `unshare`) had the lowest loss
    on CIFAR-10 and MNIST (docs/connections.md).

    Args:
        in_shape: (channels, height, width) of the input; no other size is taken.
        out_channels: Channels of the output.
        kernel_size: Side of the square window that a gate may read.
        stride: See `LogicConv2d`.
        padding: See `LogicConv2d`.
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
        padding: int | Literal["same"] = 0,
        channels: int = 1,
        candidates: int = 16,
        relaxation: str = "soft",
        gradients: str = "int8",
        init: str = "gaussian",
        gates: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        _check_shape(in_shape)
        kernels = LogicConv2d(
            in_shape[0],
            out_channels,
            kernel_size,
            stride=stride,
            padding=padding,
            channels=channels,
            candidates=1,
            generator=torch.Generator(),  # what it draws is not used
        )
        neurons, pool = _sizes(kernels, in_shape)
        # Dealt as if all had the same inputs, which covers them as well and is quicker than pool by pool.
        operands = covering_operands(torch.zeros(neurons), pool, candidates, generator)
        start = torch.arange(neurons) * pool
        own = _moved(operands, start)
        owned = Candidates(neurons, candidates, start, pool, init=init, gates=gates, generator=generator, operands=own)
        super().__init__(owned, relaxation, gradients)
        self._place(kernels, in_shape)

    def _place(self, kernels: LogicConv2d, in_shape: Sequence[int]) -> None:
        """Read what the kernels read from images of this shape."""
        c = kernels.candidates
        shared = kernels.geometry(tuple(in_shape))
        assert shared.taps is not None  # noqa: S101 - it is a convolution's
        self.in_shape, self.out_shape = shared.in_shape, shared.out_shape
        self.kernel_size, self.stride = kernels.kernel_size, kernels.stride
        self.padding, self.channels = kernels.padding, kernels.channels
        windows = shared.taps[c.pool_start[:, None] + torch.arange(c.pool_size, device=c.pool_start.device)]
        rows = (windows[:, None] + shared.positions[:, None]).flatten()  # [channels, positions, pool]
        self.register_buffer("_rows", rows, persistent=False)
        self.register_buffer("_origin", torch.zeros(1, dtype=torch.int32, device=rows.device), persistent=False)

    @classmethod
    def of(cls, kernels: LogicConv2d, in_shape: Sequence[int]) -> Self:
        """The same function of images of one shape (C, H, W), with candidates and logits of its own at each position.

        Raises:
            OptionError: The layer would be too large.
            ShapeError: The convolution does not take such images.
        """
        c = kernels.candidates
        neurons, pool = _sizes(kernels, in_shape)
        positions, place = neurons // c.n_neurons, c.logits.device
        start = torch.arange(neurons, device=place) * pool
        taps = tuple((ids - c.pool_start[:, None]).repeat_interleave(positions, 0) for ids in (c.a, c.b))
        # Gates and logits are drawn, then replaced.
        owned = Candidates(
            neurons,
            c.n_candidates,
            start,
            pool,
            gates=c.allowed_gates.tolist(),
            generator=torch.Generator(),
            operands=_moved(taps, start),
        ).to(place, c.logits.dtype)
        with torch.no_grad():
            owned.gate.copy_(c.gate.repeat_interleave(positions, 0))
            owned.logits.copy_(c.logits.repeat_interleave(positions, 0))
        made = cls.__new__(cls)
        LogicLayer.__init__(made, owned, kernels.relaxation, kernels.gradients)
        made._place(kernels, in_shape)  # noqa: SLF001 - of this very class
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


def _check_shape(in_shape: Sequence[int]) -> None:
    if len(in_shape) != 3:
        raise OptionError(f"in_shape must be (channels, height, width), got {tuple(in_shape)}")
    for n in in_shape:
        COUNT.whole("in_shape", n)


def _sizes(kernels: LogicConv2d, in_shape: Sequence[int]) -> tuple[int, int]:
    """Neurons of a convolution without sharing, and what each may read; checked before memory is taken."""
    side, pool = kernels.kernel_size, kernels.candidates.pool_size
    down, across = ((n + 2 * kernels.padding - side) // kernels.stride + 1 for n in in_shape[1:])
    neurons = kernels.out_channels * max(0, down) * max(0, across)
    taps = max(neurons * pool, kernels.in_channels * side * side)
    if taps > MOST_TAPS:
        raise OptionError(
            f"{kernels} on images {tuple(in_shape)}, unshared, has {neurons} gates with windows of {pool} bits: {taps}, "
            f"expected at most {MOST_TAPS}; give it fewer channels to read, or a smaller window"
        )
    return neurons, pool


def _moved(taps: Sequence[Tensor], start: Tensor) -> tuple[Tensor, Tensor]:
    """Taps int [M, K] of windows as ids of the neurons' own."""
    a, b = ((each + start[:, None]).to(torch.int32) for each in taps)
    return a, b


def unshare(model: nn.Module, x: Tensor) -> list[str]:
    """(+) Give each position of a model's convolutions gates of its own: replace `LogicConv2d` by `LogicLocal2d`.

    The model computes what it did before. Layers and parameters are new ones: make the optimizer, connection learning,
    `AdaptiveDiscretization` and `ExpectedCost` anew. Modules are left in the mode, training or eval, that they were in.

    Args:
        model: A module that holds convolutions, and takes images of one size.
        x: At least one sample, as the model takes it; only its shape matters.

    Returns:
        Names of the replaced layers; empty if there is none.

    Raises:
        OptionError: A convolution was not called with x, or with images of two sizes, or would be too large; nothing is
            replaced.

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
    found = [
        (name, module)
        for name, module in model.named_modules(remove_duplicate=False)
        if isinstance(module, LogicConv2d)
    ]
    seen: dict[LogicConv2d, set[tuple[int, ...]]] = {module: set() for _, module in found}

    def see(module: LogicConv2d) -> Any:
        return lambda _, args, named: seen[module].add(tuple((*args, *named.values())[0].shape[1:]))

    handles = [module.register_forward_pre_hook(see(module), with_kwargs=True) for module in seen]
    modes = {module: module.training for module in model.modules()}
    try:
        with torch.no_grad(), relaxed(model):
            model.eval()(x[:1])
    finally:
        for module, training in modes.items():
            module.training = training
        for handle in handles:
            handle.remove()
    for name, module in found:
        if len(shapes := seen[module]) != 1:
            sizes = "images of several sizes" if shapes else "no images"
            raise OptionError(f"convolution {name!r} got {sizes} from this sample, so its positions cannot be told")
    made = {module: LogicLocal2d.of(module, *shapes) for module, shapes in seen.items()}
    for name, module in found:
        model.set_submodule(name, made[module])
    return [name for name, _ in found]
