"""Circuits: the netlist, its file, its reference evaluation and its simplification."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.circuit.io import load, save
from gatewright.circuit.passes import PassRecord, simplify

__all__ = ["Circuit", "Encoder", "Head", "PassRecord", "load", "save", "simplify"]
