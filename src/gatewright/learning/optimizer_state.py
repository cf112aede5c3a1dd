"""An optimizer's moments: forgotten where a candidate was replaced, and checked where they come from a file."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatewright.errors import FormatError, shown
from gatewright.learning.state import entry, real

_SAME = ("params", "peak", "betas", "eps", "weight_decay", "amsgrad", "maximize", "momentum")
"""Options of a group of parameters that are those of the config."""


def reset_moments(optimizer: torch.optim.Optimizer, parameter: Tensor, where: Tensor | tuple[Tensor, Tensor]) -> None:
    """Zero every moment of the parameter's touched entries.

    Args:
        optimizer: Any optimizer whose per-entry state has the parameter's shape (Adam, SGD with momentum, RMSprop, ...).
        parameter: The logits, [M, K].
        where: bool [M, K], or the rows and columns of the entries.
    """
    for moment in optimizer.state.get(parameter, {}).values():
        if isinstance(moment, Tensor) and moment.shape == parameter.shape:
            moment[where] = 0.0


def check_moments(optimizer: torch.optim.Optimizer, state: object, step: int) -> None:
    """Check that a saved state is of this optimizer, parameter by parameter, and not of a later step.

    Raises:
        FormatError: It is not; the message names the group or parameter.
    """
    groups, moments = entry(state, "param_groups"), entry(state, "state")
    own = optimizer.state_dict()["param_groups"]
    if not isinstance(groups, list) or len(groups) != len(own):
        raise FormatError(f"the optimizer has {len(own)} groups of parameters, the state has {shown(groups)}")
    for saved, group in zip(groups, own, strict=True):
        real({"lr": _plain(entry(saved, "lr"))}, "lr")
        for key in _SAME:
            if key in group and _plain(entry(saved, key)) != _plain(group[key]):
                raise FormatError(f"the optimizer's {key!r} is {shown(saved[key])}, expected {shown(group[key])}")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if not isinstance(moments, dict) or not all(isinstance(key, int) and 0 <= key < len(parameters) for key in moments):
        raise FormatError(f"the optimizer's state is of other parameters: {shown(moments)}")
    for number, values in moments.items():
        _check_moments(optimizer, number, values, parameters[number], step)


def _check_moments(optimizer: torch.optim.Optimizer, number: int, values: object, parameter: Tensor, step: int) -> None:
    if not isinstance(values, dict):
        raise FormatError(f"the optimizer's state of parameter {number} is {shown(values)}, expected a mapping")
    missing = {"step", "exp_avg", "exp_avg_sq"} - set(values) if isinstance(optimizer, torch.optim.Adam) else set()
    if missing:
        raise FormatError(f"the optimizer's state of parameter {number} has no {min(missing)!r}")
    for key, value in values.items():
        what = f"the optimizer's {shown(key)} of parameter {number}"
        if key == "step":
            if not 0 <= real({"step": _plain(value)}, "step") <= step:
                raise FormatError(f"{what} is {shown(_plain(value))}, but the run is at step {step}")
        elif not isinstance(value, Tensor) or value.shape != parameter.shape or not value.is_floating_point():
            found = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else shown(value)
            raise FormatError(f"{what} is {found}, expected numbers of shape {tuple(parameter.shape)}")
        elif not bool(torch.isfinite(value).all()) or (key == "exp_avg_sq" and bool((value < 0).any())):
            raise FormatError(f"{what} has numbers that it cannot have")


def _plain(value: Any) -> Any:
    """A number in a tensor as a number, a tuple as a list."""
    if isinstance(value, Tensor) and value.numel() == 1:
        return float(value)
    return list(value) if isinstance(value, tuple) else value
