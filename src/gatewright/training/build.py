"""From a config and a data set to an encoder and a network."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import torch

from gatewright.data import Dataset
from gatewright.errors import OptionError
from gatewright.gates import LOGIC, WIRES
from gatewright.nn import GroupSum, LogicConv2d, LogicDense, NearestUpsample, PixelGroupSum, WeightedSum
from gatewright.nn.thermometer import Thermometer
from gatewright.training.config import Conv, Dense, Flatten, ModelOptions, RunConfig, Upsample, WeightedHead

Shape = tuple[int, ...]

GATES = {"all": None, "logic": LOGIC, "wires": WIRES}
"""Gates that the neurons of a dense layer may take."""

SMALL_STEP = 1 << 23
"""Candidate-samples of a step (about 2 ms on one core) below which one thread is used."""


@dataclass(frozen=True)
class LayerPlan:
    """One layer with all sizes known.

    Attributes:
        options: The layer of the config it comes from.
        in_shape: Shape of one sample before it, (C, H, W) or (features,).
        out_shape: Shape of one sample behind it.
    """

    options: Dense | Conv | Flatten | Upsample
    in_shape: Shape
    out_shape: Shape

    @property
    def neurons(self) -> int:
        """Neurons that are learned (a convolution's are shared over positions)."""
        return self.out_shape[0] if isinstance(self.options, (Dense, Conv)) else 0

    @property
    def gates(self) -> int:
        """Gates of the circuit before simplification."""
        return prod(self.out_shape) if isinstance(self.options, (Dense, Conv)) else 0


def plan_layers(model: ModelOptions, in_shape: Shape, classes: int, label_shape: Shape = ()) -> list[LayerPlan]:
    """Work out all shapes, allocating nothing.

    Args:
        model: The network's options.
        in_shape: Shape of one encoded sample.
        classes: Number of classes.
        label_shape: Shape of one sample's labels: () for a class per sample, (height, width) for one per pixel.

    Raises:
        OptionError: A layer does not fit what it gets, or the last one does not divide into the classes or fit the labels.
    """
    plans: list[LayerPlan] = []
    shape = in_shape
    for i, options in enumerate(model.layers):
        for _ in range(options.repeat if isinstance(options, (Dense, Conv)) else 1):
            plan = LayerPlan(options, shape, _out_shape(model, options, shape, f"model.layers.{i}"))
            plans.append(plan)
            shape = plan.out_shape
    last = f"model.layers.{len(model.layers) - 1}"
    if not any(plan.neurons for plan in plans):
        raise OptionError("model.layers has neither dense nor conv: there is nothing to learn")
    if len(shape) != (3 if label_shape else 1) or (label_shape and model.layers[-1].type != "conv"):
        needed = "a convolution" if label_shape else "dense or flatten"
        raise OptionError(f"{last} is {model.layers[-1].type}, but the last layer must be {needed}, for the group sum")
    if label_shape and shape[1:] != label_shape:
        raise OptionError(f"{last} makes images of {shape[1:]}, but the labels are {label_shape}, one a pixel")
    if shape[0] % classes and not isinstance(model.head, WeightedHead):
        below = max(1, shape[0] // classes) * classes
        what = "channels" if label_shape else "bits"
        raise OptionError(
            f"{last} has {shape[0]} {what}, which do not divide into {classes} classes; "
            f"take {below} or {below + classes}"
        )
    return plans


def _out_shape(model: ModelOptions, options: Dense | Conv | Flatten | Upsample, shape: Shape, where: str) -> Shape:
    if isinstance(options, Flatten):
        return (prod(shape),)
    if isinstance(options, Dense):
        if len(shape) != 1:
            raise OptionError(f"{where} is dense but gets images {shape}: put {{type: flatten}} before it")
        width = model.size(options.width)
        if options.inputs and (shape[0] % options.inputs or width % (shape[0] // options.inputs)):
            raise OptionError(
                f"{where}.inputs is {options.inputs}, which does not divide {shape[0]} bits into groups for {width} neurons"
            )
        return (width,)
    if len(shape) != 3:
        what = "a convolution" if isinstance(options, Conv) else "an upsampling"
        raise OptionError(f"{where} is {what} but gets rows of {shape[0]} features, not images")
    if isinstance(options, Upsample):
        return (shape[0], shape[1] * options.scale, shape[2] * options.scale)
    if options.channels_in > 1 and shape[0] % options.channels_in:
        raise OptionError(
            f"{where}.channels_in is {options.channels_in}, which does not divide the {shape[0]} channels"
        )
    sides = [(side + 2 * _padding(options) - options.kernel) // options.stride + 1 for side in shape[1:]]
    if min(sides) < 1:
        raise OptionError(f"{where}: a {options.kernel}x{options.kernel} kernel does not fit images {shape}")
    return (model.size(options.channels), *sides)


def _padding(options: Conv) -> int:
    return options.kernel // 2 if options.padding is None else options.padding


def build_encoder(config: RunConfig, dataset: Dataset) -> Thermometer:
    """The encoder, with quantile thresholds from the training split only."""
    options = config.data.encoder
    binary = dataset.binary_features if dataset.binary_features.any() else None
    if options.kind == "quantile":
        return Thermometer.quantile(options.thresholds, dataset.train.x, binary=binary)
    return Thermometer.uniform(
        options.thresholds, dataset.shape, dataset.dtype, low=options.low, high=options.high, binary=binary
    )


def build_model(
    config: RunConfig, encoder: Thermometer, classes: int, generator: torch.Generator, label_shape: Shape = ()
) -> torch.nn.Sequential:
    """The network from raw features to scores: the encoder, the layers in order, the group sum.

    Args:
        config: The run's options.
        encoder: Raw features to bits.
        classes: Number of classes.
        generator: Draws wiring and logits.
        label_shape: Shape of one sample's labels.
    """
    options = config.model
    modules: list[torch.nn.Module] = [encoder]
    plans = plan_layers(options, encoder.out_shape, classes, label_shape)
    for plan in plans:
        layer = plan.options
        if isinstance(layer, Flatten):
            modules.append(torch.nn.Flatten())
        elif isinstance(layer, Upsample):
            modules.append(NearestUpsample(layer.scale))
        elif isinstance(layer, Dense):
            modules.append(
                LogicDense(
                    plan.in_shape[0],
                    plan.out_shape[0],
                    inputs=layer.inputs,
                    candidates=options.candidates,
                    relaxation=options.relaxation,
                    gradients=options.gradients,
                    init=options.init,
                    gates=GATES[layer.gates],
                    generator=generator,
                )
            )
        else:
            modules.append(
                LogicConv2d(
                    plan.in_shape[0],
                    plan.out_shape[0],
                    layer.kernel,
                    stride=layer.stride,
                    padding=_padding(layer),
                    channels=layer.channels_in,
                    candidates=options.candidates,
                    relaxation=options.relaxation,
                    gradients=options.gradients,
                    init=options.init,
                    generator=generator,
                )
            )
    modules.append(_build_head(options, plans[-1].out_shape, classes, generator, label_shape))
    return torch.nn.Sequential(*modules)


def _build_head(
    options: ModelOptions, in_shape: Shape, classes: int, generator: torch.Generator, label_shape: Shape
) -> torch.nn.Module:
    if isinstance(options.head, WeightedHead):
        if label_shape:
            raise OptionError("model.head is weighted, which decides for whole samples, but the labels are of pixels")
        return WeightedSum(in_shape[0], classes, limit=options.head.limit, tau=options.tau, generator=generator)
    return (PixelGroupSum if label_shape else GroupSum)(classes, tau=options.tau)


def thread_count(config: RunConfig, encoder: Thermometer, classes: int, label_shape: Shape = ()) -> int:
    """CPU threads to train with: as given, or by rule from the work of a step."""
    if config.train.threads is not None:
        return config.train.threads
    gates = sum(plan.gates for plan in plan_layers(config.model, encoder.out_shape, classes, label_shape))
    small = gates * config.model.candidates * config.train.batch < SMALL_STEP
    return 1 if small else torch.get_num_threads()


def parameter_groups(config: RunConfig, model: torch.nn.Module) -> list[dict[str, Any]]:
    """The optimizer's parameter groups, each with its peak learning rate as `lr` and `peak`."""
    rates: dict[float, list[torch.nn.Parameter]] = {}
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if own:
            head = config.model.head
            rate = (
                head.lr if isinstance(module, WeightedSum) and isinstance(head, WeightedHead) else learning_rate(config)
            )
            rates.setdefault(rate, []).extend(own)
    return [{"params": own, "lr": rate, "peak": rate} for rate, own in rates.items()]


def learning_rate(config: RunConfig) -> float:
    """The learning rate: as given, or by rule: 0.02 for soft networks with convolutions (the paper's), 0.01 for others.

    With the hard relaxation and guided connections, 0.01 gave the best validation accuracy of 0.005, 0.01, 0.02 and 0.05
    on MNIST (two layers of 8,000, 1,500 steps: 97.3, 97.6, 97.3, 97.2 %), and as good a one as any on the digits.
    """
    if config.optimizer.lr is not None:
        return config.optimizer.lr
    has_convolution = any(isinstance(layer, Conv) for layer in config.model.layers)
    return 0.02 if config.model.relaxation == "soft" and has_convolution else 0.01
