"""Kernels of the hard relaxation: candidate sums beside the least time the processor's instructions allow; input gradients.

    python benchmarks/kernel_limits.py            # half a minute; writes kernel_limits.json beside itself

The ceiling is the best rate that the same inner loop (three masked additions for each pair of operands) reached for any
shape: among them one neuron with one pair of rows, everything in the first-level cache, and a batch so long that sums are
rarely reduced. What a layer takes more goes to operands from farther caches, to reducing sums, and to writing them. All
take turns; the best of many rounds counts, as everything that disturbs only adds time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gatewright.kernels import ops
from gatewright.kernels.cpu.int8_simd import HAS_VNNI
from gatewright.runtime.machine import machine, versions
from gatewright.runtime.memory import keep_freed_memory
from gatewright.runtime.threads import use_threads

RESULT = Path(__file__).with_suffix(".json")
ROUNDS = 40
NEURONS, CANDIDATES, INPUTS = 8000, 16, 8000


def rows(count: int, n: int, g: torch.Generator) -> torch.Tensor:
    """Random packed rows."""
    return torch.randint(-(2**63), 2**63 - 1, (count, -(-n // 64)), generator=g)


def layer(kind: str, inputs: int, neurons: int, candidates: int, n: int, positions: int = 1) -> Callable[[], Any]:
    """The candidate sums of a layer with random wiring."""
    g = torch.Generator().manual_seed(0)
    words = rows(inputs + positions - 1, n, g)
    a, b = (torch.randint(inputs, (neurons, candidates), generator=g, dtype=torch.int32) for _ in range(2))
    at = torch.arange(positions, dtype=torch.int32)
    grad = torch.randn(neurons, positions, n, generator=g)
    if kind == "float":
        return lambda: ops.hard_sums(words, grad, a, b, at)
    q, scale = ops.quantize(grad)
    return lambda: ops.int8_sums(words, q, scale, 1, a, b, at)


CASES = {
    "one pair of rows, batch 8192": {"inputs": 1, "neurons": 1, "candidates": 512, "n": 8192},
    "dense, batch 128": {"inputs": INPUTS, "neurons": NEURONS, "candidates": CANDIDATES, "n": 128},
    "dense, batch 512": {"inputs": INPUTS, "neurons": NEURONS, "candidates": CANDIDATES, "n": 512},
    "784 inputs, batch 512": {"inputs": 784, "neurons": NEURONS, "candidates": CANDIDATES, "n": 512},
    "convolution, 256 positions, batch 128": {
        "inputs": 4096, "neurons": 64, "candidates": CANDIDATES, "n": 128, "positions": 256,
    },
}  # fmt: skip


INPUT_CASES = {"10,000 neurons, batch 128": (10_000, 128), "40,000 neurons, batch 256": (40_000, 256)}
"""As many neurons as inputs, of random gates and wiring; with as many samples."""


def input_gradient(neurons: int, n: int) -> Callable[[], Any]:
    """The input gradient of a dense layer, rounded to int8."""
    g = torch.Generator().manual_seed(0)
    words, (q, scale) = rows(neurons, n, g), ops.quantize(torch.randn(neurons, 1, n, generator=g))
    a, b = (torch.randint(neurons, (neurons,), generator=g, dtype=torch.int32) for _ in range(2))
    gate, origin = torch.randint(16, (neurons,), generator=g, dtype=torch.uint8), torch.zeros(1, dtype=torch.int32)
    return lambda: ops.int8_input_grad(words, q, scale, 1, a, b, gate, origin, [1, 1, 0, 1], n)


def size(case: dict[str, int]) -> int:
    """Candidate-samples of a case."""
    return case["neurons"] * case["candidates"] * case["n"] * case.get("positions", 1)


def least(runs: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of each, the best of rounds in which all take turns."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(ROUNDS):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def main() -> None:
    found: dict[str, Any] = {}
    keep_freed_memory()  # as in training
    with use_threads(1):
        for kind in ("int8", "float"):
            best = least({name: layer(kind, **case) for name, case in CASES.items()})
            ns = {name: best[name] / size(CASES[name]) * 1e9 for name in best}
            ceiling = min(ns.values())
            found[kind] = {
                name: {"ns_per_candidate_sample": round(value, 4), "share_of_ceiling": round(ceiling / value, 2)}
                for name, value in ns.items()
            }
        best = least({name: input_gradient(*case) for name, case in INPUT_CASES.items()})
        found["input gradients"] = {name: {"ms": round(seconds * 1e3, 3)} for name, seconds in best.items()}
    result = {
        "command": "python benchmarks/kernel_limits.py",
        "vnni": HAS_VNNI,
        "machine": machine(torch.device("cpu")),
        "versions": versions(),
        "kernels": found,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
