"""How the Triton kernels are launched: block sizes, kept in one place.

They are fixed, not tuned at run time. Same seed, same device kind, same result: in which order a kernel adds follows
from its tile and warps, which therefore must not depend on what happened to be fastest today; and the kernels that
only move bits are too small a part of a step to spend seconds of every process on. `benchmarks/gpu.py tune` measures
other sizes on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor

OPTIONS = {"enable_fp_fusion": True}
"""Said at every launch, as Triton is about to change its default: a multiplication and an addition are one
instruction."""


@dataclass
class Blocks:
    """Tile of a kernel: candidates (or readers of a row) by samples, and the warps that work on it.

    Attributes:
        many: Candidates or readers per tile.
        samples: Samples per tile, a power of two, at least 32; fewer where the batch has fewer.
        warps: Warps per program.
        part: Samples (over all positions) that one program sums; more are cut into parts that are added afterwards, so
            that a convolution of few channels still fills the GPU.
    """

    many: int
    samples: int = 128
    warps: int = 1
    part: int = 2048

    @property
    def options(self) -> dict[str, Any]:
        """Launch options."""
        return {"num_warps": self.warps, **OPTIONS}

    def samples_of(self, n: int) -> int:
        """Samples per tile for a batch of n."""
        return min(self.samples, max(32, int(triton.next_power_of_2(n))))

    def many_of(self, candidates: int) -> int:
        """Candidates per tile for neurons with so many."""
        return min(self.many, int(triton.next_power_of_2(candidates)))

    def parts_of(self, positions: int, n: int) -> tuple[int, int]:
        """Positions that a program sums over, and the parts that makes."""
        each = max(1, self.part // n)
        return each, -(-positions // each)


# One warp per program: a warp reads 128 samples of a row in one go (16 bytes per thread), sums over candidates or readers
# stay within a thread, and no warp waits for another. Several rows per tile are independent loads in flight.
MIX = Blocks(many=8)
"""Soft forward."""

SOFT_SUMS = Blocks(many=4)
"""Candidate sums of float activations: three accumulators per candidate and sample stay in registers, 48 per thread."""

HARD_SUMS = Blocks(many=4)
"""Candidate sums of packed bits: a tile's words are one load, and go to the threads through shared memory."""

INPUT = Blocks(many=8)
"""Input gradients, soft and hard."""

ROWS = 64
"""Neurons that a program of the small kernels over candidates handles."""

FLAT = 512
"""Words or values that a program handles where each is on its own."""

TILE = 16
"""Rows that a program packs, 64 samples of each."""


def candidate_sums(
    kernel: Any,
    blocks: Blocks,
    x: Tensor,
    grad: Tensor,
    rows_a: Tensor,
    rows_b: Tensor,
    positions: Tensor,
    **sizes: int,
) -> tuple[Tensor, Tensor]:
    """Launch a kernel that sums over parts of the samples: S0 [M] and the sums [M, K, 3] of `reference.soft_backward`."""
    neurons, n_k = rows_a.shape
    p, n = grad.shape[1:]
    block, many = blocks.samples_of(n), blocks.many_of(n_k)
    each, parts = blocks.parts_of(p, n)
    s0 = torch.empty(parts, neurons, device=x.device)
    sums = torch.empty(parts, neurons, n_k, 3, device=x.device)
    full = n_k % many == 0 and n % block == 0
    sizes = {"each": each, "n_k": n_k, "K": many, "N": block, "WHOLE": full, **sizes, **blocks.options}
    programs = neurons * triton.cdiv(n_k, many), parts
    kernel[programs](x, grad, rows_a, rows_b, positions, s0, sums, neurons, p, n, **sizes)
    return (s0[0], sums[0]) if parts == 1 else (s0.sum(0), sums.sum(0))
