"""The kernels on float32 gradients and activations on the CPU, compiled by Numba.

Sums are split over neurons (each neuron's sums belong to one thread) and input gradients over the batch (each sample's
column belongs to one thread), so there are no atomics and results do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import njit, types
from torch import Tensor

from gatewright.gates import COEFFICIENTS
from gatewright.kernels.cpu import simd
from gatewright.kernels.cpu.bits import as_words
from gatewright.runtime.threads import split

_COEF = COEFFICIENTS.astype(np.float32)
_LANES = simd.LANES
_jit = njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})


def padded(x: Tensor) -> Tensor:
    """Contiguous, with the last axis padded by zeros to a multiple of the vector length."""
    extra = -x.shape[-1] % _LANES
    return torch.nn.functional.pad(x, (0, extra)) if extra else x.contiguous()


def _offsets(positions: Tensor, row_bytes: int) -> Any:
    return positions.numpy().astype(np.int64) * row_bytes


@_jit
def _sum(grad: Any) -> Any:
    """Sum of one neuron's gradients [P, N], which are in the nearest cache afterwards."""
    total = np.float32(0)
    for p in range(grad.shape[0]):
        for s in range(grad.shape[1]):
            total += grad[p, s]
    return total


@_jit
def _row_sums(start: int, stop: int, grad: Any, s0: Any) -> None:
    for j in range(start, stop):
        s0[j] = _sum(grad[j])


@_jit
def _hard_sums(start: int, stop: int, words: Any, grad: Any, wires: Any, s0: Any, sums: Any) -> None:
    rows_a, rows_b, offsets = wires
    row_bytes = types.uintp(words.shape[1] * 8)
    at, to, off = types.uintp(words.ctypes.data), types.uintp(grad.ctypes.data), types.uintp(offsets.ctypes.data)
    n_positions, stride = grad.shape[1], grad.shape[2] * 4
    for j in range(start, stop):
        s0[j] = _sum(grad[j])
        g = to + types.uintp(j * n_positions * stride)
        for k in range(rows_a.shape[1]):
            a = at + types.uintp(rows_a[j, k]) * row_bytes
            b = at + types.uintp(rows_b[j, k]) * row_bytes
            sums[j, k, 0], sums[j, k, 1], sums[j, k, 2] = simd.masked_sums(
                g, a, b, off, n_positions, stride, grad.shape[2] // _LANES
            )


@_jit
def _hard_input(start: int, stop: int, words: Any, grad: Any, wires: Any, dx: Any) -> None:
    row_a, row_b, gate, positions = wires
    vectors = (stop - start) // _LANES
    word_bytes = types.uintp(words.shape[1] * 8)
    row_bytes = types.uintp(dx.shape[1] * 4)
    words_at = types.uintp(words.ctypes.data) + types.uintp(start // 8)
    dx_at = types.uintp(dx.ctypes.data) + types.uintp(start * 4)
    grad_at = types.uintp(grad.ctypes.data) + types.uintp(start * 4)
    for j in range(row_a.shape[0]):
        c1, c2, c3 = _COEF[gate[j], 1], _COEF[gate[j], 2], _COEF[gate[j], 3]
        for p in range(len(positions)):
            g = grad_at + types.uintp(j * len(positions) + p) * row_bytes
            ra, rb = types.uintp(row_a[j] + positions[p]), types.uintp(row_b[j] + positions[p])
            simd.add_chosen(dx_at + ra * row_bytes, g, words_at + rb * word_bytes, c1, c1 + c3, vectors)
            simd.add_chosen(dx_at + rb * row_bytes, g, words_at + ra * word_bytes, c2, c2 + c3, vectors)


@_jit
def _soft_forward(start: int, stop: int, x: Any, wires: Any, coef: Any, out: Any) -> None:
    rows_a, rows_b, offsets = wires
    n_k = rows_a.shape[1]
    row_bytes = x.shape[1] * 4
    x_at, out_at = types.uintp(x.ctypes.data), types.uintp(out.ctypes.data)
    a_at, b_at, c_at = types.uintp(rows_a.ctypes.data), types.uintp(rows_b.ctypes.data), types.uintp(coef.ctypes.data)
    for j in range(start, stop):
        first = types.uintp(j * n_k)
        a, b, c = a_at + first * types.uintp(4), b_at + first * types.uintp(4), c_at + first * types.uintp(16)
        for p in range(len(offsets)):
            to = out_at + types.uintp((j * len(offsets) + p) * row_bytes)
            simd.mix_rows(to, x_at + types.uintp(offsets[p]), a, b, c, n_k, row_bytes, x.shape[1] // _LANES)


@_jit
def _soft_backward(
    start: int, stop: int, x: Any, grad: Any, wires: Any, coef: Any, need_input: bool, dx: Any, sums: Any, chunk: int
) -> None:
    rows_a, rows_b, offsets = wires
    # Part t covers samples [t * chunk, (t + 1) * chunk) and has sums[t] of its own.
    row_bytes = types.uintp(x.shape[1] * 4)
    n_positions, stride = grad.shape[1], grad.shape[2] * 4
    off = types.uintp(offsets.ctypes.data)
    for t in range(start, stop):
        first = types.uintp(t * chunk * 4)
        vectors = (min((t + 1) * chunk, x.shape[1]) - t * chunk) // _LANES
        x_at, dx_at = types.uintp(x.ctypes.data) + first, types.uintp(dx.ctypes.data) + first
        g_at = types.uintp(grad.ctypes.data) + first
        for j in range(rows_a.shape[0]):
            g = g_at + types.uintp(j * n_positions * stride)
            for k in range(rows_a.shape[1]):
                ra, rb = types.uintp(rows_a[j, k]) * row_bytes, types.uintp(rows_b[j, k]) * row_bytes
                c1, c2, c3 = coef[j, k, 1], coef[j, k, 2], coef[j, k, 3]
                # Written out twice: one tuple of arguments for both calls costs 3 % of the time.
                if need_input:
                    sa, sb, sab = simd.soft_sums_and_input(
                        g, x_at + ra, x_at + rb, dx_at + ra, dx_at + rb, off, n_positions, stride, vectors, c1, c2, c3
                    )
                else:
                    sa, sb, sab = simd.soft_sums(
                        g, x_at + ra, x_at + rb, dx_at + ra, dx_at + rb, off, n_positions, stride, vectors, c1, c2, c3
                    )
                sums[t, j, k, 0], sums[t, j, k, 1], sums[t, j, k, 2] = sa, sb, sab


def hard_sums(words: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """See `reference.hard_sums`."""
    grad = padded(grad)
    s0, sums = torch.empty(len(rows_a)), torch.empty(*rows_a.shape, 3)
    wires = (rows_a.numpy(), rows_b.numpy(), _offsets(positions, words.shape[1] * 8))
    split(_hard_sums, len(rows_a), as_words(words), grad.numpy(), wires, s0.numpy(), sums.numpy())
    return s0, sums


def hard_input_grad(
    words: Tensor,
    grad: Tensor,
    row_a: Tensor,
    row_b: Tensor,
    gate: Tensor,
    positions: Tensor,
    window: Sequence[int] | None = None,  # noqa: ARG001 - rows are written where they are read here
) -> Tensor:
    """See `reference.hard_input_grad`."""
    n = grad.shape[2]
    grad = padded(grad)
    dx = torch.zeros(words.shape[0], grad.shape[2])
    wires = (row_a.numpy(), row_b.numpy(), gate.numpy(), positions.numpy())
    split(_hard_input, grad.shape[2], as_words(words), grad.numpy(), wires, dx.numpy(), multiple=_LANES)
    return dx[:, :n].contiguous()


def soft_forward(x: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor, coef: Tensor) -> Tensor:
    """See `reference.soft_forward`."""
    n = x.shape[1]
    x = padded(x)
    out = torch.empty(len(rows_a), len(positions), x.shape[1])
    wires = (rows_a.numpy(), rows_b.numpy(), _offsets(positions, x.shape[1] * 4))
    split(_soft_forward, len(rows_a), x.numpy(), wires, coef.contiguous().numpy(), out.numpy())
    return out[:, :, :n].contiguous()


SOFT_CHUNK = 64
"""Samples a part of the soft backward pass covers: fixed, so that sums are added in one order on any machine."""


def soft_backward(
    x: Tensor,
    grad: Tensor,
    rows_a: Tensor,
    rows_b: Tensor,
    positions: Tensor,
    coef: Tensor,
    need_input: bool,
    window: Sequence[int] | None = None,  # noqa: ARG001 - rows are written where they are read here
) -> tuple[Tensor, Tensor, Tensor]:
    """See `reference.soft_backward`."""
    n = x.shape[1]
    x, grad = padded(x), padded(grad)
    parts = -(-x.shape[1] // SOFT_CHUNK)
    s0, sums = torch.empty(len(rows_a)), torch.empty(parts, *rows_a.shape, 3)
    dx = torch.zeros_like(x) if need_input else torch.empty(0, x.shape[1])
    wires = (rows_a.numpy(), rows_b.numpy(), _offsets(positions, x.shape[1] * 4))
    split(_row_sums, len(rows_a), grad.numpy(), s0.numpy())
    args = (x.numpy(), grad.numpy(), wires, coef.contiguous().numpy(), need_input)
    split(_soft_backward, parts, *args, dx.numpy(), sums.numpy(), SOFT_CHUNK)
    return s0, sums.sum(0), dx[:, :n].contiguous()
