"""The kernels of a head whose every class weighs every bit (`nn/weighted_sum.py`) on the CPU, compiled by Numba."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit, types
from torch import Tensor

from gatewright.kernels.cpu.bits import as_words
from gatewright.kernels.cpu.float32 import padded
from gatewright.kernels.cpu.int8 import quantize, round_unit
from gatewright.kernels.cpu.simd import LANES, as_float
from gatewright.kernels.cpu.weighted_simd import QUAD, count_bits, four_masked_sums, weighted_row
from gatewright.kernels.reference import WORD, n_words
from gatewright.runtime.threads import split

_MOST = 255
"""Rows that are counted in bytes before the counts are added up."""

_jit = njit(cache=True, nogil=True)


@_jit
def _add_counts(words: Any, rows: Any, n_rows: int, sign: int, counts: Any, out: Any) -> None:
    counts_at, words_at = types.uintp(counts.ctypes.data), types.uintp(words.ctypes.data)
    count_bits(counts_at, words_at, types.uintp(rows.ctypes.data), n_rows, words.shape[1])
    for s in range(len(out)):
        out[s] += np.float32(sign * np.int32(counts[s]))


@_jit
def _weigh(start: int, stop: int, words: Any, weight: Any, out: Any) -> None:
    counts, rows = np.empty(words.shape[1] * 64, np.uint8), np.empty(_MOST, np.int64)
    for c in range(start, stop):
        out[c] = 0
        for sign in (1, -1):
            n_rows = 0
            for f in range(words.shape[0]):
                for _ in range(sign * np.int32(weight[c, f])):
                    rows[n_rows] = f * words.shape[1] * 8
                    n_rows += 1
                    if n_rows == _MOST:
                        _add_counts(words, rows, n_rows, sign, counts, out[c])
                        n_rows = 0
            _add_counts(words, rows, n_rows, sign, counts, out[c])


@_jit
def _weight_sums(start: int, stop: int, words: Any, q: Any, scale: Any, out: Any) -> None:
    n_w, stride = words.shape[1], q.shape[2]
    sums = np.empty(QUAD, np.float32)
    words_at, q_at = types.uintp(words.ctypes.data), types.uintp(q.ctypes.data)
    scale_at, sums_at = types.uintp(scale.ctypes.data), types.uintp(sums.ctypes.data)
    for f in range(start, stop):
        row = words_at + types.uintp(f * n_w * 8)
        for first in range(0, q.shape[0], QUAD):
            four_masked_sums(
                sums_at, scale_at + types.uintp(first * 4), row, q_at + types.uintp(first * stride), stride, n_w
            )
            for c in range(first, min(first + QUAD, out.shape[0])):
                out[c, f] = sums[c - first]


@_jit
def _weigh_input(start: int, stop: int, weight: Any, grad: Any, out: Any, scale: Any) -> None:
    classes = len(weight)
    rows, weights, row = np.empty(classes, np.int64), np.empty(classes, np.float32), np.empty_like(grad[:1])
    rows_at, weights_at = types.uintp(rows.ctypes.data), types.uintp(weights.ctypes.data)
    for f in range(start, stop):
        n_rows = 0
        for c in range(classes):
            if weight[c, f] != 0:
                rows[n_rows] = grad.ctypes.data + c * grad.shape[1] * 4
                weights[n_rows] = weight[c, f]
                n_rows += 1
        bits = weighted_row(types.uintp(row.ctypes.data), rows_at, weights_at, n_rows, grad.shape[1] // LANES)
        scale[f] = round_unit(row, as_float(bits), f, out[f])


def weigh(words: Tensor, weight: Tensor, n: int) -> Tensor:
    """See `reference.weigh`; exact."""
    out = torch.empty(len(weight), n)
    split(_weigh, len(weight), as_words(words), weight.contiguous().numpy(), out.numpy())
    return out


def weight_sums(words: Tensor, grad: Tensor) -> Tensor:
    """See `reference.weight_sums`; the gradient is rounded to int8 first."""
    q, scale = quantize(torch.nn.functional.pad(grad, (0, 0, 0, -len(grad) % QUAD))[:, None])
    out = torch.empty(len(grad), len(words))
    split(_weight_sums, len(words), words.contiguous().numpy(), q.numpy(), scale.numpy(), out.numpy())
    return out


def weigh_input(weight: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """See `int8_reference.weigh_input`."""
    features = weight.shape[1]
    out = torch.empty(features, 1, n_words(grad.shape[1]) * WORD, dtype=torch.int8)
    scale = torch.empty(features)
    args = (weight.contiguous().numpy(), padded(grad).numpy(), out.numpy(), scale.numpy())
    split(_weigh_input, features, *args)
    return out, scale
