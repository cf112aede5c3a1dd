"""Compiled loops over a chunk of samples: load bits, run gates, write outputs, counts or classes.

A chunk is evaluated block after block; a block is `words` words of 64 samples, small enough for its slots to stay in
cache. Everything here is compiled once per feature type, releases the GIL, and writes only to the scratch and the
results it is given.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from gatewright.engine.vector import TILE, count16, pack_tile, run_gates

OUTPUTS, COUNTS, CLASSES = range(3)
"""Results that `evaluate` can write."""


@numba.njit(nogil=True, cache=True)
def has_nan(x: Any) -> bool:
    """Whether an array [n, features] of floats contains NaN."""
    for s in range(len(x)):
        bad = 0
        for f in range(x.shape[1]):
            bad |= x[s, f] != x[s, f]
        if bad:
            return True
    return False


@numba.njit(nogil=True, cache=True)
def _load_features(
    x: Any, words: int, first: int, stop: int, tiles: Any, thresholds: Any, lanes: Any, slots: Any, tile: Any
) -> None:
    """Threshold the samples of words first..stop-1 into the first words of their slots."""
    stride = x.shape[1] * x.itemsize
    base = x.ctypes.data
    for word in range(first, stop):
        for t in range(len(tiles)):
            start = base + word * TILE * stride + tiles[t, 0] * x.itemsize
            pack_tile(x, start, stride, thresholds.ctypes.data + t * TILE * x.itemsize, tile.ctypes.data)
            for i in range(tiles[t, 1], tiles[t, 2]):
                slots[lanes[i, 1] * words + word - first] = tile[lanes[i, 0]]


@numba.njit(nogil=True, cache=True)
def _load_packed(x: Any, words: int, first: int, stop: int, tiles: Any, slots: Any) -> None:
    for t in range(len(tiles)):
        for word in range(first, stop):
            slots[tiles[t, 1] * words + word - first] = x[tiles[t, 0], word]


@numba.njit(nogil=True, cache=True)
def _gates(words: int, slots: Any, program: Any, runs: Any) -> None:
    rows, steps = slots.ctypes.data, program.ctypes.data
    for r in range(len(runs)):
        op, first, last = np.int64(runs[r, 0]), np.int64(runs[r, 1]), np.int64(runs[r, 2])
        if words == 8:
            run_gates(8, rows, steps, op, first, last)
        elif words == 16:
            run_gates(16, rows, steps, op, first, last)
        else:
            run_gates(32, rows, steps, op, first, last)


@numba.njit(nogil=True, cache=True)
def _count(words: int, slots: Any, batches: Any, chosen: Any, offset: Any, n_planes: int, planes: Any) -> None:
    """Bit-sliced counts of every class: planes [classes * n_planes * words], from offsets [classes]."""
    for k in range(len(offset)):
        for p in range(n_planes):
            start = (k * n_planes + p) * words
            planes[start : start + words] = np.uint64(0) - np.uint64((offset[k] >> p) & 1)
    rows, counters, lists = slots.ctypes.data, planes.ctypes.data, chosen.ctypes.data
    for i in range(len(batches)):
        counter = counters + np.int64(batches[i, 0]) * n_planes * words * 8
        invert = -np.int64(batches[i, 1])
        if words == 8:
            count16(8, rows, lists + i * 64, counter, n_planes, invert)
        elif words == 16:
            count16(16, rows, lists + i * 64, counter, n_planes, invert)
        else:
            count16(32, rows, lists + i * 64, counter, n_planes, invert)


@numba.njit(nogil=True, cache=True)
def _argmax(words: int, planes: Any, n_classes: int, n_planes: int, n_bits: int, best: Any, index: Any) -> None:
    """Bit-sliced argmax, ties to the lowest: the class number as `n_bits` rows in `index`."""
    for i in range(n_planes * words):  # (assigning slices would compile NumPy's rules of broadcasting, for a second)
        best[i] = planes[i]
    index[:] = 0
    for k in range(1, n_classes):
        start = k * n_planes * words
        for w in range(words):
            greater = np.uint64(0)
            for p in range(n_planes):
                old, new = best[p * words + w], planes[start + p * words + w]
                greater = (new & ~old) | (~(new ^ old) & greater)
            for p in range(n_planes):
                old, new = best[p * words + w], planes[start + p * words + w]
                best[p * words + w] = old ^ ((old ^ new) & greater)
            for p in range(n_bits):
                bit = np.uint64(0) - np.uint64((k >> p) & 1)
                old = index[p * words + w]
                index[p * words + w] = old ^ ((old ^ bit) & greater)


@numba.njit(nogil=True, cache=True)
def _unslice(words: int, planes: Any, start: int, n_planes: int, n: int, low: int, numbers: Any) -> None:
    """Numbers [n] from bit-slices: bit p of number s is bit s of row start + p; `low` is added."""
    for word in range((n + 63) // 64):
        count = min(64, n - 64 * word)
        out = numbers[64 * word : 64 * word + count]
        out[:] = low
        for p in range(n_planes):
            bits = planes[(start + p) * words + word]
            for s in range(count):
                out[s] += np.int64((bits >> np.uint64(s)) & np.uint64(1)) << p


@numba.njit(nogil=True, cache=True)
def evaluate(
    wanted: int,
    x: Any,
    n: int,
    words: int,
    packed: bool,
    tiles: Any,
    thresholds: Any,
    lanes: Any,
    program: Any,
    runs: Any,
    output_slots: Any,
    output_inverted: Any,
    batches: Any,
    chosen: Any,
    offset: Any,
    low: int,
    n_planes: int,
    slots: Any,
    planes: Any,
    start: int,
    outputs: Any,
    numbers: Any,
) -> None:
    """Evaluate a chunk of samples.

    Args:
        wanted: `OUTPUTS`, `COUNTS` or `CLASSES`.
        x: Features [n rounded up to 64, features], C order; or, if `packed`, uint64 [inputs, words].
        n: Samples.
        words: Words in a block: 8, 16 or 32.
        packed: Whether x holds packed bits.
        tiles: int32 [tiles, 3], (first feature, first and last + 1 row of `lanes`); if `packed`, (input, slot, -).
        thresholds: [tiles, 64], of the type of x.
        lanes: int32 [bits, 2], (lane of the tile, slot).
        program: See `Plan`.
        runs: See `Plan`.
        output_slots: See `Plan`.
        output_inverted: See `Plan`.
        batches: int32 [batches, 2], (class, whether inverted).
        chosen: int32 [batches, 16], slots to count.
        offset: int64 [classes], not negative.
        low: Added to every count.
        n_planes: Bits of a count.
        slots: Scratch, uint64 [slots * words], aligned to 64 bytes, constant slots set.
        planes: Scratch, uint64 [classes * n_planes * words], aligned to 64 bytes.
        start: Position of the chunk's first sample in the results.
        outputs: uint8 [all samples, outputs], written if `OUTPUTS` are wanted.
        numbers: int64 [classes, all samples], written if `COUNTS` are wanted; [1, all samples] if `CLASSES` are.
    """
    tile = np.empty(TILE, np.uint64)
    n_classes = len(offset)
    n_bits = 0
    while (1 << n_bits) < n_classes:
        n_bits += 1
    best, index = np.empty(n_planes * words, np.uint64), np.empty(n_bits * words, np.uint64)
    for first in range(0, (n + 63) // 64, words):
        stop = min(first + words, (n + 63) // 64)
        if packed:
            _load_packed(x, words, first, stop, tiles, slots)
        else:
            _load_features(x, words, first, stop, tiles, thresholds, lanes, slots, tile)
        _gates(words, slots, program, runs)
        at, end = 64 * first, min(64 * stop, n)
        if wanted == OUTPUTS:
            for j in range(len(output_slots)):
                row, inverted = output_slots[j] * words, output_inverted[j]
                for s in range(end - at):
                    bit = (slots[row + (s >> 6)] >> np.uint64(s & 63)) & np.uint64(1)
                    outputs[start + at + s, j] = np.uint8(bit) ^ inverted
            continue
        _count(words, slots, batches, chosen, offset, n_planes, planes)
        if wanted == COUNTS:
            for k in range(n_classes):
                _unslice(words, planes, k * n_planes, n_planes, end - at, low, numbers[k, start + at : start + end])
        else:
            _argmax(words, planes, n_classes, n_planes, n_bits, best, index)
            _unslice(words, index, 0, n_bits, end - at, 0, numbers[0, start + at : start + end])


@numba.njit(nogil=True, cache=True)
def evaluate_gates(repeats: int, words: int, slots: Any, program: Any, runs: Any) -> None:
    """Run the gates of one block repeatedly, for benchmarks."""
    for _ in range(repeats):
        _gates(words, slots, program, runs)
