"""Lossless simplification: one forward sweep, repeated until nothing changes."""

from __future__ import annotations

from gatewright.circuit.simplify.rewriting import PassRecord, simplify

__all__ = ["PassRecord", "simplify"]
