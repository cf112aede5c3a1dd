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
from gatewright.kernels.cuda.readers import Window, find_readers, reader_span, taps_of
from gatewright.kernels.cuda.soft import split_tiles


@triton.jit
def _bits(words, row, h, mask, n_h):
    """Bits of rows [K] at halves [H]: bool [K, H, 32]."""
    half = tl.load(words + row.to(tl.int64)[:, None] * n_h + h[None, :], mask=mask, other=0)
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
    n_k,
    n_positions,
    n,
    n_h,
    tiles_each,
    K: tl.constexpr,
    H: tl.constexpr,
):
    # Programs of one neuron are neighbours, so its gradients are read from memory once.
    k_blocks = tl.cdiv(n_k, K)
    neuron, k_block, part = (tl.program_id(0) // k_blocks).to(tl.int64), tl.program_id(0) % k_blocks, tl.program_id(1)
    k = k_block * K + tl.arange(0, K)
    real = k < n_k
    base_a = tl.load(rows_a + neuron * n_k + k, mask=real, other=0)
    base_b = tl.load(rows_b + neuron * n_k + k, mask=real, other=0)
    blocks = tl.cdiv(n, 32 * H)
    sa = tl.zeros([K, H, 32], tl.float32)
    sb = tl.zeros([K, H, 32], tl.float32)
    sab = tl.zeros([K, H, 32], tl.float32)
    total = tl.zeros([H, 32], tl.float32)
    first = part * tiles_each
    for tile in range(first, tl.minimum(first + tiles_each, n_positions * blocks)):
        p = tile // blocks
        h = tile % blocks * H + tl.arange(0, H)
        s = h[:, None] * 32 + tl.arange(0, 32)[None, :]
        shift = tl.load(positions + p)
        g = tl.load(grad + (neuron * n_positions + p) * n + s, mask=s < n, other=0)
        mask = real[:, None] & (h < n_h)[None, :]
        a = _bits(words, base_a + shift, h, mask, n_h)
        b = _bits(words, base_b + shift, h, mask, n_h)
        gs = g[None, :, :]
        ga = tl.where(a, gs, 0.0)
        sa += ga
        sb += tl.where(b, gs, 0.0)
        sab += tl.where(b, ga, 0.0)
        total += g
    at = (part * neurons + neuron) * n_k + k
    tl.store(sums + 3 * at, tl.sum(tl.sum(sa, 2), 1), mask=real)
    tl.store(sums + 3 * at + 1, tl.sum(tl.sum(sb, 2), 1), mask=real)
    tl.store(sums + 3 * at + 2, tl.sum(tl.sum(sab, 2), 1), mask=real)
    if k_block == 0:
        tl.store(s0 + part * neurons + neuron, tl.sum(tl.sum(total, 1), 0))


def hard_sums(words: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """See `reference.hard_sums`."""
    neurons, n_k = rows_a.shape
    p, n = grad.shape[1:]
    blocks = launch.HARD_SUMS
    block, many = blocks.samples_of(n), min(blocks.many, triton.next_power_of_2(n_k))
    each, parts = split_tiles(p * triton.cdiv(n, block), block, blocks.part)
    s0 = torch.empty(parts, neurons, device=grad.device)
    sums = torch.empty(parts, neurons, n_k, 3, device=grad.device)
    _sums[neurons * triton.cdiv(n_k, many), parts](
        halves(words),
        grad.contiguous(),
        rows_a.contiguous(),
        rows_b.contiguous(),
        positions,
        s0,
        sums,
        neurons,
        n_k,
        p,
        n,
        2 * words.shape[1],
        each,
        K=many,
        H=block // 32,
        **blocks.options,
    )
    return (s0[0], sums[0]) if parts == 1 else (s0.sum(0), sums.sum(0))


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
    n_h,
    taps,
    kernel,
    stride,
    height,
    width,
    WINDOW: tl.constexpr,
    E: tl.constexpr,
    H: tl.constexpr,
):
    row = tl.program_id(0)
    h = tl.program_id(1) * H + tl.arange(0, H)
    s = h[:, None] * 32 + tl.arange(0, 32)[None, :]
    total = tl.zeros([H, 32], tl.float32)
    for tap in range(taps):
        p, shift, first, last = reader_span(start, row, tap, positions, kernel, stride, height, width, WINDOW)
        for e in range(first, last, E):
            i = e + tl.arange(0, E)
            real = i < last
            entry = tl.load(order + i, mask=real, other=0)
            is_b = entry >= neurons
            neuron = tl.where(is_b, entry - neurons, entry)
            other = tl.where(
                is_b,
                tl.load(row_a + neuron, mask=real & is_b, other=0),
                tl.load(row_b + neuron, mask=real & (is_b == 0), other=0),
            )
            f = tl.load(gate + neuron, mask=real, other=0).to(tl.int32)
            # Derivative of the gate by this operand where the other one is 0 and where it is 1.
            unset = tl.where(is_b, (f >> 2) & 1, (f >> 1) & 1) - ((f >> 3) & 1)
            is_set = (f & 1) - tl.where(is_b, (f >> 1) & 1, (f >> 2) & 1)
            bit = _bits(words, other + shift, h, real[:, None] & (h < n_h)[None, :], n_h)
            slope = tl.where(bit, is_set.to(tl.float32)[:, None, None], unset.to(tl.float32)[:, None, None])
            at = (neuron.to(tl.int64) * n_positions + p)[:, None, None] * n + s[None, :, :]
            g = tl.load(grad + at, mask=real[:, None, None] & (s < n)[None, :, :], other=0)
            total += tl.sum(g * slope, 0)
    tl.store(dx + row.to(tl.int64) * n + s, total, mask=s < n)


def hard_input_grad(
    words: Tensor,
    grad: Tensor,
    row_a: Tensor,
    row_b: Tensor,
    gate: Tensor,
    positions: Tensor,
    window: Window = None,
) -> Tensor:
    """See `reference.hard_input_grad`."""
    n = grad.shape[2]
    readers = find_readers(row_a, row_b, len(words))
    dx = torch.empty(len(words), n, device=grad.device)
    blocks = launch.INPUT
    block = blocks.samples_of(n)
    taps, sizes, windowed = taps_of(positions, window)
    _input[len(words), triton.cdiv(n, block)](
        halves(words),
        grad.contiguous(),
        row_a.contiguous(),
        row_b.contiguous(),
        gate.contiguous(),
        positions,
        *readers,
        dx,
        len(row_a),
        grad.shape[1],
        n,
        2 * words.shape[1],
        taps,
        *sizes,
        WINDOW=windowed,
        E=blocks.many,
        H=block // 32,
        **blocks.options,
    )
    return dx
