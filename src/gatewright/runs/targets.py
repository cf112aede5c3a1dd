"""What networks learn of labels: classes as they are, or numbers on a common scale, and how to come back from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from gatewright.data import Dataset, Split
from gatewright.data.numbers import Scale, fitted_line
from gatewright.engine import Engine
from gatewright.lowering import lower
from gatewright.nn import NumberSum, relaxed
from gatewright.runs.fit import Fit
from gatewright.training.batches import EVALUATION_BATCH
from gatewright.training.objective import CLASSES, NUMBERS, Objective


def objective(dataset: Dataset) -> Objective:
    """What training minimises."""
    return NUMBERS if dataset.numbers else CLASSES


def targets(dataset: Dataset, part: str) -> Split:
    """A part as networks learn it: numbers with the mean and variance of the training part."""
    split = dataset.split(part)
    return Split(split.x, Scale.of(dataset.train.y).standardized(split.y)) if dataset.numbers else split


def number_line(model: torch.nn.Sequential, dataset: Dataset) -> list[float]:
    """Base and scale that make numbers of a trained network's counts.

    They are those of least squared error on the training part, or where counts say nothing of it, of the standardized
    numbers.
    """
    circuit = lower(model)
    line = fitted_line(Engine(circuit).counts(dataset.train.x)[:, 0], dataset.train.y)
    if line is None:
        assert circuit.head is not None  # noqa: S101 - a network of numbers has one
        scale, (base, step) = Scale.of(dataset.train.y), circuit.head.number
        line = scale.mean + scale.deviation * base, float(np.float32(scale.deviation * step))
    return list(line)


@torch.no_grad()
def fits(model: torch.nn.Module, number: Sequence[float], split: Split, device: torch.device) -> tuple[Fit, Fit]:
    """How near the numbers of a network are on a split, relaxed and discretized; its mode is eval afterwards.

    Args:
        model: The network, on the device.
        number: Base and scale, as `number_line` gives them.
        split: Samples and numbers.
        device: Where the network is.
    """
    assert isinstance(model, torch.nn.Sequential)  # noqa: S101 - networks are
    head = model[-1]
    assert isinstance(head, NumberSum)  # noqa: S101 - `objective` trains no other
    base, scale = number

    def numbers() -> npt.NDArray[np.float64]:
        parts = torch.from_numpy(split.x).split(EVALUATION_BATCH)
        scores = torch.cat([model(part.to(device)).cpu() for part in parts])[:, 0].double().numpy()
        return np.asarray(base + scale * ((scores - head.base()) * head.tau))

    model.eval()
    with relaxed(model):
        soft = Fit(split.y, numbers())
    return soft, Fit(split.y, numbers())
