"""The kernels of `reference.py` for float32 on the CPU, compiled by Numba.

Sums are split over neurons (each neuron's sums belong to one thread) and input gradients over the batch (each sample's
column belongs to one thread), so there are no atomics and results do not depend on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numba import njit, types
from torch import Tensor

from gatewright.gates import COEFFICIENTS
from gatewright.kernels.cpu import simd
from gatewright.kernels.reference import WORD, n_words
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
def _pack(start: int, stop: int, x: Any, n: int, words: Any, bad: Any) -> None:
    for r in range(start, stop):
        for w in range(words.shape[1]):
            first = w * 64
            value = np.uint64(0)
            for s in range(min(64, n - first)):
                v = x[r, first + s]
                value |= np.uint64(v != 0) << np.uint64(s)
                if (v != 0) & (v != 1):
                    bad[0] = 1
            words[r, w] = value


@_jit
def _unpack(start: int, stop: int, words: Any, n: int, out: Any) -> None:
    for r in range(start, stop):
        for w in range(words.shape[1]):
            first = w * 64
            value = words[r, w]
            for s in range(min(64, n - first)):
                out[r, first + s] = np.float32((value >> np.uint64(s)) & np.uint64(1))


@_jit
def _hard_forward(
    start: int, stop: int, words: Any, row_a: Any, row_b: Any, gate: Any, positions: Any, last: Any, out: Any
) -> None:
    n_positions, n_w = len(positions), words.shape[1]
    full = ~np.uint64(0)
    for j in range(start, stop):
        g = gate[j]
        f00, f01, f10, f11 = (g >> 3) & 1, (g >> 2) & 1, (g >> 1) & 1, g & 1
        c0 = full * np.uint64(f00)
        ca = full * np.uint64(f00 ^ f10)
        cb = full * np.uint64(f00 ^ f01)
        cab = full * np.uint64(f00 ^ f01 ^ f10 ^ f11)
        for p in range(n_positions):
            ra, rb, ro = row_a[j] + positions[p], row_b[j] + positions[p], j * n_positions + p
            for w in range(n_w):
                a, b = words[ra, w], words[rb, w]
                out[ro, w] = c0 ^ (ca & a) ^ (cb & b) ^ (cab & a & b)
            out[ro, n_w - 1] &= last


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
def _hard_sums(
    start: int, stop: int, words: Any, grad: Any, rows_a: Any, rows_b: Any, offsets: Any, s0: Any, sums: Any
) -> None:
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
def _hard_input(
    start: int, stop: int, words: Any, grad: Any, row_a: Any, row_b: Any, gate: Any, positions: Any, dx: Any
) -> None:
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
def _soft_forward(start: int, stop: int, x: Any, rows_a: Any, rows_b: Any, offsets: Any, coef: Any, out: Any) -> None:
    n_k = rows_a.shape[1]
    row_bytes = x.shape[1] * 4
    x_at, out_at = types.uintp(x.ctypes.data), types.uintp(out.ctypes.data)
    a_at, b_at, c_at = types.uintp(rows_a.ctypes.data), types.uintp(rows_b.ctypes.data), types.uintp(coef.ctypes.data)
    for j in range(start, stop):
        first = types.uintp(j * n_k)
        for p in range(len(offsets)):
            simd.mix_rows(
                out_at + types.uintp((j * len(offsets) + p) * row_bytes),
                x_at + types.uintp(offsets[p]),
                a_at + first * types.uintp(4),
                b_at + first * types.uintp(4),
                c_at + first * types.uintp(16),
                n_k,
                row_bytes,
                x.shape[1] // _LANES,
            )


@_jit
def _soft_backward(
    start: int,
    stop: int,
    x: Any,
    grad: Any,
    rows_a: Any,
    rows_b: Any,
    offsets: Any,
    coef: Any,
    need_input: bool,
    dx: Any,
    sums: Any,
    chunk: int,
) -> None:
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
                if need_input:
                    sa, sb, sab = simd.soft_sums_and_input(
                        g, x_at + ra, x_at + rb, dx_at + ra, dx_at + rb, off, n_positions, stride, vectors, c1, c2, c3
                    )
                else:
                    sa, sb, sab = simd.soft_sums(
                        g, x_at + ra, x_at + rb, dx_at + ra, dx_at + rb, off, n_positions, stride, vectors, c1, c2, c3
                    )
                sums[t, j, k, 0], sums[t, j, k, 1], sums[t, j, k, 2] = sa, sb, sab


@_jit
def _best(start: int, stop: int, logits: Any, out: Any) -> None:
    for j in range(start, stop):
        at = 0
        for k in range(1, logits.shape[1]):
            if logits[j, k] > logits[j, at]:
                at = k
        out[j] = at


@_jit
def _softmax(logits: Any, out: Any) -> None:
    """Softmax of one neuron's logits [K]."""
    top = logits[0]
    for k in range(1, len(logits)):
        top = max(top, logits[k])
    total = np.float32(0)
    for k in range(len(logits)):
        out[k] = simd.exp_negative(logits[k] - top)
        total += out[k]
    scale = np.float32(1) / total
    for k in range(len(logits)):
        out[k] *= scale


@_jit
def _mixture(start: int, stop: int, logits: Any, gate: Any, out: Any) -> None:
    probability = np.empty(logits.shape[1], np.float32)
    for j in range(start, stop):
        _softmax(logits[j], probability)
        for k in range(logits.shape[1]):
            for i in range(4):
                out[j, k, i] = probability[k] * _COEF[gate[j, k], i]


@_jit
def _logits_grad(start: int, stop: int, logits: Any, gate: Any, s0: Any, sums: Any, out: Any) -> None:
    n_k = gate.shape[1]
    slope = np.empty(n_k, np.float32)
    probability = np.empty(n_k, np.float32)
    for j in range(start, stop):
        _softmax(logits[j], probability)
        mean = np.float32(0)
        for k in range(n_k):
            c = _COEF[gate[j, k]]
            slope[k] = c[0] * s0[j] + c[1] * sums[j, k, 0] + c[2] * sums[j, k, 1] + c[3] * sums[j, k, 2]
            mean += probability[k] * slope[k]
        for k in range(n_k):
            out[j, k] = probability[k] * (slope[k] - mean)


@_jit
def _threshold(start: int, stop: int, x: Any, feature: Any, thresholds: Any, words: Any) -> None:
    n = x.shape[1]
    # Bytes are compared 64 at a time, without the limits that no byte, or every one, reaches.
    whole = n // 64 if x.itemsize == 1 else 0
    for i in range(start, stop):
        row, t = x[feature[i]], thresholds[i]
        done = whole if 0 < t <= 255 else 0
        simd.pack_at_least(
            types.uintp(row.ctypes.data), np.uint8(math.ceil(t) if done else 0), types.uintp(words[i].ctypes.data), done
        )
        for w in range(done, words.shape[1]):
            first = w * 64
            value = np.uint64(0)
            for s in range(min(64, n - first)):
                value |= np.uint64(row[first + s] >= t) << np.uint64(s)
            words[i, w] = value


@_jit
def _group_count(start: int, stop: int, words: Any, group: int, n: int, out: Any) -> None:
    for c in range(start, stop):
        for w in range(words.shape[1]):
            first = w * 64
            many = min(64, n - first)
            counts = np.zeros(64, np.int32)
            for r in range(c * group, (c + 1) * group):
                value = words[r, w]
                for s in range(64):
                    counts[s] += np.int32((value >> np.uint64(s)) & np.uint64(1))
            for s in range(many):
                out[c, first + s] = counts[s]


def _words(words: Tensor) -> Any:
    return words.contiguous().numpy().view(np.uint64)


def pack(x: Tensor) -> tuple[Tensor, bool]:
    """Pack rows [R, N] to int64 words [R, W]; also whether every value was 0 or 1."""
    words = torch.empty(x.shape[0], n_words(x.shape[1]), dtype=torch.int64)
    bad = np.zeros(1, np.uint8)
    split(_pack, x.shape[0], x.contiguous().numpy(), x.shape[1], words.numpy().view(np.uint64), bad)
    return words, not bad[0]


def unpack(words: Tensor, n: int) -> Tensor:
    """Unpack int64 words [R, W] to float32 [R, n]."""
    out = torch.empty(words.shape[0], n)
    split(_unpack, words.shape[0], _words(words), n, out.numpy())
    return out


def hard_forward(words: Tensor, row_a: Tensor, row_b: Tensor, gate: Tensor, positions: Tensor, n: int) -> Tensor:
    """See `reference.hard_forward`."""
    out = torch.empty(len(row_a) * len(positions), words.shape[1], dtype=torch.int64)
    last = np.uint64((1 << (n % WORD)) - 1 if n % WORD else 2**WORD - 1)
    args = (row_a.numpy(), row_b.numpy(), gate.numpy(), positions.numpy())
    split(_hard_forward, len(row_a), _words(words), *args, last, out.numpy().view(np.uint64))
    return out


def hard_sums(words: Tensor, grad: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """See `reference.hard_sums`."""
    grad = padded(grad)
    s0, sums = torch.empty(len(rows_a)), torch.empty(*rows_a.shape, 3)
    args = (rows_a.numpy(), rows_b.numpy(), _offsets(positions, words.shape[1] * 8))
    split(_hard_sums, len(rows_a), _words(words), grad.numpy(), *args, s0.numpy(), sums.numpy())
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
    args = (row_a.numpy(), row_b.numpy(), gate.numpy(), positions.numpy())
    split(_hard_input, grad.shape[2], _words(words), grad.numpy(), *args, dx.numpy(), multiple=_LANES)
    return dx[:, :n].contiguous()


def soft_forward(x: Tensor, rows_a: Tensor, rows_b: Tensor, positions: Tensor, coef: Tensor) -> Tensor:
    """See `reference.soft_forward`."""
    n = x.shape[1]
    x = padded(x)
    out = torch.empty(len(rows_a), len(positions), x.shape[1])
    args = (rows_a.numpy(), rows_b.numpy(), _offsets(positions, x.shape[1] * 4), coef.contiguous().numpy())
    split(_soft_forward, len(rows_a), x.numpy(), *args, out.numpy())
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
    args = (rows_a.numpy(), rows_b.numpy(), _offsets(positions, x.shape[1] * 4), coef.contiguous().numpy())
    split(_row_sums, len(rows_a), grad.numpy(), s0.numpy())
    split(_soft_backward, parts, x.numpy(), grad.numpy(), *args, need_input, dx.numpy(), sums.numpy(), SOFT_CHUNK)
    return s0, sums.sum(0), dx[:, :n].contiguous()


def best(logits: Tensor) -> Tensor:
    """See `reference.best`."""
    out = torch.empty(len(logits), dtype=torch.int64)
    split(_best, len(logits), logits.contiguous().numpy(), out.numpy())
    return out


def mixture(logits: Tensor, gate: Tensor) -> Tensor:
    """See `reference.mixture`."""
    out = torch.empty(*logits.shape, 4)
    split(_mixture, len(logits), logits.contiguous().numpy(), gate.numpy(), out.numpy())
    return out


def logits_grad(logits: Tensor, gate: Tensor, s0: Tensor, sums: Tensor) -> Tensor:
    """See `reference.logits_grad`."""
    out = torch.empty(logits.shape)
    args = (logits.contiguous().numpy(), gate.numpy(), s0.numpy(), sums.contiguous().numpy(), out.numpy())
    split(_logits_grad, len(gate), *args)
    return out


def threshold(x: Tensor, feature: Tensor, thresholds: Tensor) -> Tensor:
    """See `reference.threshold`."""
    words = torch.empty(len(feature), n_words(x.shape[1]), dtype=torch.int64)
    args = (x.contiguous().numpy(), feature.numpy(), thresholds.numpy(), words.numpy().view(np.uint64))
    split(_threshold, len(feature), *args)
    return words


def group_count(words: Tensor, classes: int, n: int) -> Tensor:
    """See `reference.group_count`."""
    out = torch.empty(classes, n)
    split(_group_count, classes, _words(words), words.shape[0] // classes, n, out.numpy())
    return out
