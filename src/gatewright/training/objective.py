"""What a network learns: the loss of its scores, and what each sample counts in evaluations."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss


class Objective(NamedTuple):
    """What training minimises, and what evaluation adds up.

    Attributes:
        loss: From scores and labels of a batch to a number.
        credit: From scores and labels of some samples to what each counts, 1 at most: the mean over a split is its
            figure of merit.
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    credit: Callable[[Tensor, Tensor], Tensor]


def predict(scores: Tensor) -> Tensor:
    """int64 [batch] or [batch, H, W]: the lowest class (axis 1 of the scores) among those with the greatest score.

    Whole-number counts are divided by one temperature, so equal counts give equal scores; torch's argmax does not
    promise the first of equals, hence this detour.
    """
    classes = torch.arange(scores.shape[1], device=scores.device).view(-1, *[1] * (scores.ndim - 2))
    best = scores == scores.amax(dim=1, keepdim=True)
    return torch.where(best, classes, scores.shape[1]).amin(dim=1)


CLASSES = Objective(cross_entropy, lambda scores, y: predict(scores) == y)
"""Classes: cross-entropy, and whether a sample is classified right."""

NUMBERS = Objective(
    lambda scores, y: mse_loss(scores[:, 0], y), lambda scores, y: 1 - (scores[:, 0].double() - y.double()) ** 2
)
"""Numbers of mean 0 and variance 1, from networks of one score: squared error, and the share of the variance explained."""
