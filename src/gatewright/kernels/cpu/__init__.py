"""The kernels on the CPU, compiled by Numba."""
