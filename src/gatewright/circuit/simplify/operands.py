"""Equal and complementary operands."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.rewrite import Rule, rewrite


def operands(circuit: Circuit) -> tuple[Circuit, PassRecord]:
    """Resolve gates whose operands are the same node or inverses of each other: they are constants or wires."""
    return rewrite(circuit, "operands", Rule.EQUAL)
