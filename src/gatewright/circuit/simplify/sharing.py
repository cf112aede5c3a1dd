"""Structural hashing."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.rewrite import Rule, rewrite


def sharing(circuit: Circuit) -> tuple[Circuit, PassRecord]:
    """Merge gates that compute the same function of the same operands, or its inverse, in whatever operand order."""
    return rewrite(circuit, "sharing", Rule.SHARE)
