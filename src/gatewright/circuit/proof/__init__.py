"""Proofs that two circuits are equal for every input."""
