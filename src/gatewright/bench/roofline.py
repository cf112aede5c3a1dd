"""The kernels of a network's layers compared with what the machine can do: its roofline.

For each kernel: the bytes it must move through memory (each input once, each output once), the bytes that its candidates
gather (every operand of every candidate, from any cache), and its arithmetic operations. Divided by the ceilings,
measured on this machine, each gives a time; the largest is the least the kernel can take, and names its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatewright.bench.timing import seconds_of
from gatewright.kernels import ops
from gatewright.nn import LogicLayer
from gatewright.nn.functional import Recorded, Wiring

MIB = 1 << 20


class Ceilings(NamedTuple):
    """The most that the device does per second.

    Attributes:
        memory: Bytes read and written by a copy that no cache holds.
        cache: Bytes read and written by a copy within the cache that a layer's activations lie in.
        arithmetic: float32 operations of a large matrix product, without tensor cores' shorter types.
    """

    memory: float
    cache: float
    arithmetic: float


def measure_ceilings(device: torch.device) -> Ceilings:
    """Measure a device's ceilings (about a second)."""
    gpu = device.type == "cuda"
    large, small, side = (1024 * MIB, 16 * MIB, 8192) if gpu else (128 * MIB, MIB // 4, 1024)
    a = torch.randn(side, side, device=device)
    seconds = seconds_of(lambda: torch.mm(a, a), device)
    return Ceilings(_copy(large, device), _copy(small, device), 2 * side**3 / seconds)


def _copy(size: int, device: torch.device) -> float:
    source = torch.randint(0, 255, (size // 2,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return size / seconds_of(lambda: target.copy_(source), device)


class Work(NamedTuple):
    """The work of a kernel.

    Attributes:
        moved: Bytes of its inputs and outputs, each once.
        gathered: Bytes that its candidates read.
        operations: Arithmetic operations.
    """

    moved: float
    gathered: float
    operations: float

    def least(self, ceilings: Ceilings) -> tuple[float, str]:
        """Seconds it takes at least, and what limits it."""
        limits = zip(self, ceilings, Ceilings._fields, strict=True)
        return max((amount / most, name) for amount, most, name in limits)


class Kernel(NamedTuple):
    """One kernel on one layer's own tensors: the op's name, a call of it, and its work."""

    name: str
    run: Callable[[], object]
    work: Work


def kernels_of(layer: LogicLayer, left: Recorded) -> Iterator[Kernel]:
    """The kernels that a training step of this layer calls, on what a backward pass left."""
    wiring = layer.wiring(left.geometry)
    logits = layer.candidates.logits.detach()
    yield from _hard(wiring, logits, left) if left.x.dtype == torch.int64 else _soft(wiring, logits, left)
    m, k = logits.shape
    table = 4.0 * m * k
    yield Kernel(
        "logits_grad",
        lambda: ops.logits_grad(logits, wiring.gate, left.s0, left.sums),
        Work(table * 5.25 + 4 * m, 0, 20.0 * m * k),
    )


def _soft(wiring: Wiring, logits: Tensor, left: Recorded) -> Iterator[Kernel]:
    x, grad, positions, window = left.x, left.gradient(), left.geometry.positions, left.geometry.window
    m, p, n = grad.shape
    k, size = logits.shape[1], x.element_size()
    pairs = float(m * p * n * k)
    rows, outputs, table = float(x.numel() * size), float(grad.numel() * size), 4.0 * m * k
    coef = ops.mixture(logits, wiring.gate)
    many = (wiring.rows_a, wiring.rows_b, positions)
    yield Kernel("mixture", lambda: ops.mixture(logits, wiring.gate), Work(table * 5.25, 0, 10.0 * m * k))
    yield Kernel(
        "soft_forward",
        lambda: ops.soft_forward(x, *many, coef),
        Work(rows + outputs + 6 * table, 2 * pairs * size, 7 * pairs),
    )
    yield Kernel(
        "soft_backward",
        lambda: ops.soft_backward(x, grad, *many, coef, True, window),
        # Sums read two operands; the input's gradient reads, for each operand, the output's gradient and the other operand.
        Work(2 * rows + outputs + 9 * table, 6 * pairs * size, 14 * pairs),
    )


def _hard(wiring: Wiring, logits: Tensor, left: Recorded) -> Iterator[Kernel]:
    words, grad, positions, window = left.x, left.gradient(), left.geometry.positions, left.geometry.window
    m, p, n = grad.shape
    k = logits.shape[1]
    outputs, rows, table = float(m * p * n), 8.0 * words.numel(), 4.0 * m * k
    one = wiring.chosen(logits)
    chosen = (one.rows_a, one.rows_b, one.gate, positions)
    yield Kernel("chosen", lambda: wiring.chosen(logits), Work(table + 18 * m, 0, m * k))
    yield Kernel(
        "hard_forward",
        lambda: ops.hard_forward(words, *chosen, n),
        Work(rows + outputs / 8, outputs / 4, outputs / 64 * 12),
    )
    yield Kernel(
        "hard_sums",
        lambda: ops.hard_sums(words, grad, wiring.rows_a, wiring.rows_b, positions),
        # Masked additions: choose and add, three times.
        Work(rows + 4 * outputs + 5 * table, k * outputs / 4 + 4 * outputs, 6 * k * outputs),
    )
    yield Kernel(
        "hard_input_grad",
        lambda: ops.hard_input_grad(words, grad, *chosen, window),
        Work(rows + 4 * outputs + 256.0 * words.numel(), 8 * outputs + outputs / 4, 6 * outputs),
    )


def roofline(layers: list[LogicLayer], left: list[Recorded], ceilings: Ceilings) -> list[dict[str, Any]]:
    """Measure each kernel of each layer, and compare it with its least time.

    Args:
        layers: The layers that learn.
        left: What a backward pass left of each.
        ceilings: Of the device that they are on.

    Returns:
        JSON-ready, per kernel: layer, name, microseconds, the least ones, the share of the ceiling, its limit.
    """
    rows = []
    for i, (layer, one) in enumerate(zip(layers, left, strict=True)):
        for kernel in kernels_of(layer, one):
            seconds = seconds_of(kernel.run, one.s0.device, least=0.1, rounds=3)
            least, limit = kernel.work.least(ceilings)
            rows.append(
                {
                    "layer": i,
                    "kernel": kernel.name,
                    "us": round(seconds * 1e6, 1),
                    "least_us": float(f"{least * 1e6:.3g}"),  # a small layer needs nanoseconds
                    "share": round(least / seconds, 3),
                    "limit": limit,
                }
            )
    return rows
