"""`LogicDense` and `LogicConv2d`: layers of logic gates for `torch.nn.Sequential`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from gatewright.errors import OptionError, ShapeError, unknown_name
from gatewright.nn.candidates import Candidates
from gatewright.nn.functional import Geometry, Recorder, Wiring, discrete_layer, hard_layer, soft_layer

RELAXATIONS: tuple[str, ...] = ("soft", "hard")
GRADIENTS: tuple[str, ...] = ("int8", "float")


class LogicLayer(nn.Module):
    """What dense and convolution layers share: candidates, a relaxation, and how they compute.

    In training mode a layer computes its relaxation; in eval mode, and once frozen, its discretized gates (use
    `gatewright.nn.relaxed` to evaluate the relaxation instead).

    Attributes:
        candidates: Gates, operands and logits.
        relaxation: "soft" (the paper) or "hard" (straight-through).
        gradients: How gradients of the outputs travel with the hard relaxation on the CPU: "int8" (rounded stochastically,
            with a scale per neuron; half the time in large batches) or "float". Elsewhere they are always float.
        record: If set, called in each backward pass with what connection learning needs.
    """

    def __init__(self, candidates: Candidates, relaxation: str, gradients: str) -> None:
        super().__init__()
        if relaxation not in RELAXATIONS:
            raise unknown_name("relaxation", str(relaxation), RELAXATIONS)
        if gradients not in GRADIENTS:
            raise unknown_name("type of gradients", str(gradients), GRADIENTS)
        self.candidates = candidates
        self.relaxation = relaxation
        self.gradients = gradients
        self.relaxed_eval = False
        self.record: Recorder | None = None

    @property
    def frozen(self) -> bool:
        """Whether the layer computes with its discretized gates for good."""
        return self.candidates.frozen

    def freeze(self) -> None:
        """Compute with the best candidates from now on, without gradient."""
        self.candidates.freeze()

    def geometry(self, in_shape: tuple[int, ...]) -> Geometry:
        """How the layer reads a sample of this shape."""
        raise NotImplementedError

    def operand_rows(self, operand: Tensor, geometry: Geometry) -> Tensor:
        """Operand ids (any shape) to rows of the padded input at position 0."""
        raise NotImplementedError

    def wiring(self, geometry: Geometry) -> Wiring:
        """The candidates as the kernels take them."""
        c = self.candidates
        return Wiring(self.operand_rows(c.a, geometry), self.operand_rows(c.b, geometry), c.gate)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer.

        Args:
            x: (N, ...) zeros and ones, or values in 0..1 with the soft relaxation.

        Returns:
            Float tensor (N, ...): a `BitTensor` of zeros and ones unless the relaxation is soft.

        Raises:
            ShapeError: The input does not fit the layer.
            DtypeError: Boolean gates got values other than 0 and 1.
        """
        if x.ndim < 2 or x.shape[0] == 0:
            raise ShapeError(f"{self} expects a batch (N, ...) of at least one sample, got shape {tuple(x.shape)}")
        geometry = self.geometry(tuple(x.shape[1:]))
        wiring = self.wiring(geometry)
        if self.frozen or not (self.training or self.relaxed_eval):
            return discrete_layer(x, wiring.pick(self.candidates.best()), geometry)
        logits = self.candidates.logits
        if self.relaxation == "soft":
            return soft_layer(x, logits, wiring, geometry, self.record)
        int8 = self.gradients == "int8" and logits.device.type == "cpu" and logits.dtype == torch.float32
        return hard_layer(x, logits, wiring, geometry, self.record, int8=int8)


class LogicDense(LogicLayer):
    """A layer of two-input gates, each of which learns its gate and its two inputs.

    Args:
        in_features: Number of inputs.
        out_features: Number of neurons.
        inputs: How many inputs a neuron may read: 0 (all), or n, a divisor of `in_features` (the n neighbouring ones of
            group `m mod (in_features / n)` for neuron m). Layers with 2, and half as many neurons as inputs, form trees.
        candidates: Candidates K per neuron (arXiv 2602.05830, section 3; 16 there).
        relaxation: "soft" or "hard".
        gradients: "int8" or "float", see `LogicLayer`.
        init: "gaussian" (logits from N(0, 1)) or "residual" (neurons start as wires).
        gates: Gate ids that may be drawn; None for all 16.
        generator: Source of randomness; None for a generator of its own with seed 0.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        inputs: int = 0,
        candidates: int = 16,
        relaxation: str = "soft",
        gradients: str = "int8",
        init: str = "gaussian",
        gates: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise OptionError(f"LogicDense needs positive sizes, got {in_features} -> {out_features}")
        read = in_features if inputs == 0 else inputs
        if read < 0 or in_features % read or out_features % (in_features // read):
            raise OptionError(
                f"inputs must be 0, or divide in_features = {in_features} into groups that divide out_features = "
                f"{out_features}, got {inputs}"
            )
        pool = torch.arange(out_features) % (in_features // read) * read
        source = generator if generator is not None else torch.Generator().manual_seed(0)
        owned = Candidates(out_features, candidates, pool, read, init=init, gates=gates, generator=source)
        super().__init__(owned, relaxation, gradients)
        self.in_features, self.out_features, self.inputs = in_features, out_features, read
        self.register_buffer("_origin", torch.zeros(1, dtype=torch.int32), persistent=False)

    def geometry(self, in_shape: tuple[int, ...]) -> Geometry:
        """See `LogicLayer.geometry`."""
        if in_shape != (self.in_features,):
            hint = "; put torch.nn.Flatten() before it" if len(in_shape) > 1 else ""
            raise ShapeError(f"{self} expects (N, {self.in_features}), got (N, {', '.join(map(str, in_shape))}){hint}")
        return Geometry(in_shape, (self.out_features,), 0, self._origin)  # type: ignore[arg-type]

    def operand_rows(self, operand: Tensor, geometry: Geometry) -> Tensor:  # noqa: ARG002
        """See `LogicLayer.operand_rows`: features are rows."""
        return operand

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        limited = f", inputs={self.inputs}" if self.inputs < self.in_features else ""
        return f"{self.in_features}, {self.out_features}{limited}, candidates={self.candidates.n_candidates}"

    def __repr__(self) -> str:
        return f"LogicDense({self.extra_repr()}, relaxation={self.relaxation!r})"


class LogicConv2d(LogicLayer):
    """A compact convolution: one two-input gate per output channel and position (arXiv 2602.05830, section 4).

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output; each is one neuron, shared over positions.
        kernel_size: Side of the square window.
        stride: Step between windows.
        padding: Rows and columns of zeros on each side.
        channels: How many input channels an output channel may read: 1 (channel `c mod in_channels`, the paper's choice),
            0 (all), or n, a divisor of `in_channels` (the n neighbouring channels of group `c mod (in_channels / n)`).
        candidates: See `LogicDense`.
        relaxation: See `LogicDense`.
        gradients: See `LogicDense`.
        init: See `LogicDense`.
        gates: See `LogicDense`.
        generator: See `LogicDense`.

    Operand ids are taps: `(channel * kernel_size + dy) * kernel_size + dx`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        padding: int = 1,
        channels: int = 1,
        candidates: int = 16,
        relaxation: str = "soft",
        gradients: str = "int8",
        init: str = "gaussian",
        gates: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        if min(in_channels, out_channels, kernel_size, stride) < 1 or padding < 0:
            raise OptionError(
                f"LogicConv2d needs positive channels, kernel_size and stride and padding >= 0, got {in_channels} -> "
                f"{out_channels}, kernel_size {kernel_size}, stride {stride}, padding {padding}"
            )
        read = in_channels if channels == 0 else channels
        if read < 0 or in_channels % read:
            raise OptionError(f"channels must be 0, or a divisor of in_channels = {in_channels}, got {channels}")
        taps = kernel_size * kernel_size
        pool = torch.arange(out_channels) % (in_channels // read) * (read * taps)
        source = generator if generator is not None else torch.Generator().manual_seed(0)
        owned = Candidates(out_channels, candidates, pool, read * taps, init=init, gates=gates, generator=source)
        super().__init__(owned, relaxation, gradients)
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride, self.padding, self.channels = kernel_size, stride, padding, channels
        self._geometries: dict[tuple[tuple[int, ...], torch.device], Geometry] = {}

    def geometry(self, in_shape: tuple[int, ...]) -> Geometry:
        """See `LogicLayer.geometry`."""
        device = self.candidates.a.device
        key = (in_shape, device)
        if key not in self._geometries:
            if len(in_shape) != 3 or in_shape[0] != self.in_channels:
                raise ShapeError(
                    f"{self} expects (N, {self.in_channels}, H, W), got (N, {', '.join(map(str, in_shape))})"
                )
            height, width = (n + 2 * self.padding - self.kernel_size for n in in_shape[1:])
            if min(height, width) < 0:
                raise ShapeError(f"{self}: an image of {in_shape[1]}x{in_shape[2]} is smaller than the kernel")
            down = torch.arange(0, height + 1, self.stride)
            across = torch.arange(0, width + 1, self.stride)
            positions = (down[:, None] * (in_shape[2] + 2 * self.padding) + across).reshape(-1)
            out_shape = (self.out_channels, len(down), len(across))
            window = (self.kernel_size, self.stride, *(n + 2 * self.padding for n in in_shape[1:]))
            self._geometries[key] = Geometry(
                in_shape,
                out_shape,
                self.padding,
                positions.to(device=device, dtype=torch.int32),
                window,  # type: ignore[arg-type]
            )
        return self._geometries[key]

    def operand_rows(self, operand: Tensor, geometry: Geometry) -> Tensor:
        """See `LogicLayer.operand_rows`: taps of the window at the upper left."""
        _, height, width = geometry.in_shape
        tap = operand.to(torch.int64)
        dx = tap % self.kernel_size
        dy = tap // self.kernel_size % self.kernel_size
        channel = tap // self.kernel_size**2
        p = 2 * self.padding
        return ((channel * (height + p) + dy) * (width + p) + dx).to(torch.int32)

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, channels={self.channels}, candidates={self.candidates.n_candidates}"
        )

    def __repr__(self) -> str:
        return f"LogicConv2d({self.extra_repr()}, relaxation={self.relaxation!r})"


def logic_layers(model: nn.Module) -> list[LogicLayer]:
    """The logic layers of a model, first to last."""
    return [module for module in model.modules() if isinstance(module, LogicLayer)]


@contextmanager
def relaxed(model: nn.Module) -> Iterator[None]:
    """Let a model in eval mode compute its relaxation rather than its discretized gates, within the context."""
    layers = logic_layers(model)
    before = [layer.relaxed_eval for layer in layers]
    for layer in layers:
        layer.relaxed_eval = True
    try:
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            layer.relaxed_eval = value
