"""Packed bits: pack, unpack, compare with thresholds, evaluate gates, count groups.

Words are 64 bits in memory; where single bits are wanted they are read as two halves of 32, which is what a GPU
computes with.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from gatewright.kernels.cuda.launch import FLAT, OPTIONS, TILE
from gatewright.kernels.reference import WORD, n_words

COUNT_PART = 512
"""Rows of a group that one program counts."""


@triton.jit
def _pack(x, words, bad, rows, n, n_w, BLOCK: tl.constexpr):
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    w = tl.program_id(1)
    lane = tl.arange(0, 64)
    s = w * 64 + lane
    mask = (row < rows)[:, None] & (s < n)[None, :]
    v = tl.load(x + row.to(tl.int64)[:, None] * n + s[None, :], mask=mask, other=0)
    bits = (v != 0).to(tl.int64) << lane.to(tl.int64)[None, :]
    tl.store(words + row.to(tl.int64) * n_w + w, tl.sum(bits, 1), mask=row < rows)
    wrong = ((v != 0) & (v != 1)).to(tl.int32)
    # Every writer writes the same 1: no order, no atomics.
    if tl.max(tl.max(wrong, 1), 0) > 0:
        tl.store(bad, 1)


def pack(x: Tensor) -> tuple[Tensor, bool]:
    """Pack rows [R, N] to int64 words [R, W]; also whether every value was 0 or 1 (this waits for the device)."""
    x = x.contiguous()
    rows, n = x.shape
    words = torch.empty(rows, n_words(n), dtype=torch.int64, device=x.device)
    bad = torch.zeros(1, dtype=torch.int32, device=x.device)
    _pack[triton.cdiv(rows, TILE), words.shape[1]](x, words, bad, rows, n, words.shape[1], BLOCK=TILE, **OPTIONS)
    return words, not bool(bad)


@triton.jit
def _unpack(halves, out, total, n, n_h, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    row, s = i // n, i % n
    half = tl.load(halves + row * n_h + s // 32, mask=i < total, other=0)
    tl.store(out + i, ((half >> (s % 32).to(tl.int32)) & 1).to(tl.float32), mask=i < total)


def unpack(words: Tensor, n: int) -> Tensor:
    """Unpack int64 words [R, W] to float32 [R, n]."""
    out = torch.empty(words.shape[0], n, device=words.device)
    grid = (triton.cdiv(out.numel(), FLAT),)
    _unpack[grid](halves(words), out, out.numel(), n, 2 * words.shape[1], BLOCK=FLAT, **OPTIONS)
    return out


def halves(words: Tensor) -> Tensor:
    """The same bits as int32 [R, 2 W], sample s in bit `s % 32` of half `s // 32` (GPUs are little-endian)."""
    return words.contiguous().view(torch.int32)


@triton.jit
def _threshold(x, feature, thresholds, words, bits, n, n_w, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    w = tl.program_id(1)
    lane = tl.arange(0, 64)
    s = w * 64 + lane
    row = tl.load(feature + i, mask=i < bits, other=0).to(tl.int64)
    t = tl.load(thresholds + i, mask=i < bits, other=0)
    mask = (i < bits)[:, None] & (s < n)[None, :]
    # In float64 every feature type compares exactly.
    v = tl.load(x + row[:, None] * n + s[None, :], mask=mask, other=0).to(tl.float64)
    chosen = ((v >= t[:, None]) & mask).to(tl.int64) << lane.to(tl.int64)[None, :]
    tl.store(words + i.to(tl.int64) * n_w + w, tl.sum(chosen, 1), mask=i < bits)


def threshold(x: Tensor, feature: Tensor, thresholds: Tensor) -> Tensor:
    """See `reference.threshold`."""
    n, bits = x.shape[1], len(feature)
    words = torch.empty(bits, n_words(n), dtype=torch.int64, device=x.device)
    grid = (triton.cdiv(bits, TILE), words.shape[1])
    _threshold[grid](x.contiguous(), feature, thresholds, words, bits, n, words.shape[1], BLOCK=TILE, **OPTIONS)
    return words


@triton.jit
def _hard_forward(words, row_a, row_b, gate, positions, out, total, n_positions, n_w, last, BLOCK: tl.constexpr):
    i = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = i < total
    w, row = i % n_w, i // n_w
    p, neuron = row % n_positions, row // n_positions
    shift = tl.load(positions + p, mask=inside, other=0)
    ra = (tl.load(row_a + neuron, mask=inside, other=0) + shift).to(tl.int64)
    rb = (tl.load(row_b + neuron, mask=inside, other=0) + shift).to(tl.int64)
    a = tl.load(words + ra * n_w + w, mask=inside, other=0)
    b = tl.load(words + rb * n_w + w, mask=inside, other=0)
    g = tl.load(gate + neuron, mask=inside, other=0).to(tl.int64)
    # Algebraic normal form, each coefficient spread to a full word (see the reference).
    f00, f01, f10, f11 = (g >> 3) & 1, (g >> 2) & 1, (g >> 1) & 1, g & 1
    value = (0 - f00) ^ ((0 - (f00 ^ f10)) & a) ^ ((0 - (f00 ^ f01)) & b) ^ ((0 - (f00 ^ f01 ^ f10 ^ f11)) & a & b)
    value = tl.where(w == n_w - 1, value & last, value)
    tl.store(out + i, value, mask=inside)


def hard_forward(words: Tensor, row_a: Tensor, row_b: Tensor, gate: Tensor, positions: Tensor, n: int) -> Tensor:
    """See `reference.hard_forward`."""
    n_w = words.shape[1]
    out = torch.empty(len(row_a) * len(positions), n_w, dtype=torch.int64, device=words.device)
    last = (1 << (n % WORD)) - 1 if n % WORD else -1
    operands = (words.contiguous(), row_a, row_b, gate, positions)
    grid = (triton.cdiv(out.numel(), FLAT),)
    _hard_forward[grid](*operands, out, out.numel(), len(positions), n_w, last, BLOCK=FLAT, **OPTIONS)
    return out


@triton.jit
def _count(halves, counts, group, n, n_h, parts, PART: tl.constexpr, BLOCK: tl.constexpr):
    part, half, c = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    lane = tl.arange(0, 32)
    total = tl.zeros([BLOCK, 32], tl.int32)
    for first in range(0, PART, BLOCK):
        r = part * PART + first + tl.arange(0, BLOCK)
        value = tl.load(halves + (c * group + r).to(tl.int64) * n_h + half, mask=r < group, other=0)
        total += (value[:, None] >> lane[None, :]) & 1
    s = half * 32 + lane
    tl.store(counts + (c * parts + part).to(tl.int64) * n + s, tl.sum(total, 0), mask=s < n)


def group_count(words: Tensor, classes: int, n: int) -> Tensor:
    """See `reference.group_count`; long groups are counted in parts, so that few classes still fill the GPU."""
    group = words.shape[0] // classes
    parts, n_h = triton.cdiv(group, COUNT_PART), 2 * words.shape[1]
    counts = torch.empty(classes, parts, n, dtype=torch.int32, device=words.device)
    _count[parts, triton.cdiv(n, 32), classes](
        halves(words), counts, group, n, n_h, parts, PART=COUNT_PART, BLOCK=32, num_warps=4, **OPTIONS
    )
    return counts.sum(1, dtype=torch.int32).to(torch.float32)
