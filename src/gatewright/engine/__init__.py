"""Packed-bit evaluation of circuits on this machine's processor."""

from gatewright.circuit.packed import PackedBits
from gatewright.engine.engine import Engine

__all__ = ["Engine", "PackedBits"]
