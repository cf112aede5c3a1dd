"""The section `model`: the network between the encoder and the scores, planned before it is built."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import Field, model_validator

from gatewright.errors import OptionError
from gatewright.runtime.schema import Section
from gatewright.training.config.heads import HEADS, Head, SumHead
from gatewright.training.config.layers import LAYERS, Layer, Neurons
from gatewright.training.config.values import Count, Moment, Shape, Temperature

if TYPE_CHECKING:
    import torch


MOST_LAYERS = 10_000
"""Layers of one network, repeated ones each."""


class ModelOptions(Section):
    """The network between the encoder and the group sum.

    Where every pixel of the data has a class, the group sum is taken at each pixel: the last layer is a convolution whose
    channels divide into the classes, and whose size is that of the labels.

    Attributes:
        layers: The layers in order.
        k: The size that relative sizes are multiples of.
        candidates: Candidates per neuron.
        relaxation: `soft` (the paper's mixture) or `hard` (straight-through).
        gradients: `int8` (rounded stochastically; only with the hard relaxation on the CPU) or `float`.
        init: Initial logits.
        tau: Temperature of the head; null for the rule of `gatewright.nn.GroupSum` or `WeightedSum`, `measured` for what
            `gatewright.nn.measure_temperature` finds in the first training samples.
        head: `sum` or `weighted`.
        unshare: Moment from which each position of a convolution has gates of its own (see `gatewright.unshare`), before
            the end of the run; null for never.
    """

    layers: Annotated[list[Annotated[Layer, LAYERS]], Field(min_length=1)]
    k: Count | None = None
    candidates: Count = 16
    relaxation: Literal["soft", "hard"] = "soft"
    gradients: Literal["int8", "float"] = "int8"
    init: Literal["gaussian", "residual"] = "gaussian"
    tau: Temperature | Literal["measured"] | None = None
    head: Annotated[Head, HEADS] = SumHead(kind="sum")
    unshare: Moment | None = None

    @model_validator(mode="after")
    def _check_unsharing(self) -> Self:
        if self.unshare is not None and not any(layer.shared for layer in self.layers):
            raise ValueError("has `unshare`, but no convolution among its layers")
        return self

    @property
    def rate(self) -> float:
        """The learning rate by rule: 0.02 for soft networks with convolutions (the paper's), 0.01 for others.

        With the hard relaxation and guided connections, 0.01 gave the best validation accuracy of 0.005, 0.01, 0.02 and
        0.05 on MNIST (two layers of 8,000, 1,500 steps: 97.3, 97.6, 97.3, 97.2 %), and was as good as any on the digits.
        """
        return max(layer.soft_rate for layer in self.layers) if self.relaxation == "soft" else Layer.soft_rate

    def plan(self, in_shape: Shape, classes: int, label_shape: Shape = ()) -> NetworkPlan:
        """Work out all shapes, allocating nothing.

        Args:
            in_shape: Shape of one encoded sample.
            classes: Number of classes.
            label_shape: Shape of one sample's labels: () for a class per sample, (height, width) for one per pixel.

        Raises:
            OptionError: A layer does not fit what it gets, or the last one does not divide into the classes or fit the
                labels.
        """
        plans: list[LayerPlan] = []
        shape = in_shape
        for i, layer in enumerate(self.layers):
            for _ in range(min(getattr(layer, "repeat", 1), MOST_LAYERS + 1)):
                before, shape = shape, layer.out_shape(shape, self.k, f"model.layers.{i}")
                plans.append(LayerPlan(layer, before, shape))
            if len(plans) > MOST_LAYERS:
                raise OptionError(f"model.layers.{i} makes more than {MOST_LAYERS} layers")
        final = self.layers[-1]
        last = f"model.layers.{len(self.layers) - 1}"
        if not any(plan.neurons for plan in plans):
            raise OptionError("model.layers has neither dense nor conv: there is nothing to learn")
        if len(shape) != (3 if label_shape else 1) or (label_shape and not final.learned):
            needed = "a convolution" if label_shape else "dense or flatten"
            raise OptionError(f"{last} is {final.type}, but the last layer must be {needed}, for the group sum")
        if label_shape and shape[1:] != label_shape:
            raise OptionError(f"{last} makes images of {shape[1:]}, but the labels are {label_shape}, one per pixel")
        self.head.check(shape[0], classes, label_shape, last)
        if self.unshare is not None:
            _check_unshared(plans)
        return NetworkPlan(self, plans, classes, label_shape)


def _check_unshared(plans: list[LayerPlan]) -> None:
    from gatewright.nn.local import MOST_TAPS

    taps = sum(plan.options.taps(plan.in_shape, plan.out_shape) for plan in plans)
    if taps > MOST_TAPS:
        raise OptionError(
            f"model.unshare: the gates of the convolutions would read {taps} bits, each counted for every gate, expected "
            f"at most {MOST_TAPS}; give them fewer `channels_in`, or a smaller `kernel_size`"
        )


@dataclass(frozen=True)
class LayerPlan:
    """One layer with all sizes known.

    Attributes:
        options: Its section.
        in_shape: Shape of one sample before it, (C, H, W) or (features,).
        out_shape: Shape of one sample after it.
    """

    options: Layer
    in_shape: Shape
    out_shape: Shape

    @property
    def neurons(self) -> int:
        """Neurons that are learned (a convolution's are shared over positions)."""
        return self.out_shape[0] if self.options.learned else 0

    @property
    def gates(self) -> int:
        """Gates of the circuit before simplification."""
        return prod(self.out_shape) if self.options.learned else 0


@dataclass(frozen=True)
class NetworkPlan:
    """A network with all sizes known.

    Attributes:
        options: Its section.
        layers: Its layers in order, repeated ones each.
        classes: Number of classes.
        label_shape: Shape of one sample's labels.
    """

    options: ModelOptions
    layers: list[LayerPlan]
    classes: int
    label_shape: Shape

    @property
    def candidates(self) -> int:
        """Candidates of all gates: what a step computes per sample."""
        return self.options.candidates * sum(layer.gates for layer in self.layers)

    @property
    def logits(self) -> int:
        """Numbers that its layers learn in the end: what its memory grows with."""
        unshared = self.options.unshare is not None
        return self.options.candidates * sum(
            layer.gates if unshared and layer.options.shared else layer.neurons for layer in self.layers
        )

    def build_trained(self, encoder: torch.nn.Module) -> torch.nn.Sequential:
        """A network for the weights of a finished run: its convolutions are unshared if the options say so."""
        import torch

        from gatewright.nn import LogicConv2d, LogicLocal2d

        model = self.build(encoder, torch.Generator())
        if self.options.unshare is not None:
            for i, plan in enumerate(self.layers, 1):
                layer = model[i]
                if isinstance(layer, LogicConv2d):
                    model[i] = LogicLocal2d.of(layer, plan.in_shape)
        return model

    def build(self, encoder: torch.nn.Module, generator: torch.Generator) -> torch.nn.Sequential:
        """The network from raw features to scores, before its first step; the generator draws wiring and logits."""
        from torch import nn

        options = self.options
        neurons = Neurons(
            candidates=options.candidates,
            relaxation=options.relaxation,
            gradients=options.gradients,
            init=options.init,
            generator=generator,
        )
        layers = [plan.options.build(plan.in_shape, plan.out_shape, neurons) for plan in self.layers]
        width = self.layers[-1].out_shape[0]
        tau = options.tau if isinstance(options.tau, float) else None
        head = options.head.build(width, self.classes, self.label_shape, tau=tau, generator=generator)
        return nn.Sequential(encoder, *layers, head)
