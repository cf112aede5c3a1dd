"""The ranges of numbers that users give: one place for them, and one check, which refuses by name.

Within its range an option does what it says in float32, in every back end. NaN lies in no range.
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

from gatewright.errors import OptionError


class Range(NamedTuple):
    """The numbers from `low` to `high`, both included."""

    low: float
    high: float

    def check(self, name: str, value: Any) -> float:
        """The value, if it lies in the range.

        Raises:
            OptionError: It does not, or is no number.
        """
        number = isinstance(value, Real) and not isinstance(value, bool)
        if not (number and self.low <= value <= self.high):
            positive = "positive " if self.low > 0 else ""
            raise OptionError(
                f"{name} must be a {positive}number from {self.low:g} to {self.high:g}, got {_shown(value)}"
            )
        return float(value)

    def whole(self, name: str, value: Any) -> int:
        """The value, if it is a whole number in the range.

        Raises:
            OptionError: It is not.
        """
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise OptionError(f"{name} must be a whole number, got {_shown(value)}")
        number = int(value)
        if number < self.low:
            raise OptionError(f"{name} must be at least {self.low}, got {_shown(number)}")
        if number > self.high:
            raise OptionError(f"{name} must be at most {self.high}, got {_shown(number)}")
        return number


def _shown(value: Any) -> str:
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return f"a number of {value.bit_length()} bits"  # its digits may be too many to print
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


FLOAT32 = Range(-3.4028234663852886e38, 3.4028234663852886e38)
"""The finite numbers of float32."""

COUNT = Range(1, 2**31 - 1)
"""Numbers of things: sizes, steps, candidates."""

INT64 = Range(-(2**63), 2**63 - 1)
"""Whole numbers of 64 bits."""

WHOLE = Range(-(2**31), 2**31 - 1)
"""Whole numbers, whatever their sign."""

COST = Range(0, 1e6)
"""What a thousand gates cost in the loss."""

COUNT_OR_NONE = Range(0, COUNT.high)
"""Numbers of things that may be missing."""

SEED = Range(0, 2**64 - 1)
"""Seeds of torch's generators."""

TEMPERATURE = Range(1e-6, 1e6)
"""Temperatures of networks: counts that differ have scores that differ."""

STORED_TEMPERATURE = Range(1e-20, 1e20)
"""Temperatures of circuits, whose classes come from counts: scores are finite. Older networks may lie in between."""

RATE = Range(1e-12, 1e3)
"""Learning rates."""

CLIP = Range(1e-12, 1e12)
"""Norms that gradients are clipped to."""

MARGIN = Range(-100.0, 100.0)
"""Distances of logits."""

TOLERANCE = Range(1e-12, 1.0)
"""Distances of entropies, which lie in 0..1."""
