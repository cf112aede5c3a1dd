"""What a chip has room for, and what a finished circuit takes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from gatewright.circuit import Circuit, cost
from gatewright.errors import OptionError
from gatewright.hardware import footprint
from gatewright.hardware.currencies import lut6_complete, nand_inv


def _total_ops(circuit: Circuit) -> int:
    return cost(circuit).total_ops


def _flash(circuit: Circuit) -> int:
    return footprint(circuit).flash


COUNTS: Mapping[str, Callable[[Circuit], int]] = MappingProxyType(
    {"total_ops": _total_ops, "nand": nand_inv, "lut6": lut6_complete, "flash": _flash}
)
"""How each currency is counted in a circuit, complete with encoder and head; see `Budget`."""

UNITS: Mapping[str, str] = MappingProxyType(
    {"total_ops": "total ops", "nand": "NANDs and inverters", "lut6": "six-input tables", "flash": "bytes of flash"}
)
"""What messages call the currencies."""


@dataclass(frozen=True)
class Budget:
    """Limits of a complete circuit, encoder and head included; None for no limit, at least one is given.

    Attributes:
        total_ops: Two-input gates (`gatewright.cost`).
        nand: NAND gates and inverters of standard cells, as yosys maps them.
        lut6: Six-input tables, as ABC maps them.
        flash: Bytes on a Cortex-M4, of the C export.

    Raises:
        OptionError: No limit is given, or one is not positive.

    >>> from gatewright.budget.limits import Budget
    >>> budget = Budget(total_ops=5000, lut6=2000)
    >>> budget.use({"total_ops": 4000, "lut6": 1900})  # of the limit that is nearest
    0.95
    """

    total_ops: int | None = None
    nand: int | None = None
    lut6: int | None = None
    flash: int | None = None

    def __post_init__(self) -> None:
        if not self.limits:
            raise OptionError("a search needs a budget: give max_total_ops, max_nand, max_lut6 or max_flash")
        for name, limit in self.limits.items():
            if limit < 1:
                raise OptionError(f"the limit of {UNITS[name]} is {limit}, expected a number above 0")

    @property
    def limits(self) -> dict[str, int]:
        """The limits that are given, by currency."""
        return {name: limit for name in COUNTS if (limit := getattr(self, name)) is not None}

    @property
    def axis(self) -> str:
        """The currency that fronts are drawn over: the first that is limited."""
        return next(iter(self.limits))

    def use(self, figures: Mapping[str, float]) -> float:
        """The greatest share of a limit that these figures take; above 1 they do not fit."""
        return max(figures[name] / limit for name, limit in self.limits.items())

    def count(self, circuit: Circuit) -> dict[str, int]:
        """The circuit's figures in total ops and every limited currency, by the tools that each needs.

        Raises:
            ToolError: A tool is missing, failed or took too long.
            MissingExtraError: An extra is not installed.
        """
        return {name: COUNTS[name](circuit) for name in dict.fromkeys(["total_ops", *self.limits])}

    def check_tools(self) -> None:
        """Count a circuit of one gate, so that a missing tool is known before hours of training.

        Raises:
            ToolError: A tool is missing.
            MissingExtraError: An extra is not installed.
        """
        self.count(Circuit(2, np.array([1]), np.array([0]), np.array([1]), np.array([2])))

    def __str__(self) -> str:
        return ", ".join(f"{limit:,} {UNITS[name]}" for name, limit in self.limits.items())
