"""Compute kernels behind torch custom ops: `reference` (plain torch, the truth), `cpu` (Numba) and `cuda` (Triton)."""
