"""The kernels of `int8_reference.py` on the CPU, compiled by Numba.

Every output row belongs to one thread, and sums of int8 are exact, so results do not depend on the number of threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit, types
from torch import Tensor

from gatewright.gates import COEFFICIENTS, USES_A, USES_B
from gatewright.kernels.cpu.float32 import padded
from gatewright.kernels.cpu.int8_simd import (
    BYTES,
    add_chosen_bytes,
    byte_sum,
    chosen_bytes,
    masked_byte_sums,
    masked_byte_sums_of_four,
    peak_bits,
    round_row,
)
from gatewright.kernels.cpu.simd import LANES, as_float, prefetch
from gatewright.kernels.int8_reference import HASH_ROW, LEVELS, Block
from gatewright.kernels.reference import WORD, n_words
from gatewright.runtime.threads import split

_COEF = COEFFICIENTS.astype(np.float32)
_HASH_ROW = np.uint32(HASH_ROW)
_LEVELS = np.float32(LEVELS)
_READS = np.stack([USES_A, USES_B], 1).astype(np.int64)
"""Whether a gate reads its first and second operand: a wire does not read the other one."""
_AHEAD = 12
"""How many readers ahead of a row's own their rows are asked for."""
# Without fast maths: a value is rounded as the reference rounds it, bit for bit.
_jit = njit(cache=True, nogil=True)


@_jit
def _scale_and_factor(peak: Any) -> Any:
    """The scale of a unit of this greatest magnitude, and what its values are multiplied by for rounding."""
    return peak / _LEVELS, _LEVELS / peak if peak > 0 else np.float32(0)


@_jit
def round_unit(values: Any, peak: Any, first_row: int, out: Any) -> Any:
    """Round one unit's rows float32 [P, whole vectors], of this peak, to int8 [P, 64 W]; returns its scale."""
    vectors = values.shape[1] // LANES
    row_bytes, values_at, out_at = values.shape[1] * 4, values.ctypes.data, out.ctypes.data
    scale, factor = _scale_and_factor(peak)
    for p in range(values.shape[0]):
        salt = np.uint32(np.uint32(first_row + p) * _HASH_ROW)
        round_row(types.uintp(values_at + p * row_bytes), types.uintp(out_at + p * out.shape[1]), factor, salt, vectors)
        out[p, values.shape[1] :] = 0
    return scale


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
    a_at, b_at = types.uintp(rows_a.ctypes.data), types.uintp(rows_b.ctypes.data)
    sums_at = types.uintp(sums.ctypes.data + start * rows_a.shape[1] * 12)  # float32 [m, k, 3]
    for j in range(start, stop):
        u = j // repeat
        g = q_at + types.uintp(u * n_positions * q.shape[2])
        s0[j] = np.float32(byte_sum(g, n_positions * n_w)) * scale[u]
        whole = rows_a.shape[1] // 4 * 4
        for k in range(0, whole, 4):
            at = types.uintp((j * rows_a.shape[1] + k) * 4)
            rows = a_at + at, b_at + at
            # Dense layers at batches of 128 and 256, the usual sizes: no loop is left.
            if n_positions == 1 and n_w == 2:
                masked_byte_sums_of_four(sums_at, scale[u], g, words_at, rows, offsets_at, 1, q.shape[2], 2)
            elif n_positions == 1 and n_w == 4:
                masked_byte_sums_of_four(sums_at, scale[u], g, words_at, rows, offsets_at, 1, q.shape[2], 4)
            else:
                masked_byte_sums_of_four(sums_at, scale[u], g, words_at, rows, offsets_at, n_positions, q.shape[2], n_w)
            sums_at += types.uintp(48)
        for k in range(whole, rows_a.shape[1]):
            a = words_at + types.uintp(rows_a[j, k]) * row_bytes
            b = words_at + types.uintp(rows_b[j, k]) * row_bytes
            if n_positions == 1 and n_w == 2:  # batches of 128, the usual size: no loop is left
                masked_byte_sums(sums_at, scale[u], g, a, b, offsets_at, 1, q.shape[2], 2)
            else:
                masked_byte_sums(sums_at, scale[u], g, a, b, offsets_at, n_positions, q.shape[2], n_w)
            sums_at += types.uintp(12)


@_jit
def _readers(grad: Any, wires: Any, n_positions: int, block_rows: int, starts: Any, rows: Any, values: Any) -> None:
    """Who reads each block, in the order in which it is added up: block i has the readers `starts[i] .. starts[i + 1] - 1`.

    A reader is `rows` int32 [3]: the first row of its gradient in q, of its other operand, and of what it reads; and
    `values` float32 [2], what its gradient is multiplied by where the other operand is 0 and where it is 1. What a wire
    does not read is counted as nothing and written past all readers, as branches that nobody can predict take longer.
    """
    _, scale, repeat = grad
    row_a, row_b, gate = wires
    for j in range(len(gate)):
        for side in range(2):
            own = row_b[j] if side else row_a[j]
            starts[(own if block_rows == 1 else own // block_rows) + 1] += _READS[gate[j], side]
    for i in range(1, len(starts)):
        starts[i] += starts[i - 1]
    place, past = starts.copy(), len(rows) - 1
    for j in range(len(gate)):
        u = j if repeat == 1 else j // repeat
        for side in range(2):
            own, other = (row_b[j], row_a[j]) if side else (row_a[j], row_b[j])
            i, reads = own if block_rows == 1 else own // block_rows, _READS[gate[j], side]
            at = past + reads * (place[i] - past)
            place[i] += reads
            rows[at, 0], rows[at, 1], rows[at, 2] = u * n_positions, other, own
            values[at, 0] = _COEF[gate[j], 1 + side] * scale[u]
            values[at, 1] = (_COEF[gate[j], 1 + side] + _COEF[gate[j], 3]) * scale[u]


@_jit
def _input_rows(start: int, stop: int, words: Any, q: Any, readers: Any, out: Any, out_scale: Any) -> None:
    """`_input` of units of rows that neurons at one position read: a row is added up in registers."""
    starts, rows, values = readers
    unit = out.shape[1]
    scratch = np.empty((unit, q.shape[2]), np.float32)
    scratch_at, out_at = types.uintp(scratch.ctypes.data), types.uintp(out.ctypes.data + start * unit * q.shape[2])
    words_at, q_at = types.uintp(words.ctypes.data), types.uintp(q.ctypes.data)
    rows_at, values_at = types.uintp(rows.ctypes.data), types.uintp(values.ctypes.data)
    row_bytes, q_bytes = types.uintp(words.shape[1] * 8), types.uintp(q.shape[2])
    n_words, vectors, last = words.shape[1], q.shape[2] // LANES, starts[-1] - 1
    for v in range(start, stop):
        peak = np.int32(0)
        for r in range(unit):
            first, after = starts[v * unit + r], starts[v * unit + r + 1]
            for at in range(first, after):
                later = min(at + _AHEAD, last)
                line = q_at + types.uintp(rows[later, 0]) * q_bytes
                for _ in range(n_words):
                    prefetch(line)
                    line += types.uintp(BYTES)
                prefetch(words_at + types.uintp(rows[later, 1]) * row_bytes)
            to = scratch_at + types.uintp(r * 4) * q_bytes
            reader, value = rows_at + types.uintp(first * 12), values_at + types.uintp(first * 8)
            peak = max(peak, chosen_bytes(to, q_at, words_at, reader, value, after - first, n_words))
        out_scale[v], factor = _scale_and_factor(as_float(peak))
        for r in range(unit):
            salt = np.uint32(np.uint32(v * unit + r) * _HASH_ROW)
            round_row(scratch_at + types.uintp(r * 4) * q_bytes, out_at, factor, salt, vectors)
            out_at += q_bytes


@_jit
def _input(
    start: int, stop: int, words: Any, q: Any, readers: Any, positions: Any, image: Any, out: Any, out_scale: Any
) -> None:
    starts, rows, values = readers
    height, width, padding = image
    wide, pixels, unit = width + 2 * padding, height * width, out.shape[1]
    block_rows, vectors = (height + 2 * padding) * wide, q.shape[2] // LANES
    row_bytes, q_bytes = types.uintp(words.shape[1] * 8), types.uintp(q.shape[2])
    words_at, q_at = types.uintp(words.ctypes.data), types.uintp(q.ctypes.data)
    scratch = np.empty((block_rows, q.shape[2]), np.float32)
    scratch_at, scratch_bytes = types.uintp(scratch.ctypes.data), types.uintp(q.shape[2] * 4)
    out_at = types.uintp(out.ctypes.data + start * pixels * q.shape[2])
    for i in range(start, stop):
        scratch[:] = 0
        for at in range(starts[i], starts[i + 1]):
            g, other, local = q_at + types.uintp(rows[at, 0]) * q_bytes, rows[at, 1], rows[at, 2] - i * block_rows
            for p in range(len(positions)):
                to = scratch_at + types.uintp(local + positions[p]) * scratch_bytes
                bits = words_at + types.uintp(other + positions[p]) * row_bytes
                add_chosen_bytes(to, g, bits, values[at, 0], values[at, 1], vectors)
                g += q_bytes
        for first in range(0, pixels, unit):
            size = np.int32(0)
            for r in range(first, first + unit):
                row = (r // width + padding) * wide + r % width + padding
                size = max(size, peak_bits(scratch_at + types.uintp(row) * scratch_bytes, vectors))
            out_scale[(i * pixels + first) // unit], factor = _scale_and_factor(as_float(size))
            for r in range(first, first + unit):
                row = (r // width + padding) * wide + r % width + padding
                salt = np.uint32(np.uint32(i * pixels + r) * _HASH_ROW)
                round_row(scratch_at + types.uintp(row) * scratch_bytes, out_at, factor, salt, vectors)
                out_at += q_bytes


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
    grad, wires = (q.numpy(), scale.numpy(), repeat), (*map(_rows, (rows_a, rows_b)), offsets)
    split(_sums, len(rows_a), words.contiguous().numpy(), grad, wires, s0.numpy(), sums.numpy())
    return s0, sums


def _rows(rows: Tensor) -> Any:
    """Row numbers as the inner loops read them from memory."""
    return rows.to(torch.int32).contiguous().numpy()


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
    n: int,  # noqa: ARG001 - past them q is zero
) -> tuple[Tensor, Tensor]:
    """See `int8_reference.int8_input_grad`."""
    shape = Block(*block)
    dense = len(positions) == 1 and not (shape.padding or positions[0])
    blocks = len(words) // shape.padded_rows
    units = blocks * shape.height * shape.width // shape.unit
    starts = np.zeros(len(words) + 1 if dense else blocks + 1, np.int64)
    most = 2 * len(gate) + 1
    rows, values = np.empty((most, 3), np.int32), np.empty((most, 2), np.float32)
    grad, wires = (q.numpy(), scale.numpy(), repeat), (row_a.numpy(), row_b.numpy(), gate.numpy())
    _readers(grad, wires, len(positions), 1 if dense else shape.padded_rows, starts, rows, values)
    out, out_scale = torch.empty(units, shape.unit, q.shape[2], dtype=torch.int8), torch.empty(units)
    read = (words.contiguous().numpy(), q.numpy(), (starts, rows, values))
    written = (out.numpy(), out_scale.numpy())
    if dense:
        split(_input_rows, units, *read, *written)
    else:
        split(_input, blocks, *read, positions.numpy(), shape[:3], *written)
    return out, out_scale
