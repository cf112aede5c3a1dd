"""Proofs that two circuits are equal for every input."""

from __future__ import annotations

from gatewright.circuit.proof.prove import Proof, prove, require_equal

__all__ = ["Proof", "prove", "require_equal"]
