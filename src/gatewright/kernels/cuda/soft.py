"""Soft kernels: float activations, all candidates weighted.

Warps run along the batch, so each row of samples is one coalesced read. Activations and gradients may be bfloat16 or
float16 (half the bytes); everything is added in float32.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatewright.kernels.cuda import launch
from gatewright.kernels.cuda.readers import Window, gather, reader_span


@triton.jit
def load(pointers, mask, WHOLE: tl.constexpr):
    """Values where the mask is set, else 0; without a mask when the tile is full: a third fewer instructions."""
    if WHOLE:
        return tl.load(pointers)
    return tl.load(pointers, mask=mask, other=0)


@triton.jit
def _forward(
    x,
    rows_a,
    rows_b,
    positions,
    coef,
    out,
    n_positions,
    n,
    n_k: tl.constexpr,
    K: tl.constexpr,
    N: tl.constexpr,
    WHOLE: tl.constexpr,
):
    row = tl.program_id(0)
    neuron = row // n_positions
    shift = tl.load(positions + row % n_positions)
    s = tl.program_id(1) * N + tl.arange(0, N)
    inside = s < n
    total = tl.zeros([N], tl.float32)
    for first in range(0, n_k, K):
        k = first + tl.arange(0, K)
        real = k < n_k
        at = neuron * n_k + k
        ra = (load(rows_a + at, real, WHOLE) + shift).to(tl.int64)
        rb = (load(rows_b + at, real, WHOLE) + shift).to(tl.int64)
        c0 = load(coef + 4 * at, real, WHOLE)[:, None]
        c1 = load(coef + 4 * at + 1, real, WHOLE)[:, None]
        c2 = load(coef + 4 * at + 2, real, WHOLE)[:, None]
        c3 = load(coef + 4 * at + 3, real, WHOLE)[:, None]
        mask = real[:, None] & inside[None, :]
        a = load(x + ra[:, None] * n + s[None, :], mask, WHOLE).to(tl.float32)
        b = load(x + rb[:, None] * n + s[None, :], mask, WHOLE).to(tl.float32)
        total += tl.sum((c3 * b + c1) * a + (c2 * b + c0), 0)
    tl.store(out + row.to(tl.int64) * n + s, total, mask=inside)


def soft_forward(x: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor, coef: Tensor) -> Tensor:
    """See `reference.soft_forward`."""
    neurons, n_k = rows_a.shape
    n, p = x.shape[1], len(positions)
    out = torch.empty(neurons, p, n, dtype=x.dtype, device=x.device)
    blocks = launch.MIX
    block, many = blocks.samples_of(n), blocks.many_of(n_k)
    operands = (x.contiguous(), rows_a.contiguous(), rows_b.contiguous(), positions, coef.contiguous(), out)
    tile = {"K": many, "N": block, "WHOLE": n_k % many == 0 and n % block == 0}
    _forward[neurons * p, triton.cdiv(n, block)](*operands, p, n, n_k, **tile, **blocks.options)
    return out


@triton.jit
def _sums(
    x,
    grad,
    rows_a,
    rows_b,
    positions,
    s0,
    sums,
    neurons,
    n_positions,
    n,
    each,
    n_k: tl.constexpr,
    K: tl.constexpr,
    N: tl.constexpr,
    WHOLE: tl.constexpr,
):
    # Programs of one neuron are neighbours, so its gradients are read from memory once.
    k_blocks: tl.constexpr = (n_k + K - 1) // K
    neuron, k_block, part = tl.program_id(0) // k_blocks, tl.program_id(0) % k_blocks, tl.program_id(1)
    k = k_block * K + tl.arange(0, K)
    real = k < n_k
    base_a = load(rows_a + neuron * n_k + k, real, WHOLE)
    base_b = load(rows_b + neuron * n_k + k, real, WHOLE)
    lane = tl.arange(0, N)
    a_at = x + base_a.to(tl.int64)[:, None] * n + lane[None, :]
    b_at = x + base_b.to(tl.int64)[:, None] * n + lane[None, :]
    g_at = grad + neuron.to(tl.int64) * n_positions * n + lane
    sa = tl.zeros([K, N], tl.float32)
    sb = tl.zeros([K, N], tl.float32)
    sab = tl.zeros([K, N], tl.float32)
    total = tl.zeros([N], tl.float32)
    for p in range(part * each, tl.minimum((part + 1) * each, n_positions)):
        to_position = tl.load(positions + p).to(tl.int64) * n
        for first in range(0, n, N):
            inside = first + lane < n
            mask = real[:, None] & inside[None, :]
            g = load(g_at + (p * n + first), inside, WHOLE).to(tl.float32)
            a = load(a_at + (to_position + first), mask, WHOLE).to(tl.float32)
            b = load(b_at + (to_position + first), mask, WHOLE).to(tl.float32)
            ga = g[None, :] * a
            sa += ga
            sb += g[None, :] * b
            sab += ga * b
            total += g
    to = (part * neurons + neuron).to(tl.int64) * n_k + k
    tl.store(sums + 3 * to, tl.sum(sa, 1), mask=real)
    tl.store(sums + 3 * to + 1, tl.sum(sb, 1), mask=real)
    tl.store(sums + 3 * to + 2, tl.sum(sab, 1), mask=real)
    if k_block == 0:
        tl.store(s0 + part * neurons + neuron, tl.sum(total, 0))


@triton.jit
def _input(
    x,
    grad,
    rows_a,
    rows_b,
    coef,
    positions,
    order,
    start,
    dx,
    pairs,
    n_positions,
    n,
    taps,
    kernel,
    stride,
    height,
    width,
    n_k: tl.constexpr,
    WINDOW: tl.constexpr,
    E: tl.constexpr,
    N: tl.constexpr,
    WHOLE: tl.constexpr,
):
    row = tl.program_id(0)
    s = tl.program_id(1) * N + tl.arange(0, N)
    inside = s < n
    total = tl.zeros([N], tl.float32)
    for tap in range(taps):
        p, shift, first, last = reader_span(start, row, tap, positions, kernel, stride, height, width, WINDOW)
        for e in range(first, last, E):
            i = e + tl.arange(0, E)
            # Past the last reader the last one is read again, and counts for nothing: no load needs a mask.
            real = i < last
            entry = tl.load(order + tl.minimum(i, last - 1))
            is_b = entry >= pairs
            at = tl.where(is_b, entry - pairs, entry)
            other = tl.load(tl.where(is_b, rows_a, rows_b) + at) + shift
            own = tl.where(real, tl.load(coef + 4 * at + tl.where(is_b, 2, 1)), 0.0)[:, None]
            both = tl.where(real, tl.load(coef + 4 * at + 3), 0.0)[:, None]
            to = ((at // n_k).to(tl.int64) * n_positions + p)[:, None] * n + s[None, :]
            g = load(grad + to, inside[None, :], WHOLE).to(tl.float32)
            v = load(x + other.to(tl.int64)[:, None] * n + s[None, :], inside[None, :], WHOLE).to(tl.float32)
            total += tl.sum(g * (both * v + own), 0)
    tl.store(dx + row.to(tl.int64) * n + s, total, mask=inside)


def soft_backward(
    x: Tensor,
    grad: Tensor,
    rows_a: Tensor,
    rows_b: Tensor,
    positions: Tensor,
    coef: Tensor,
    need_input: bool,
    window: Window = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """See `reference.soft_backward`."""
    x, grad, rows_a, rows_b, coef = (t.contiguous() for t in (x, grad, rows_a, rows_b, coef))
    s0, sums = launch.candidate_sums(_sums, launch.SOFT_SUMS, x, grad, rows_a, rows_b, positions)
    dx = torch.empty_like(x) if need_input else x.new_empty(0, x.shape[1])
    if need_input:
        gather(_input, dx, x, grad, rows_a, rows_b, coef, positions, window, n_k=rows_a.shape[1])
    return s0, sums, dx
