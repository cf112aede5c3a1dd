"""Hard kernels' backward passes: Boolean activations as packed bits, float gradients.

A tile is [candidates, halves of words, 32 bits]: each half is read once and its bits are spread over a warp, so
operands cost one thirty-second of their float form, and the arithmetic of the masked sums is what is left.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatewright.kernels.cuda import launch
from gatewright.kernels.cuda.bits import halves
from gatewright.kernels.cuda.readers import Window, gather, reader_span
from gatewright.kernels.cuda.soft import load


@triton.jit
def _bits(pointers, mask, WHOLE: tl.constexpr):
    """Bits of halves [K, H]: bool [K, H, 32]."""
    half = load(pointers, mask, WHOLE)
    return ((half[:, :, None] >> tl.arange(0, 32)[None, None, :]) & 1) != 0


@triton.jit
def _sums(
    words,
    grad,
    rows_a,
    rows_b,
    positions,
    s0,
    sums,
    neurons,
    n_positions,
    n,
    n_h,
    each,
    n_k: tl.constexpr,
    K: tl.constexpr,
    N: tl.constexpr,
    WHOLE: tl.constexpr,
):
    H: tl.constexpr = N // 32
    # Programs of one neuron are neighbours, so its gradients are read from memory once.
    k_blocks: tl.constexpr = (n_k + K - 1) // K
    neuron, k_block, part = tl.program_id(0) // k_blocks, tl.program_id(0) % k_blocks, tl.program_id(1)
    k = k_block * K + tl.arange(0, K)
    real = k < n_k
    base_a = load(rows_a + neuron * n_k + k, real, WHOLE)
    base_b = load(rows_b + neuron * n_k + k, real, WHOLE)
    h = tl.arange(0, H)
    lane = h[:, None] * 32 + tl.arange(0, 32)[None, :]
    a_at = words + base_a.to(tl.int64)[:, None] * n_h + h[None, :]
    b_at = words + base_b.to(tl.int64)[:, None] * n_h + h[None, :]
    g_at = grad + neuron.to(tl.int64) * n_positions * n + lane
    sa = tl.zeros([K, H, 32], tl.float32)
    sb = tl.zeros([K, H, 32], tl.float32)
    sab = tl.zeros([K, H, 32], tl.float32)
    total = tl.zeros([H, 32], tl.float32)
    for p in range(part * each, tl.minimum((part + 1) * each, n_positions)):
        to_position = tl.load(positions + p).to(tl.int64) * n_h
        for first in range(0, n_h, H):
            mask = real[:, None] & (first + h < n_h)[None, :]
            g = load(g_at + (p * n + 32 * first), 32 * first + lane < n, WHOLE)
            a = _bits(a_at + (to_position + first), mask, WHOLE)
            b = _bits(b_at + (to_position + first), mask, WHOLE)
            gs = g[None, :, :]
            # Written so, each line becomes one addition under a predicate.
            sa = tl.where(a, sa + gs, sa)
            sb = tl.where(b, sb + gs, sb)
            sab = tl.where(a & b, sab + gs, sab)
            total += g
    to = (part * neurons + neuron).to(tl.int64) * n_k + k
    tl.store(sums + 3 * to, tl.sum(tl.sum(sa, 2), 1), mask=real)
    tl.store(sums + 3 * to + 1, tl.sum(tl.sum(sb, 2), 1), mask=real)
    tl.store(sums + 3 * to + 2, tl.sum(tl.sum(sab, 2), 1), mask=real)
    if k_block == 0:
        tl.store(s0 + part * neurons + neuron, tl.sum(tl.sum(total, 1), 0))


def hard_sums(words: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """See `reference.hard_sums`."""
    operands = (halves(words), grad.contiguous(), rows_a.contiguous(), rows_b.contiguous())
    return launch.candidate_sums(_sums, launch.HARD_SUMS, *operands, positions, n_h=2 * words.shape[1])


@triton.jit
def _input(
    words,
    grad,
    row_a,
    row_b,
    gate,
    positions,
    order,
    start,
    dx,
    neurons,
    n_positions,
    n,
    taps,
    kernel,
    stride,
    height,
    width,
    n_h,
    WINDOW: tl.constexpr,
    E: tl.constexpr,
    N: tl.constexpr,
    WHOLE: tl.constexpr,
):
    H: tl.constexpr = N // 32
    row = tl.program_id(0)
    h = tl.program_id(1) * H + tl.arange(0, H)
    s = h[:, None] * 32 + tl.arange(0, 32)[None, :]
    total = tl.zeros([H, 32], tl.float32)
    for tap in range(taps):
        p, shift, first, last = reader_span(start, row, tap, positions, kernel, stride, height, width, WINDOW)
        for e in range(first, last, E):
            i = e + tl.arange(0, E)
            # Past the last reader the last one is read again, and counts for nothing: no load needs a mask.
            real = i < last
            entry = tl.load(order + tl.minimum(i, last - 1))
            is_b = entry >= neurons
            neuron = tl.where(is_b, entry - neurons, entry)
            other = tl.load(tl.where(is_b, row_a, row_b) + neuron) + shift
            f = tl.where(real, tl.load(gate + neuron).to(tl.int32), 0)
            # Derivative of the gate by this operand where the other one is 0 and where it is 1.
            unset = tl.where(is_b, (f >> 2) & 1, (f >> 1) & 1) - ((f >> 3) & 1)
            is_set = (f & 1) - tl.where(is_b, (f >> 1) & 1, (f >> 2) & 1)
            bit = _bits(words + other.to(tl.int64)[:, None] * n_h + h[None, :], (h < n_h)[None, :], WHOLE)
            slope = tl.where(bit, is_set.to(tl.float32)[:, None, None], unset.to(tl.float32)[:, None, None])
            to = (neuron.to(tl.int64) * n_positions + p)[:, None, None] * n + s[None, :, :]
            total += tl.sum(load(grad + to, (s < n)[None, :, :], WHOLE) * slope, 0)
    tl.store(dx + row.to(tl.int64) * n + s, total, mask=s < n)


def hard_input_grad(
    words: Tensor, grad: Tensor, row_a: Tensor, row_b: Tensor, gate: Tensor, positions: Tensor, window: Window = None
) -> Tensor:
    """See `reference.hard_input_grad`."""
    dx = torch.empty(len(words), grad.shape[2], device=grad.device)
    operands = (halves(words), grad.contiguous(), row_a.contiguous(), row_b.contiguous(), gate.contiguous())
    gather(_input, dx, *operands, positions, window, n_h=2 * words.shape[1])
    return dx
