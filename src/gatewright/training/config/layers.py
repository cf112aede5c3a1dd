"""Sections of `model.layers`: each knows the shape it makes and builds its own module.

A layer of your own is a subclass of `Layer`, registered with `LAYERS.register`.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict

from pydantic import model_validator

from gatewright.errors import OptionError
from gatewright.gates import LOGIC, WIRES
from gatewright.runtime.schema import Choice, Section
from gatewright.training.config.values import Count, CountOrNone, Shape, Size, size_with

if TYPE_CHECKING:
    import torch


class Neurons(TypedDict):
    """Options that all layers with neurons share, as keywords of `LogicDense` and `LogicConv2d`."""

    candidates: int
    relaxation: str
    gradients: str
    init: str
    generator: torch.Generator


class Layer(Section):
    """Base of the layers. A section with a field `repeat` stands for that many equal layers in a row.

    Attributes:
        type: Names the section.
        learned: Whether the layer has neurons: `out_shape[0]` of them.
        shared: Whether its neurons are shared over positions, as a `LogicConv2d`, and can be unshared.
        soft_rate: Learning rate with the soft relaxation, if the config gives none.
    """

    learned: ClassVar[bool] = False
    shared: ClassVar[bool] = False
    soft_rate: ClassVar[float] = 0.01

    type: str

    def out_shape(self, shape: Shape, k: int | None, where: str) -> Shape:
        """Shape of one sample after the layer.

        Args:
            shape: Shape of one sample before it.
            k: What relative sizes are multiples of.
            where: The layer's key, for messages.

        Raises:
            OptionError: The layer does not fit what it gets.
        """
        raise NotImplementedError

    def taps(self, in_shape: Shape, out_shape: Shape) -> int:
        """Bits that all neurons may read together once they are unshared; 0 if the layer is not `shared`."""
        return 0

    def build(self, in_shape: Shape, out_shape: Shape, neurons: Neurons) -> torch.nn.Module:
        """The module for samples of these shapes."""
        raise NotImplementedError


LAYERS: Choice[Layer] = Choice("type")


def _sides(shape: Shape, where: str, what: str) -> Shape:
    """Height and width of images."""
    if len(shape) != 3:
        raise OptionError(f"{where} is {what} but gets rows of {shape[0]} features, not images")
    return shape[1:]


@LAYERS.register
class Dense(Layer):
    """`repeat` dense layers of `width` neurons each.

    `inputs` says how many inputs a neuron may see: 0 for all, or n neighbouring ones, where n divides their number.
    Layers that halve the width with `inputs: 2` form trees: their wiring is fixed, only gates are learned.

    With `gates: logic` the neurons keep to the ten gates that need both inputs, so that no tree loses a branch.

    With `gates: wires` they only choose a bit, as it is or inverted, and cost no gates: before the group sum, such a
    layer lets one gate count for several classes, or more than once.

    `init` says how its neurons start, if not as `model.init` says: layers of `gates: logic` cannot start as wires, so
    behind residual convolutions they are given `init: gaussian`.
    """

    learned: ClassVar[bool] = True

    type: Literal["dense"]
    width: Size
    inputs: CountOrNone = 0
    gates: Literal["all", "logic", "wires"] = "all"
    init: Literal["gaussian", "residual"] | None = None
    repeat: Count = 1

    def out_shape(self, shape: Shape, k: int | None, where: str) -> Shape:
        if len(shape) != 1:
            raise OptionError(f"{where} is dense but gets images {shape}: put {{type: flatten}} before it")
        width = size_with(self.width, k)
        if self.inputs and (shape[0] % self.inputs or width % (shape[0] // self.inputs)):
            raise OptionError(
                f"{where}.inputs is {self.inputs}, which does not divide {shape[0]} bits into groups for {width} neurons"
            )
        return (width,)

    def build(self, in_shape: Shape, out_shape: Shape, neurons: Neurons) -> torch.nn.Module:
        from gatewright.nn import LogicDense

        gates = {"all": None, "logic": LOGIC, "wires": WIRES}[self.gates]
        if self.init:
            neurons = {**neurons, "init": self.init}
        return LogicDense(in_shape[0], out_shape[0], inputs=self.inputs, gates=gates, **neurons)


@LAYERS.register
class Conv(Layer):
    """`repeat` convolutions of `channels` output channels each; `padding` defaults to half the kernel.

    `channels_in` says how many input channels a neuron may see: 1 (space is mixed, channels are not), 0 for all, or n
    neighbouring ones, where n divides their number.
    """

    learned: ClassVar[bool] = True
    shared: ClassVar[bool] = True
    soft_rate: ClassVar[float] = 0.02

    type: Literal["conv"]
    channels: Size
    kernel_size: Count = 3
    stride: Count = 1
    padding: CountOrNone | None = None
    channels_in: CountOrNone = 1
    repeat: Count = 1

    @model_validator(mode="before")
    @classmethod
    def _read_version_1(cls, value: Any) -> Any:
        """Configs of version 0.1 say `kernel`."""
        if isinstance(value, dict) and "kernel" in value and "kernel_size" not in value:
            return {("kernel_size" if key == "kernel" else key): option for key, option in value.items()}
        return value

    @property
    def _pad(self) -> int:
        return self.kernel_size // 2 if self.padding is None else self.padding

    def out_shape(self, shape: Shape, k: int | None, where: str) -> Shape:
        size, before = self.kernel_size, _sides(shape, where, "a convolution")
        if self.channels_in > 1 and shape[0] % self.channels_in:
            raise OptionError(f"{where}.channels_in is {self.channels_in}, which does not divide {shape[0]} channels")
        sides = [(side + 2 * self._pad - size) // self.stride + 1 for side in before]
        if min(sides) < 1:
            raise OptionError(f"{where}: a {size}x{size} kernel does not fit images {shape}")
        return (size_with(self.channels, k), *sides)

    def taps(self, in_shape: Shape, out_shape: Shape) -> int:
        return prod(out_shape) * (self.channels_in or in_shape[0]) * self.kernel_size**2

    def build(self, in_shape: Shape, out_shape: Shape, neurons: Neurons) -> torch.nn.Module:
        from gatewright.nn import LogicConv2d

        return LogicConv2d(
            in_shape[0],
            out_shape[0],
            self.kernel_size,
            stride=self.stride,
            padding=self._pad,
            channels=self.channels_in,
            **neurons,
        )


@LAYERS.register
class Flatten(Layer):
    """Images to rows of features; stands between the encoder or a convolution and a dense layer."""

    type: Literal["flatten"]

    def out_shape(self, shape: Shape, k: int | None, where: str) -> Shape:
        return (prod(shape),)

    def build(self, in_shape: Shape, out_shape: Shape, neurons: Neurons) -> torch.nn.Module:
        from torch.nn import Flatten as Module

        return Module()


@LAYERS.register
class Upsample(Layer):
    """Repeats each pixel `scale` times in both directions (nearest neighbour: mixed pixels are not Boolean)."""

    type: Literal["upsample"]
    scale: Count = 2

    def out_shape(self, shape: Shape, k: int | None, where: str) -> Shape:
        return (shape[0], *(side * self.scale for side in _sides(shape, where, "an upsampling")))

    def build(self, in_shape: Shape, out_shape: Shape, neurons: Neurons) -> torch.nn.Module:
        from gatewright.nn import NearestUpsample

        return NearestUpsample(self.scale)
