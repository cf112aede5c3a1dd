"""Compute kernels behind torch custom ops: `reference` (plain torch, the truth) and `cpu` (Numba)."""
