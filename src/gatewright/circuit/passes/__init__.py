"""Lossless simplification: one file a pass, each a function `circuit -> (circuit, PassRecord)`."""

from __future__ import annotations

from gatewright.circuit.passes.absorption import absorption
from gatewright.circuit.passes.dead import dead
from gatewright.circuit.passes.encoder import encoder
from gatewright.circuit.passes.operands import operands
from gatewright.circuit.passes.outputs import outputs
from gatewright.circuit.passes.pipeline import simplify
from gatewright.circuit.passes.propagation import propagation
from gatewright.circuit.passes.record import PassRecord
from gatewright.circuit.passes.sharing import sharing

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
