"""How the Triton kernels are launched: block sizes, and which of them may be tuned on the machine.

Same seed, same device kind, same result: a block size that decides in which order numbers are added must not depend
on what happened to be fastest today. So kernels that add have the fixed sizes below, to be changed by hand after
`benchmarks/gpu.py
--tune`; kernels that only move bits (`tuned`) are tuned by Triton at their first launch, on a real GPU.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import triton

INTERPRETED = os.environ.get("TRITON_INTERPRET", "") in {"1", "true", "on", "yes"}
"""Whether the kernels run on the CPU, statement by statement in NumPy: Triton decides it when they are defined."""


OPTIONS = {"enable_fp_fusion": True}
"""Said at every launch, as Triton is about to change its default: a multiplication and an addition are one
instruction."""


@dataclass
class Blocks:
    """Tile of a kernel: candidates (or readers of a row) by samples, and the warps that work on it.

    Attributes:
        many: Candidates or readers a tile.
        samples: Samples a tile, a power of two, at least 32; fewer where the batch has fewer.
        warps: Warps a program.
        part: Samples (over all positions) that one program sums; more are cut into parts that are added afterwards,
            so that
            a convolution of few channels still fills the GPU.
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
        """Samples a tile for a batch of n."""
        return min(self.samples, max(32, int(triton.next_power_of_2(n))))


# One warp a program: a warp reads 128 samples of a row in one go (16 bytes a thread), sums over candidates or readers
# stay within a thread, and no warp waits for another. Several rows a tile are independent loads in flight.
MIX = Blocks(many=8)
"""Soft forward."""

SOFT_SUMS = Blocks(many=4)
"""Candidate sums of float activations: three accumulators per candidate and sample stay in registers, 48 a thread."""

HARD_SUMS = Blocks(many=4)
"""Candidate sums of packed bits: a tile's words are one load, and go to the threads through shared memory."""

INPUT = Blocks(many=8)
"""Input gradients, soft and hard."""

ROWS = 64
"""Neurons (or rows) a program of the small kernels handles."""


def tuned(configs: Sequence[dict[str, int]], key: Sequence[str]) -> Callable[[Any], Any]:
    """`triton.jit`, with block sizes and warps chosen by measurement per value of `key`: the first if interpreted."""

    def decorate(function: Any) -> Any:
        kernel = triton.jit(function)
        if INTERPRETED:
            return _Fixed(kernel, {k: v for k, v in configs[0].items() if k != "num_warps"})
        choices = [
            triton.Config({k: v for k, v in c.items() if k != "num_warps"}, num_warps=c.get("num_warps", 4))
            for c in configs
        ]
        return triton.autotune(choices, key=list(key))(kernel)

    return decorate


class _Fixed:
    """A kernel with its tunable arguments filled in, called like a tuned one."""

    def __init__(self, kernel: Any, arguments: dict[str, int]) -> None:
        self._kernel, self._arguments = kernel, arguments

    def __getitem__(self, grid: Any) -> Callable[..., Any]:
        launch = self._kernel[(lambda meta: grid({**meta, **self._arguments})) if callable(grid) else grid]
        return lambda *args, **options: launch(*args, **options, **self._arguments)
