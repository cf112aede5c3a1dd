"""Proofs that two circuits are equal for every input."""

from __future__ import annotations

from gatewright.circuit.proof.prove import Proof, can_prove, prove, require_equal

__all__ = ["Proof", "can_prove", "prove", "require_equal"]
