"""Accuracy of a network on a whole split, as the relaxation and as the discretized network."""

from __future__ import annotations

from typing import NamedTuple

import torch

from gatewright import nn
from gatewright.errors import DataError
from gatewright.training.batches import Feed
from gatewright.training.objective import CLASSES, Objective
from gatewright.training.processes import Ranks


class Accuracy(NamedTuple):
    """Shares of samples (of pixels, where these have classes) classified right, 0 to 1; of numbers, variance explained.

    Attributes:
        soft: With the soft relaxation in all layers that are not frozen.
        hard: With every neuron's best candidate: what the circuit will do.
    """

    soft: float
    hard: float


@torch.no_grad()
def evaluate(
    model: torch.nn.Module,
    feed: Feed,
    ranks: Ranks = Ranks(),  # noqa: B008 - immutable
    objective: Objective = CLASSES,
) -> Accuracy:
    """Both accuracies on all samples of a split; the model's mode is left as it was.

    Several processes share the samples, and all get the result.

    Raises:
        DataError: There are no samples, and so no share of them.
    """
    if not feed.decisions:
        raise DataError("there are no samples to evaluate the network on")
    training = model.training
    model.eval()
    try:
        hard = _credit(model, feed, ranks, objective)
        with nn.relaxed(model):
            soft = _credit(model, feed, ranks, objective)
    finally:
        model.train(training)
    return Accuracy(soft / feed.decisions, hard / feed.decisions)


def _credit(model: torch.nn.Module, feed: Feed, ranks: Ranks, objective: Objective) -> float:
    total = torch.zeros((), dtype=torch.float64, device=feed.device)
    start = 0
    for i, (x, y) in enumerate(feed.all()):
        if i % ranks.size == ranks.rank:
            credit = objective.credit(model(x), y)
            total += (credit if feed.weight is None else feed.weight[start : start + len(y)] * credit).sum()
        start += len(y)
    return float(ranks.total(total))
