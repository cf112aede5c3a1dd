"""The kernels of `int8_reference.py` on the CPU, compiled by Numba.

Every output row belongs to one thread, and sums of int8 are exact, so results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit, types
from torch import Tensor

from gatewright.gates import COEFFICIENTS
from gatewright.kernels.cpu.float32 import padded
from gatewright.kernels.cpu.int8_simd import add_chosen_bytes, byte_sum, masked_byte_sums, peak_bits, round_row
from gatewright.kernels.cpu.simd import LANES, as_float
from gatewright.kernels.int8_reference import HASH_ROW, LEVELS, Block
from gatewright.kernels.reference import WORD, n_words
from gatewright.runtime.threads import split

_COEF = COEFFICIENTS.astype(np.float32)
_HASH_ROW = np.uint32(HASH_ROW)
_LEVELS = np.float32(LEVELS)
# Without fast maths: a value is rounded as the reference rounds it, bit for bit.
_jit = njit(cache=True, nogil=True)


@_jit
def round_unit(values: Any, peak: Any, first_row: int, out: Any) -> Any:
    """Round one unit's rows float32 [P, whole vectors], of this peak, to int8 [P, 64 W]; returns its scale."""
    vectors = values.shape[1] // LANES
    row_bytes, values_at, out_at = values.shape[1] * 4, values.ctypes.data, out.ctypes.data
    factor = _LEVELS / peak if peak > 0 else np.float32(0)
    for p in range(values.shape[0]):
        salt = np.uint32(np.uint32(first_row + p) * _HASH_ROW)
        round_row(types.uintp(values_at + p * row_bytes), types.uintp(out_at + p * out.shape[1]), factor, salt, vectors)
        out[p, values.shape[1] :] = 0
    return peak / _LEVELS


@_jit
def _quantize_unit(values: Any, first_row: int, out: Any) -> Any:
    """Find one unit's peak and round its rows as `round_unit` does."""
    peak = as_float(peak_bits(types.uintp(values.ctypes.data), values.size // LANES))
    return round_unit(values, peak, first_row, out)


@_jit
def _quantize(start: int, stop: int, values: Any, out: Any, scale: Any) -> None:
    for u in range(start, stop):
        scale[u] = _quantize_unit(values[u], u * values.shape[1], out[u])


@_jit
def _sums(start: int, stop: int, words: Any, grad: Any, wires: Any, s0: Any, sums: Any) -> None:
    q, scale, repeat = grad
    rows_a, rows_b, offsets = wires
    n_w, n_positions = words.shape[1], len(offsets)
    row_bytes = types.uintp(n_w * 8)
    words_at, q_at = types.uintp(words.ctypes.data), types.uintp(q.ctypes.data)
    offsets_at = types.uintp(offsets.ctypes.data)
    sums_at = types.uintp(sums.ctypes.data + start * rows_a.shape[1] * 12)  # float32 [m, k, 3]
    for j in range(start, stop):
        u = j // repeat
        g = q_at + types.uintp(u * n_positions * q.shape[2])
        s0[j] = np.float32(byte_sum(g, n_positions * n_w)) * scale[u]
        for k in range(rows_a.shape[1]):
            a = words_at + types.uintp(rows_a[j, k]) * row_bytes
            b = words_at + types.uintp(rows_b[j, k]) * row_bytes
            if n_positions == 1 and n_w == 2:  # batches of 128, the usual size: no loop is left
                masked_byte_sums(sums_at, scale[u], g, a, b, offsets_at, 1, q.shape[2], 2)
            else:
                masked_byte_sums(sums_at, scale[u], g, a, b, offsets_at, n_positions, q.shape[2], n_w)
            sums_at += types.uintp(12)


@_jit
def _readers(row_a: Any, row_b: Any, block_rows: int, starts: Any, entries: Any) -> None:
    """Who reads each block: entries `2 j + side` of block i are `entries[starts[i]:starts[i + 1]]`, j ascending."""
    for j in range(len(row_a)):
        starts[row_a[j] // block_rows + 1] += 1
        starts[row_b[j] // block_rows + 1] += 1
    for i in range(1, len(starts)):
        starts[i] += starts[i - 1]
    place = starts.copy()
    for j in range(len(row_a)):
        for side in range(2):
            i = (row_a[j] if side == 0 else row_b[j]) // block_rows
            entries[place[i]] = 2 * j + side
            place[i] += 1


@_jit
def _input(
    start: int, stop: int, words: Any, grad: Any, wires: Any, readers: Any, image: Any, n: int, out: Any, out_scale: Any
) -> None:
    q, scale, repeat = grad
    row_a, row_b, gate, positions = wires
    starts, entries = readers
    height, width, padding = image
    wide = width + 2 * padding
    block_rows = (height + 2 * padding) * wide
    vectors = (n + LANES - 1) // LANES
    row_bytes, q_bytes = types.uintp(words.shape[1] * 8), types.uintp(q.shape[2])
    words_at, q_at = types.uintp(words.ctypes.data), types.uintp(q.ctypes.data)
    scratch = np.empty((block_rows, vectors * LANES), np.float32)
    scratch_at, scratch_bytes = types.uintp(scratch.ctypes.data), types.uintp(scratch.shape[1] * 4)
    unit = out.shape[1]
    for i in range(start, stop):
        scratch[:] = 0
        for e in entries[starts[i] : starts[i + 1]]:
            j, side = e // 2, e % 2
            u = j // repeat
            own, other = (row_b[j], row_a[j]) if side else (row_a[j], row_b[j])
            unset = _COEF[gate[j], 1 + side] * scale[u]
            is_set = (_COEF[gate[j], 1 + side] + _COEF[gate[j], 3]) * scale[u]
            local = own - i * block_rows
            for p in range(len(positions)):
                to = scratch_at + types.uintp(local + positions[p]) * scratch_bytes
                g = q_at + types.uintp(u * len(positions) + p) * q_bytes
                bits = words_at + types.uintp(other + positions[p]) * row_bytes
                add_chosen_bytes(to, g, bits, unset, is_set, vectors)
        if padding:
            for r in range(height * width):
                scratch[r] = scratch[(r // width + padding) * wide + r % width + padding]
        per_block = height * width // unit
        for part in range(per_block):
            v = i * per_block + part
            out_scale[v] = _quantize_unit(scratch[part * unit : (part + 1) * unit], v * unit, out[v])


def quantize(values: Tensor) -> tuple[Tensor, Tensor]:
    """See `int8_reference.quantize`."""
    units, rows, n = values.shape
    values = padded(values)
    out, scale = torch.empty(units, rows, n_words(n) * WORD, dtype=torch.int8), torch.empty(units)
    split(_quantize, units, values.numpy(), out.numpy(), scale.numpy())
    return out, scale


def int8_sums(
    words: Tensor, q: Tensor, scale: Tensor, repeat: int, rows_a: Tensor, rows_b: Tensor, positions: Tensor
) -> tuple[Tensor, Tensor]:
    """See `int8_reference.int8_sums`."""
    s0, sums = torch.empty(len(rows_a)), torch.empty(*rows_a.shape, 3)
    offsets = positions.numpy().astype(np.int64) * (words.shape[1] * 8)
    grad, wires = (q.numpy(), scale.numpy(), repeat), (rows_a.numpy(), rows_b.numpy(), offsets)
    split(_sums, len(rows_a), words.contiguous().numpy(), grad, wires, s0.numpy(), sums.numpy())
    return s0, sums


def int8_input_grad(
    words: Tensor,
    q: Tensor,
    scale: Tensor,
    repeat: int,
    row_a: Tensor,
    row_b: Tensor,
    gate: Tensor,
    positions: Tensor,
    block: list[int],
    n: int,
) -> tuple[Tensor, Tensor]:
    """See `int8_reference.int8_input_grad`."""
    shape = Block(*block)
    blocks = len(words) // shape.padded_rows
    starts, entries = np.zeros(blocks + 1, np.int64), np.empty(2 * len(row_a), np.int64)
    _readers(row_a.numpy(), row_b.numpy(), shape.padded_rows, starts, entries)
    units = blocks * shape.height * shape.width // shape.unit
    out, out_scale = torch.empty(units, shape.unit, q.shape[2], dtype=torch.int8), torch.empty(units)
    grad = (q.numpy(), scale.numpy(), repeat)
    wires = (row_a.numpy(), row_b.numpy(), gate.numpy(), positions.numpy())
    args = (words.contiguous().numpy(), grad, wires, (starts, entries), shape[:3], n)
    split(_input, blocks, *args, out.numpy(), out_scale.numpy())
    return out, out_scale
