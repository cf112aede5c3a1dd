"""What networks learn of labels: classes as they are, or numbers on a common scale, and how to come back from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from gatewright.data import Dataset, Split
from gatewright.data.dataset import SPLITS
from gatewright.data.numbers import Scale, fitted_line
from gatewright.engine import Engine
from gatewright.errors import DataError, OptionError
from gatewright.lowering import lower
from gatewright.nn import NumberSum, relaxed
from gatewright.runs.fit import Fit
from gatewright.training.batches import EVALUATION_BATCH
from gatewright.training.config import RunConfig
from gatewright.training.objective import CLASSES, NUMBERS, Objective


def check_numbers(dataset: Dataset, config: RunConfig) -> None:
    """Refuse what only classes can have, and numbers whose fit says nothing, before anything is trained.

    Raises:
        OptionError: An option is for classes.
        DataError: All numbers of a part are equal, or they are too far apart.
    """
    if not dataset.numbers:
        return
    if config.model.tau == "measured":
        raise OptionError("model.tau is measured, which is for classes; a head of numbers has its own: leave it out")
    if config.circuit.prune:
        raise OptionError("circuit.prune is judged by right classes, but the data have numbers; leave it out")
    parts = {part: dataset.split(part).y for part in SPLITS if len(dataset.split(part))}
    for part, y in parts.items():
        if (y == y[0]).all():
            raise DataError(
                f"{dataset.name}: all {len(y)} numbers of the {part} part are {y[0]:g}, so no fit to them can be measured; "
                "give more rows, or a larger share to that part (data.split)"
            )
    Scale.of(np.concatenate(list(parts.values())))


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
