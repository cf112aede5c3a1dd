"""Types of single options: moments, sizes and shares.

A moment (when something starts or stops) is a number of steps (whole) or a share of the run (with a point, 0.0 to 1.0).
A size is a whole number or a multiple of `model.k` (`"4 * k"`).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from gatewright.errors import OptionError


def _moment(value: float) -> float:
    if value < 0 or (isinstance(value, float) and value > 1):
        raise ValueError("must be a number of steps (whole, 0 or more) or a share of the run (0.0 to 1.0)")
    return value


def _size(value: int | str) -> int | str:
    if isinstance(value, str):
        _factor(value)
    elif value < 1:
        raise ValueError("must be at least 1")
    return value


def _factor(text: str) -> int:
    """The m of a relative size "m * k" (or "k")."""
    head, star, tail = text.replace(" ", "").rpartition("*")
    if tail != "k" or (star and not (head.isdecimal() and int(head) > 0)):
        raise ValueError(f"must be a whole number or a multiple of model.k such as '4 * k', got {text!r}")
    return int(head) if star else 1


Moment = Annotated[int | float, AfterValidator(_moment)]
Size = Annotated[int | str, AfterValidator(_size)]
Share = Annotated[float, Field(ge=0, le=1)]

Shape = tuple[int, ...]
"""Shape of one sample: (features,) or (C, H, W); of one sample's labels: () or (H, W)."""


def at_step(moment: float, steps: int) -> int:
    """The step that a moment stands for in a run of `steps` steps."""
    return round(moment * steps) if isinstance(moment, float) else moment


def size_with(value: int | str, k: int | None) -> int:
    """A size as a number; relative ones are multiples of k.

    Raises:
        OptionError: The size is relative, and there is no k.
    """
    if not isinstance(value, str):
        return value
    if k is None:
        raise OptionError(f"the size {value!r} is a multiple of model.k, but model.k is not set")
    return _factor(value) * k
