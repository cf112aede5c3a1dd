"""Gates that no output depends on."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.rewrite import Rule, rewrite


def dead(circuit: Circuit) -> tuple[Circuit, PassRecord]:
    """Drop the gates that no output depends on."""
    return rewrite(circuit, "dead", Rule.DEAD)
