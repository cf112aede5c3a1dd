"""Circuits: the netlist, its file, its reference evaluation, simplification, cost and proof."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.circuit.cost import Cost, cost
from gatewright.circuit.io import load_circuit, save_circuit
from gatewright.circuit.proof import Proof, prove, require_equal
from gatewright.circuit.simplify import PassRecord, simplify

__all__ = [
    "Circuit",
    "Cost",
    "Encoder",
    "Head",
    "PassRecord",
    "Proof",
    "cost",
    "load_circuit",
    "prove",
    "require_equal",
    "save_circuit",
    "simplify",
]
