"""Accuracy of a network on a whole split, as the relaxation and as the discretized network."""

from __future__ import annotations

from typing import NamedTuple

import torch

from gatewright import nn
from gatewright.errors import DataError
from gatewright.training.batches import Feed
from gatewright.training.processes import Ranks


class Accuracy(NamedTuple):
    """Shares of samples (of pixels, where these have classes) classified right, 0 to 1.

    Attributes:
        soft: With the soft relaxation in all layers that are not frozen.
        hard: With every neuron's best candidate: what the circuit will do.
    """

    soft: float
    hard: float


@torch.no_grad()
def evaluate(model: torch.nn.Module, feed: Feed, ranks: Ranks = Ranks()) -> Accuracy:  # noqa: B008 - immutable
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
        hard = _correct(model, feed, ranks)
        with nn.relaxed(model):
            soft = _correct(model, feed, ranks)
    finally:
        model.train(training)
    return Accuracy(soft / feed.decisions, hard / feed.decisions)


def _correct(model: torch.nn.Module, feed: Feed, ranks: Ranks) -> float:
    kind = torch.int64 if feed.weight is None else torch.float64
    correct = torch.zeros((), dtype=kind, device=feed.device)
    start = 0
    for i, (x, y) in enumerate(feed.all()):
        if i % ranks.size == ranks.rank:
            right = predict(model(x)) == y
            correct += right.sum() if feed.weight is None else feed.weight[start : start + len(y)][right].sum()
        start += len(y)
    return float(ranks.total(correct))


def predict(scores: torch.Tensor) -> torch.Tensor:
    """int64 [batch] or [batch, H, W]: the lowest class (axis 1 of the scores) among those with the greatest score.

    Whole-number counts are divided by one temperature, so equal counts give equal scores; torch's argmax does not
    promise the first of equals, hence this detour.
    """
    classes = torch.arange(scores.shape[1], device=scores.device).view(-1, *[1] * (scores.ndim - 2))
    best = scores == scores.amax(dim=1, keepdim=True)
    return torch.where(best, classes, scores.shape[1]).amin(dim=1)
