"""What a pass says about itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PassRecord:
    """What one pass did.

    Attributes:
        name: The pass.
        gates_before: Gates of the circuit it was given, constants, wires and inverters included.
        gates_after: Gates of the circuit it returned.
        removed: By rule, how many gates went; the sum is `gates_before - gates_after`. A rule's number is negative
            where it left more gates of its kind than there were (an inverter at an output, say, where a gate that
            computed the inverse was shared).
        seconds: Wall-clock time it took.
    """

    name: str
    gates_before: int
    gates_after: int
    removed: Mapping[str, int]
    seconds: float
