"""(+) The temperature of a head, measured on samples before training."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gatewright.errors import UnsupportedError
from gatewright.nn.dense import LogicDense
from gatewright.nn.group_sum import GroupSum
from gatewright.nn.weighted_sum import WeightedSum

SAMPLES = 2000
"""Samples that are enough to measure on."""

FACTOR = 1.2
"""Temperature of independent bits, in deviations of a count."""


@torch.no_grad()
def measure_temperature(model: nn.Sequential, x: Tensor) -> float:
    """Choose the temperature of a network's head from what the untrained network counts.

    Counts of independent bits deviate by r, the rule of the heads. The bits of convolutions are correlated: their counts
    deviate over samples by d, up to seven times r. Part of that is common to all classes, like the brightness of an image,
    and does not enter the softmax, so d is too high a temperature as r is too low a one. `FACTOR * sqrt(r * max(r, d))`
    trains about as well as the best constant, from tables to convolutions (benchmarks/temperature.json).

    Trees that were just drawn give independent bits whatever they read, but not for long. What counts is the bits at their
    leaves: as many of them as there are trees stand for the trees.

    Args:
        model: A network that ends with a `GroupSum`, `PixelGroupSum` or `WeightedSum`; its temperature is set.
        x: Raw training samples; the first `SAMPLES` are used.

    Returns:
        The temperature.

    Raises:
        UnsupportedError: The network has no such head.

    >>> import torch
    >>> from gatewright import GroupSum, LogicDense, measure_temperature
    >>> model = torch.nn.Sequential(LogicDense(8, 400, init="residual"), GroupSum(2))
    >>> bits = torch.randint(0, 2, (1000, 8)).float()
    >>> measure_temperature(model, bits) > 2 * model[1].rule(400)  # 400 wires from 8 inputs are not independent
    True
    """
    head = model[-1] if len(model) else None
    if not isinstance(head, (GroupSum, WeightedSum)):
        raise UnsupportedError(f"a {type(head).__name__} at the end of a network has no temperature to measure")
    training = model.training
    trees = _trees(model)
    bits = model.eval()[: -1 - trees](x[:SAMPLES])
    last = model[-2] if trees else None
    if isinstance(last, LogicDense):
        bits = bits[:, _drawn(bits.shape[1], last.out_features)]
    head.tau = 1.0
    counts = head(bits).double().movedim(1, -1).flatten(0, -2)
    rule = head.rule(bits.shape[1])
    head.tau = FACTOR * math.sqrt(rule * max(rule, float(counts.std(0).mean())))
    model.train(training)
    return head.tau


def _trees(model: nn.Sequential) -> int:
    """How many layers before the head are trees: dense layers of two inputs each, and the one that their leaves are in."""
    depth = 0
    for layer in list(model)[-2::-1]:
        if not isinstance(layer, LogicDense) or layer.inputs != 2 or layer.in_features != 2 * layer.out_features:
            return depth + isinstance(layer, LogicDense) if depth else 0
        depth += 1
    return depth


def _drawn(features: int, n: int) -> Tensor:
    """Features that stand for n trees, always the same."""
    return torch.randint(features, (n,), generator=torch.Generator().manual_seed(0))
