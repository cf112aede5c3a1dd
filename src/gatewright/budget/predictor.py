"""What an untrained network will cost, from its architecture alone.

A few coefficients say how many of the neurons are left after training and simplification, what a counted bit costs, and how
two-input gates turn into NANDs, tables and bytes. They are fitted to the circuits of the zoo and the rows of
`benchmarks/pareto.json`, and live in `coefficients.json` beside this file with the errors on circuits left out of the fit:
`python benchmarks/cost_predictor.py` writes both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from math import exp, prod
from typing import Any, cast

import numpy as np

from gatewright.circuit import Circuit, Encoder, cost
from gatewright.data import Dataset
from gatewright.training.config import RunConfig
from gatewright.training.config.data import EncoderOptions
from gatewright.training.config.heads import WeightedHead
from gatewright.training.config.layers import Conv, Dense
from gatewright.training.config.model import LayerPlan, NetworkPlan

PARTS = ("encoder", "logic", "head")
START = {
    "solid_dense": 0.85,
    "solid_conv": 0.7,
    "spread_dense": 0.6,
    "spread_conv": 0.5,
    "spread_encoder": 0.6,
    "head_bit": 4.4,
    "head_weight_1": 0.8,
    "head_weight_more": 1.0,
}
"""Where the fit of the parts begins; see `parts`."""


@dataclass(frozen=True)
class EncoderSize:
    """What an encoder costs if every bit of it is read.

    Attributes:
        bits: Bits that it makes.
        ops: Two-input gates of all its comparators.
    """

    bits: int
    ops: int

    @classmethod
    def of(cls, options: EncoderOptions, dataset: Dataset) -> tuple[EncoderSize, tuple[int, ...]]:
        """The size of an encoder with thresholds from the training split, and the shape of its samples."""
        thermometer = options.build(dataset)
        feature, threshold = thermometer.feature.numpy(), thermometer.threshold.numpy()
        encoder = Encoder(feature, threshold, thermometer.shape, thermometer.dtype, types=thermometer.types)
        none = np.zeros(0, np.int32)
        circuit = Circuit(feature.size, none, none, none, np.arange(feature.size), encoder=encoder)
        return cls(feature.size, cost(circuit).total_ops), thermometer.out_shape


def parts(plan: NetworkPlan, encoder: EncoderSize, numbers: Mapping[str, float]) -> dict[str, float]:
    """Two-input gates of encoder, logic and head, by the coefficients of `START`.

    From the head backwards, a layer of w neurons of which r are read by the next one keeps them; r pairs of operands, drawn
    among n, are expected to meet n (1 - exp(-spread 2 r / n)) different ones. `solid` neurons are gates, not wires.
    """
    kept = float(prod(plan.layers[-1].out_shape))
    logic = 0.0
    head = _head(plan, numbers)
    spread = numbers["spread_dense"]
    for i, layer in reversed(list(enumerate(plan.layers))):
        if not layer.options.learned:
            continue
        logic += kept * _solid(layer, numbers)
        inputs = float(prod(layer.in_shape))
        if _is_tree(layer):
            kept = min(inputs, 2 * kept)
            continue
        first = not any(before.options.learned for before in plan.layers[:i])
        if first:
            spread = numbers["spread_encoder"]
        else:
            spread = numbers["spread_conv" if isinstance(layer.options, Conv) else "spread_dense"]
        kept = inputs * (1 - exp(-spread * 2 * kept / inputs))
    return {"encoder": encoder.ops * kept / encoder.bits, "logic": logic, "head": head}


def _is_tree(layer: LayerPlan) -> bool:
    return isinstance(layer.options, Dense) and layer.options.inputs == 2


def _solid(layer: LayerPlan, numbers: Mapping[str, float]) -> float:
    if isinstance(layer.options, Dense):
        return {"all": numbers["solid_dense"], "logic": 1.0, "wires": 0.0}[layer.options.gates]
    return numbers["solid_conv"]


def _head(plan: NetworkPlan, numbers: Mapping[str, float]) -> float:
    bits = float(prod(plan.layers[-1].out_shape))
    head = plan.options.head
    if isinstance(head, WeightedHead):
        return bits * plan.classes * numbers["head_weight_1" if head.limit == 1 else "head_weight_more"]
    return bits * numbers["head_bit"]


def prices(sizes: Mapping[str, float], tree: bool, numbers: Mapping[str, Any]) -> dict[str, float]:
    """A circuit's figures in every currency, from the gates of its parts.

    Args:
        sizes: Two-input gates of encoder, logic and head.
        tree: Whether the logic is trees, which fill tables better.
        numbers: Per currency, the price of a gate of each part.
    """
    figures = {"total_ops": sum(sizes.values())}
    for currency, price in numbers.items():
        figures[currency] = sum(sizes[part] * price[_priced(part, tree)] for part in PARTS) + price.get("fixed", 0.0)
    return figures


def _priced(part: str, tree: bool) -> str:
    return "trees" if part == "logic" and tree else part


class Predictor:
    """Predicts costs of networks for one data set.

    Args:
        dataset: What the networks learn; encoders take their thresholds from its training split.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._known = coefficients()
        self._encoders: dict[str, tuple[EncoderSize, tuple[int, ...]]] = {}

    def plan(self, config: RunConfig) -> tuple[NetworkPlan, EncoderSize]:
        """The sizes of a config's network and encoder.

        Raises:
            OptionError: A layer does not fit what it gets.
        """
        options = config.data.encoder
        key = options.model_dump_json()
        if key not in self._encoders:
            self._encoders[key] = EncoderSize.of(options, self._dataset)
        size, shape = self._encoders[key]
        return config.model.plan(shape, self._dataset.n_classes, self._dataset.label_shape), size

    def figures(self, config: RunConfig) -> dict[str, float]:
        """Predicted total ops, NANDs and inverters, six-input tables and bytes of flash.

        Raises:
            OptionError: A layer does not fit what it gets.
        """
        plan, encoder = self.plan(config)
        return prices(parts(plan, encoder, self._known["parts"]), is_trees(plan), self._known["prices"])


def is_trees(plan: NetworkPlan) -> bool:
    """Whether a network has layers that form trees."""
    return any(map(_is_tree, plan.layers))


def coefficients() -> dict[str, Any]:
    """The fitted coefficients, and the errors on circuits that they were not fitted on."""
    text = resources.files("gatewright.budget").joinpath("coefficients.json").read_text(encoding="utf-8")
    return cast("dict[str, Any]", json.loads(text))
