"""Who reads a row? Input gradients without atomics.

A row's gradient is a sum over the candidates that read it. Scattering it from the candidates needs atomics, whose
order, and with it the result, differs from run to run; gathering it needs to know the readers. So the operands of all
candidates, a list of 2 M K rows, are sorted (stable, on the device, nobody waits), and each row finds its readers
between two marks: every program owns one row of the gradient, adds its readers in one order, and writes once.

Sorting costs little beside the sums (2 M K keys against 2 M K rows of samples), so it is done in each backward pass:
the wiring changes when connections are learned, and a list kept from an earlier step could be a stale one.

In a convolution the readers of a row are those of its taps: for each (dy, dx) of the window there is at most one
position at which the window's corner lies such that the tap falls on the row. With `window` = (kernel, stride,
height, width) of the padded input that position is arithmetic; without it all positions are tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatewright.kernels.cuda import launch

Window = Sequence[int] | None


def find_readers(rows_a: Tensor, rows_b: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Sort the operands of all candidates, int32 [M, K] or [M] twice, by row.

    Returns:
        Index int32 of each operand in the list of all first operands (M K), then all second ones, sorted by row; and start
        int32 [R + 1]: the sorted operands `start[r]` to `start[r + 1]` are those of row r at position 0.
    """
    kind = torch.int16 if rows < 2**15 else torch.int32  # half the passes of a radix sort
    keys = torch.cat([rows_a.reshape(-1), rows_b.reshape(-1)]).to(kind)
    ordered, order = torch.sort(keys, stable=True)
    marks = torch.arange(rows + 1, dtype=kind, device=keys.device)
    return order.to(torch.int32), torch.searchsorted(ordered, marks, out_int32=True)


@triton.jit
def reader_span(start, row, tap, positions, kernel, stride, height, width, WINDOW: tl.constexpr):
    """Readers of a row through one tap (or at one position): (position, its row offset, first, past the last)."""
    if WINDOW:
        dy, dx = tap // kernel, tap % kernel
        plane = height * width
        y, x = row % plane // width - dy, row % width - dx
        across, down = (width - kernel) // stride + 1, (height - kernel) // stride + 1
        found = (y >= 0) & (x >= 0)
        y, x = tl.where(found, y, 0), tl.where(found, x, 0)
        found = found & (y % stride == 0) & (x % stride == 0) & (y // stride < down) & (x // stride < across)
        p = y // stride * across + x // stride
        base = row // plane * plane + dy * width + dx
        shift = row - base
    else:
        p = tap
        shift = tl.load(positions + tap)
        base = row - shift
        found = base >= 0
    p = tl.where(found, p, 0)
    first = tl.load(start + base, mask=found, other=0)
    last = tl.load(start + base + 1, mask=found, other=0)
    return p, shift, first, last


def gather(
    kernel: Any,
    dx: Tensor,
    x: Tensor,
    grad: Tensor,
    rows_a: Tensor,
    rows_b: Tensor,
    gates: Tensor,
    positions: Tensor,
    window: Window,
    **sizes: int,
) -> None:
    """Launch a kernel that writes each row of the input's gradient dx [R, N] from the row's readers.

    `gates` is what the kernel knows of each candidate: coefficients or a gate id. `sizes` are arguments of its own.
    """
    n = dx.shape[1]
    block = launch.INPUT.samples_of(n)
    # Without a window every position is a tap.
    size, stride, height, width = (1, 1, 1, 1) if window is None else map(int, window)
    taps = len(positions) if window is None else size * size
    order, start = find_readers(rows_a, rows_b, len(dx))
    operands = (x, grad, rows_a, rows_b, gates, positions, order, start, dx)
    lengths = (rows_a.numel(), grad.shape[1], n, taps, size, stride, height, width)
    tile = {"WINDOW": window is not None, "E": launch.INPUT.many, "N": block, "WHOLE": n % block == 0}
    kernel[len(dx), triton.cdiv(n, block)](*operands, *lengths, **tile, **sizes, **launch.INPUT.options)
