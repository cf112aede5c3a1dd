"""Gates that no output depends on."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.passes.record import PassRecord
from gatewright.circuit.passes.rewrite import Rule, rewrite


def dead(circuit: Circuit) -> tuple[Circuit, PassRecord]:
    """Drop the gates that no output depends on."""
    return rewrite(circuit, "dead", Rule.DEAD)
