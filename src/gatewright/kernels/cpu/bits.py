"""The kernels that make, combine and count packed bits on the CPU, compiled by Numba."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numba import njit, types
from torch import Tensor

from gatewright.kernels.cpu import simd
from gatewright.kernels.reference import WORD, n_words
from gatewright.runtime.threads import split

_jit = njit(cache=True, nogil=True)


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
def _hard_forward(start: int, stop: int, words: Any, wires: Any, last: Any, out: Any) -> None:
    row_a, row_b, gate, positions = wires
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


def as_words(words: Tensor) -> Any:
    """The words as NumPy's uint64."""
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
    split(_unpack, words.shape[0], as_words(words), n, out.numpy())
    return out


def hard_forward(words: Tensor, row_a: Tensor, row_b: Tensor, gate: Tensor, positions: Tensor, n: int) -> Tensor:
    """See `reference.hard_forward`."""
    out = torch.empty(len(row_a) * len(positions), words.shape[1], dtype=torch.int64)
    last = np.uint64((1 << (n % WORD)) - 1 if n % WORD else 2**WORD - 1)
    wires = (row_a.numpy(), row_b.numpy(), gate.numpy(), positions.numpy())
    split(_hard_forward, len(row_a), as_words(words), wires, last, out.numpy().view(np.uint64))
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
    split(_group_count, classes, as_words(words), words.shape[0] // classes, n, out.numpy())
    return out
