"""Lossless simplification: one file a pass, each a function `circuit -> (circuit, PassRecord)`."""

from __future__ import annotations

from gatewright.circuit.simplify.absorption import absorption
from gatewright.circuit.simplify.dead import dead
from gatewright.circuit.simplify.encoder import encoder
from gatewright.circuit.simplify.operands import operands
from gatewright.circuit.simplify.outputs import outputs
from gatewright.circuit.simplify.pipeline import simplify
from gatewright.circuit.simplify.propagation import propagation
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.sharing import sharing

PASSES = (propagation, operands, absorption, sharing, encoder, outputs, dead)
"""Every pass, each of which `simplify` contains."""

__all__ = [
    "PASSES",
    "PassRecord",
    "absorption",
    "dead",
    "encoder",
    "operands",
    "outputs",
    "propagation",
    "sharing",
    "simplify",
]
