"""Types of single options: moments, sizes and shares.

A moment (when something starts or stops) is a number of steps (whole) or a share of the run (with a point, 0.0 to 1.0).
A size is a whole number or a multiple of `model.k` (`"4 * k"`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from gatewright.errors import OptionError
from gatewright.runtime import ranges


def _moment(value: float) -> float:
    if not 0 <= value <= (1 if isinstance(value, float) else ranges.COUNT.high):
        raise ValueError("must be a number of steps (whole, 0 or more) or a share of the run (0.0 to 1.0)")
    return value


def _size(value: int | str) -> int | str:
    if isinstance(value, str):
        _factor(value)
    elif not 1 <= value <= ranges.COUNT.high:
        raise ValueError(f"must be a number from 1 to {ranges.COUNT.high}")
    return value


def _not_below(known: ranges.Range) -> Callable[[float], float]:
    def check(value: float) -> float:
        if value < known.low:
            raise ValueError(f"should be at least {known.low:g}")
        return value

    return check


def _factor(text: str) -> int:
    """The m of a relative size "m * k" (or "k")."""
    head, star, tail = text.replace(" ", "").rpartition("*")
    if tail != "k" or (star and not (head.isdecimal() and len(head) < 10 and int(head) > 0)):
        raise ValueError(f"must be a whole number or a multiple of model.k such as '4 * k', got {text!r}")
    return int(head) if star else 1


Moment = Annotated[int | float, AfterValidator(_moment)]
Size = Annotated[int | str, AfterValidator(_size)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0, le=int(ranges.COUNT.high))]
CountOrNone = Annotated[int, Field(ge=0, le=int(ranges.COUNT.high))]
Seed = Annotated[int, Field(ge=0, le=int(ranges.SEED.high))]
Finite = Annotated[float, Field(ge=ranges.FLOAT32.low, le=ranges.FLOAT32.high)]
Temperature = Annotated[float, Field(gt=0, le=ranges.TEMPERATURE.high), AfterValidator(_not_below(ranges.TEMPERATURE))]
Rate = Annotated[float, Field(gt=0, le=ranges.RATE.high), AfterValidator(_not_below(ranges.RATE))]
Clip = Annotated[float, Field(gt=0, le=ranges.CLIP.high), AfterValidator(_not_below(ranges.CLIP))]
Margin = Annotated[float, Field(ge=ranges.MARGIN.low, le=ranges.MARGIN.high)]
Cost = Annotated[float, Field(ge=ranges.COST.low, le=ranges.COST.high)]
Tolerance = Annotated[float, Field(gt=0, le=ranges.TOLERANCE.high), AfterValidator(_not_below(ranges.TOLERANCE))]

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
