"""What a simplification did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PassRecord:
    """What one pass over a circuit did.

    Attributes:
        name: The pass: "sweep", or "samples" for the removal with loss.
        gates_before: Gates of the given circuit, including constants, wires and inverters.
        gates_after: Gates of the returned circuit.
        removed: Number of removed gates by rule; the sum is `gates_before - gates_after`. A rule's number is negative
            if it left more gates of its kind than it found (for example an inverter at an output, in place of a shared
            gate that computed the inverse).
        seconds: Wall-clock time.
    """

    name: str
    gates_before: int
    gates_after: int
    removed: Mapping[str, int]
    seconds: float
