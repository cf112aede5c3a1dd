"""The kernels of `reference.py` and `int8_reference.py` on the CPU, compiled by Numba; `*simd.py` are their inner loops."""

from gatewright.kernels.cpu.bits import group_count, hard_forward, pack, threshold, unpack
from gatewright.kernels.cpu.float32 import hard_input_grad, hard_sums, soft_backward, soft_forward
from gatewright.kernels.cpu.int8 import int8_input_grad, int8_sums, quantize
from gatewright.kernels.cpu.mixing import best, chosen, logits_grad, mixture, steepest
from gatewright.kernels.cpu.weighted import weigh, weigh_input, weight_sums

__all__ = [
    "best",
    "chosen",
    "group_count",
    "hard_forward",
    "hard_input_grad",
    "hard_sums",
    "int8_input_grad",
    "int8_sums",
    "logits_grad",
    "mixture",
    "pack",
    "quantize",
    "soft_backward",
    "soft_forward",
    "steepest",
    "threshold",
    "unpack",
    "weigh",
    "weigh_input",
    "weight_sums",
]
