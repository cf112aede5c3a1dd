"""Outputs whose sum is known."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.rewrite import Rule, rewrite


def outputs(circuit: Circuit) -> tuple[Circuit, PassRecord]:
    """Fold constant outputs, and pairs of inverse outputs of one class, into the offsets of the head.

    The remaining outputs keep their order. Without a head every output stays, constants as a constant gate.
    """
    return rewrite(circuit, "outputs", Rule.OUTPUTS)
