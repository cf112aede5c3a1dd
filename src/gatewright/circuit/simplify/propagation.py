"""Constants, wires and inverters."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.rewrite import Rule, rewrite


def propagation(circuit: Circuit) -> tuple[Circuit, PassRecord]:
    """Propagate constants and wires, and absorb inverters into the gates that read them.

    A constant is left only as an output, an inverter only at an output that needs it.
    """
    return rewrite(circuit, "propagation", Rule.NONE)
