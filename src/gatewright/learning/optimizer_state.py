"""Forgetting an optimizer's moments where a candidate was replaced: they belong to what was there before."""

from __future__ import annotations

import torch
from torch import Tensor


def reset_moments(optimizer: torch.optim.Optimizer, parameter: Tensor, where: Tensor) -> None:
    """Zero every moment of the parameter's touched entries.

    Args:
        optimizer: Any optimizer whose per-entry state has the parameter's shape (Adam, SGD with momentum, RMSprop, ...).
        parameter: The logits, [M, K].
        where: bool [M, K].
    """
    for moment in optimizer.state.get(parameter, {}).values():
        if isinstance(moment, Tensor) and moment.shape == parameter.shape:
            moment.masked_fill_(where, 0.0)
