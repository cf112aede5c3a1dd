"""Packed-bit evaluation of circuits on this machine's processor."""

from gatewright.engine.engine import Engine

__all__ = ["Engine"]
