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
from gatewright.kernels.cuda.readers import Window, find_readers, reader_span, taps_of


@triton.jit
def _forward(
    x,
    rows_a,
    rows_b,
    positions,
    coef,
    out,
    n_k,
    n_positions,
    n,
    K: tl.constexpr,
    N: tl.constexpr,
):
    row = tl.program_id(0)
    neuron = (row // n_positions).to(tl.int64)
    shift = tl.load(positions + row % n_positions)
    s = tl.program_id(1) * N + tl.arange(0, N)
    inside = s < n
    total = tl.zeros([N], tl.float32)
    for first in range(0, n_k, K):
        k = first + tl.arange(0, K)
        real = k < n_k
        at = neuron * n_k + k
        ra = (tl.load(rows_a + at, mask=real, other=0) + shift).to(tl.int64)
        rb = (tl.load(rows_b + at, mask=real, other=0) + shift).to(tl.int64)
        c0 = tl.load(coef + 4 * at, mask=real, other=0)[:, None]
        c1 = tl.load(coef + 4 * at + 1, mask=real, other=0)[:, None]
        c2 = tl.load(coef + 4 * at + 2, mask=real, other=0)[:, None]
        c3 = tl.load(coef + 4 * at + 3, mask=real, other=0)[:, None]
        mask = real[:, None] & inside[None, :]
        a = tl.load(x + ra[:, None] * n + s[None, :], mask=mask, other=0).to(tl.float32)
        b = tl.load(x + rb[:, None] * n + s[None, :], mask=mask, other=0).to(tl.float32)
        total += tl.sum((c3 * b + c1) * a + (c2 * b + c0), 0)
    tl.store(out + row.to(tl.int64) * n + s, total, mask=inside)


def soft_forward(x: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor, coef: Tensor) -> Tensor:
    """See `reference.soft_forward`."""
    neurons, n_k = rows_a.shape
    n, p = x.shape[1], len(positions)
    out = torch.empty(neurons, p, n, dtype=x.dtype, device=x.device)
    blocks = launch.MIX
    block = blocks.samples_of(n)
    _forward[neurons * p, triton.cdiv(n, block)](
        x.contiguous(),
        rows_a.contiguous(),
        rows_b.contiguous(),
        positions,
        coef.contiguous(),
        out,
        n_k,
        p,
        n,
        K=min(blocks.many, triton.next_power_of_2(n_k)),
        N=block,
        **blocks.options,
    )
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
    n_k,
    n_positions,
    n,
    tiles_each,
    K: tl.constexpr,
    N: tl.constexpr,
):
    # Programs of one neuron are neighbours, so its gradients are read from memory once.
    k_blocks = tl.cdiv(n_k, K)
    neuron, k_block, part = (tl.program_id(0) // k_blocks).to(tl.int64), tl.program_id(0) % k_blocks, tl.program_id(1)
    k = k_block * K + tl.arange(0, K)
    real = k < n_k
    base_a = tl.load(rows_a + neuron * n_k + k, mask=real, other=0)
    base_b = tl.load(rows_b + neuron * n_k + k, mask=real, other=0)
    blocks = tl.cdiv(n, N)
    sa = tl.zeros([K, N], tl.float32)
    sb = tl.zeros([K, N], tl.float32)
    sab = tl.zeros([K, N], tl.float32)
    total = tl.zeros([N], tl.float32)
    first = part * tiles_each
    for tile in range(first, tl.minimum(first + tiles_each, n_positions * blocks)):
        p = tile // blocks
        s = tile % blocks * N + tl.arange(0, N)
        inside = s < n
        shift = tl.load(positions + p)
        g = tl.load(grad + (neuron * n_positions + p) * n + s, mask=inside, other=0).to(tl.float32)
        mask = real[:, None] & inside[None, :]
        ra, rb = (base_a + shift).to(tl.int64), (base_b + shift).to(tl.int64)
        a = tl.load(x + ra[:, None] * n + s[None, :], mask=mask, other=0).to(tl.float32)
        b = tl.load(x + rb[:, None] * n + s[None, :], mask=mask, other=0).to(tl.float32)
        ga = g[None, :] * a
        sa += ga
        sb += g[None, :] * b
        sab += ga * b
        total += g
    at = (part * neurons + neuron) * n_k + k
    tl.store(sums + 3 * at, tl.sum(sa, 1), mask=real)
    tl.store(sums + 3 * at + 1, tl.sum(sb, 1), mask=real)
    tl.store(sums + 3 * at + 2, tl.sum(sab, 1), mask=real)
    if k_block == 0:
        tl.store(s0 + part * neurons + neuron, tl.sum(total, 0))


def soft_sums(x: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """S0 [M] and the sums [M, K, 3] of `reference.soft_backward`."""
    neurons, n_k = rows_a.shape
    p, n = grad.shape[1:]
    blocks = launch.SOFT_SUMS
    block, many = blocks.samples_of(n), min(blocks.many, triton.next_power_of_2(n_k))
    each, parts = split_tiles(p * triton.cdiv(n, block), block, blocks.part)
    s0 = torch.empty(parts, neurons, device=x.device)
    sums = torch.empty(parts, neurons, n_k, 3, device=x.device)
    _sums[neurons * triton.cdiv(n_k, many), parts](
        x, grad, rows_a, rows_b, positions, s0, sums, neurons, n_k, p, n, each, K=many, N=block, **blocks.options
    )
    return (s0[0], sums[0]) if parts == 1 else (s0.sum(0), sums.sum(0))


def split_tiles(tiles: int, block: int, samples: int) -> tuple[int, int]:
    """Tiles a part such that it covers about this many samples, and the parts that makes."""
    each = max(1, samples // block)
    return each, triton.cdiv(tiles, each)


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
    n_k,
    n_positions,
    n,
    taps,
    kernel,
    stride,
    height,
    width,
    WINDOW: tl.constexpr,
    E: tl.constexpr,
    N: tl.constexpr,
):
    row = tl.program_id(0)
    s = tl.program_id(1) * N + tl.arange(0, N)
    inside = s < n
    total = tl.zeros([N], tl.float32)
    for tap in range(taps):
        p, shift, first, last = reader_span(start, row, tap, positions, kernel, stride, height, width, WINDOW)
        for e in range(first, last, E):
            i = e + tl.arange(0, E)
            real = i < last
            entry = tl.load(order + i, mask=real, other=0)
            is_b = entry >= pairs
            at = tl.where(is_b, entry - pairs, entry).to(tl.int64)
            other = tl.where(
                is_b,
                tl.load(rows_a + at, mask=real & is_b, other=0),
                tl.load(rows_b + at, mask=real & (is_b == 0), other=0),
            )
            own = tl.load(coef + 4 * at + tl.where(is_b, 2, 1), mask=real, other=0)[:, None]
            both = tl.load(coef + 4 * at + 3, mask=real, other=0)[:, None]
            mask = real[:, None] & inside[None, :]
            g = tl.load(grad + ((at // n_k) * n_positions + p)[:, None] * n + s[None, :], mask=mask, other=0)
            v = tl.load(x + (other + shift).to(tl.int64)[:, None] * n + s[None, :], mask=mask, other=0)
            total += tl.sum(g.to(tl.float32) * (both * v.to(tl.float32) + own), 0)
    tl.store(dx + row.to(tl.int64) * n + s, total, mask=inside)


def soft_input(
    x: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor, coef: Tensor, window: Window
) -> Tensor:
    """The gradient of the input, [R, N], of `reference.soft_backward`."""
    n = x.shape[1]
    readers = find_readers(rows_a, rows_b, len(x))
    dx = torch.empty_like(x)
    blocks = launch.INPUT
    block = blocks.samples_of(n)
    taps, sizes, windowed = taps_of(positions, window)
    _input[len(x), triton.cdiv(n, block)](
        x,
        grad,
        rows_a,
        rows_b,
        coef,
        positions,
        *readers,
        dx,
        rows_a.numel(),
        rows_a.shape[1],
        grad.shape[1],
        n,
        taps,
        *sizes,
        WINDOW=windowed,
        E=blocks.many,
        N=block,
        **blocks.options,
    )
    return dx


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
    x, grad, rows_a, rows_b = (t.contiguous() for t in (x, grad, rows_a, rows_b))
    s0, sums = soft_sums(x, grad, rows_a, rows_b, positions)
    if not need_input:
        return s0, sums, x.new_empty(0, x.shape[1])
    return s0, sums, soft_input(x, grad, rows_a, rows_b, positions, coef.contiguous(), window)
