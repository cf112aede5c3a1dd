"""Circuits: the netlist, its file, its reference evaluation, simplification, cost and proof."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.circuit.cost import Cost, cost
from gatewright.circuit.deep import deepen
from gatewright.circuit.io import load, save
from gatewright.circuit.io import load as load_circuit
from gatewright.circuit.io import save as save_circuit
from gatewright.circuit.proof.prove import Proof, prove, require_equal
from gatewright.circuit.simplify import PassRecord, simplify

__all__ = [
    "Circuit",
    "Cost",
    "Encoder",
    "Head",
    "PassRecord",
    "Proof",
    "cost",
    "deepen",
    "load",
    "load_circuit",
    "prove",
    "require_equal",
    "save",
    "save_circuit",
    "simplify",
]
