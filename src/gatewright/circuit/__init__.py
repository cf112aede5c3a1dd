"""Circuits: the netlist, its file, its reference evaluation, simplification, cost and proof."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.circuit.cost import Cost, cost
from gatewright.circuit.io import load, save
from gatewright.circuit.passes import PassRecord, simplify

__all__ = ["Circuit", "Cost", "Encoder", "Head", "PassRecord", "cost", "load", "save", "simplify"]
