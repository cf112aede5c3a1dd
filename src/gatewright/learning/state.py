"""Entries of a saved state, checked before anything is computed from them: nothing in a file is believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from gatewright.errors import FormatError, shown


def whole(state: Mapping[str, Any], name: str, least: int, most: int) -> int:
    """An entry that is a whole number of a range.

    Raises:
        FormatError: It is missing, of another type, or out of range.
    """
    value = entry(state, name)
    if type(value) is not int or not least <= value <= most:
        raise FormatError(f"the entry {name!r} is {shown(value)}, expected a whole number in {least}..{most}")
    return value


def real(state: Mapping[str, Any], name: str) -> float:
    """An entry that is a finite number and not negative.

    Raises:
        FormatError: It is missing, or something else.
    """
    value = entry(state, name)
    if type(value) not in {int, float} or not math.isfinite(value) or value < 0:
        raise FormatError(f"the entry {name!r} is {shown(value)}, expected a number that is not negative")
    return float(value)


def entry(state: object, name: str) -> Any:
    """An entry of a mapping.

    Raises:
        FormatError: It is missing, or the state is no mapping.
    """
    if not isinstance(state, Mapping):
        raise FormatError(f"the state is {shown(state)}, expected a mapping with {name!r}")
    if name not in state:
        raise FormatError(f"the state has no entry {name!r}")
    return state[name]


def tensor(state: Mapping[str, Any], name: str, like: torch.Tensor) -> torch.Tensor:
    """An entry that is a tensor of the type and shape of another, and finite.

    Raises:
        FormatError: It is something else.
    """
    value = entry(state, name)
    if not isinstance(value, torch.Tensor) or value.dtype != like.dtype or value.shape != like.shape:
        found = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, torch.Tensor) else shown(value)
        raise FormatError(f"the entry {name!r} is {found}, expected {like.dtype} {tuple(like.shape)}")
    if value.is_floating_point() and not bool(torch.isfinite(value).all()):
        raise FormatError(f"the entry {name!r} has numbers that are not finite")
    return value


def counts(state: Mapping[str, Any], name: str, size: int, *, none: bool = False) -> list[Any]:
    """An entry that is a list of whole numbers, not negative.

    Args:
        state: The mapping.
        name: The entry.
        size: How many.
        none: Whether None may stand for a number.

    Raises:
        FormatError: It is something else.
    """
    values = entry(state, name)
    if not isinstance(values, list) or len(values) != size:
        raise FormatError(f"the entry {name!r} is {shown(values)}, expected {size} numbers")
    for value in values:
        if not (none and value is None) and (type(value) is not int or not 0 <= value < 1 << 62):
            raise FormatError(f"the entry {name!r} has {shown(value)}, expected whole numbers")
    return list(values)


def entries(state: Mapping[str, Any], name: str, size: int) -> list[Any]:
    """An entry that is a list, one item per layer.

    Raises:
        FormatError: It is something else.
    """
    values = entry(state, name)
    if not isinstance(values, list) or len(values) != size:
        raise FormatError(f"the entry {name!r} is {shown(values)}, expected a list of {size}")
    return values


MOST_STEPS = (1 << 62) - 1
"""Of any run."""
