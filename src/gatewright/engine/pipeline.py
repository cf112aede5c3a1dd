"""A plan for one kind of input, ready to run over chunks, blocks and threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.engine import kernels
from gatewright.engine.inputs import PackedSamples, Samples
from gatewright.engine.plan import ONE_SLOT, UNKNOWN, ZERO_SLOT, Plan, make_plan
from gatewright.engine.vector import TILE
from gatewright.errors import UnsupportedError

BLOCKS = (512, 1024, 2048)
"""Valid numbers of samples in a block."""

_CHUNK_BYTES = 1 << 20
_LARGEST_BYTES = 3 << 20
"""Slots of more bytes than this (at 1,024 samples a block) get smaller blocks, to stay near the caches of one core."""
_BATCH = 16

_NO_OUTPUTS = np.zeros((0, 0), np.uint8)
_NO_NUMBERS = np.zeros((0, 0), np.int64)
_NO_THRESHOLDS = np.zeros((0, TILE), np.uint64)

_Scratch = tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]


def _aligned(n: int) -> npt.NDArray[np.uint64]:
    """Zeroed uint64 [n] at a multiple of 64 bytes."""
    raw = np.zeros(n + 8, np.uint64)
    skip = (-raw.ctypes.data // 8) % 8
    return raw[skip : skip + n]


def _loader(plan: Plan, feature: Any, threshold: Any, n_features: int, dtype: np.dtype[Any]) -> tuple[Any, ...]:
    """Tiles, thresholds and lanes for `kernels.evaluate`: live bits in tiles of 64 adjacent features, a threshold each."""
    feature, threshold = feature[plan.inputs].astype(np.int64), threshold[plan.inputs]
    order = np.argsort(feature, kind="stable")
    ranked = feature[order]
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.searchsorted(ranked, ranked)
    chunks = -(-max(n_features, 1) // TILE)
    keys, tile = np.unique(rank * chunks + feature // TILE, return_inverse=True)
    start = np.minimum(keys % chunks * TILE, max(n_features, TILE) - TILE)
    by_tile = np.argsort(tile, kind="stable")
    ends = np.searchsorted(tile[by_tile], np.arange(len(keys) + 1))
    lane = feature - start[tile] if len(keys) else feature
    thresholds = np.zeros((len(keys), TILE), np.uint8 if dtype == np.bool_ else dtype)
    thresholds[tile, lane] = threshold.astype(thresholds.dtype)
    tiles = np.stack([start, ends[:-1], ends[1:]], axis=1).astype(np.int32)
    return tiles, thresholds, np.stack([lane, plan.input_slots], axis=1)[by_tile].astype(np.int32)


class _Counter(NamedTuple):
    """The slots that count for each class: arguments of `kernels.evaluate`."""

    batches: npt.NDArray[np.int32]
    chosen: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]
    low: int
    n_planes: int


def _counter(plan: Plan, head: Head | None) -> _Counter:
    """Split each class's outputs into batches of 16, with separate batches for inverted ones."""
    group, offset = (head.group, head.offset.tolist()) if head else (np.zeros(0, np.int32), [0])
    if max(map(abs, offset)) >= 1 << 61:
        raise UnsupportedError("a head's offsets must be smaller than 2^61 for the engine to count exactly")
    batches, chosen = [], [np.zeros(0, np.int32)]
    for k in range(head.n_groups if head else 0):
        for inverted in (0, 1):
            slots = plan.output_slots[(group == k) & (plan.output_inverted == inverted)]
            padded = np.full(-(-len(slots) // _BATCH) * _BATCH, ONE_SLOT if inverted else ZERO_SLOT, np.int32)
            padded[: len(slots)] = slots
            chosen.append(padded)
            batches += [(k, inverted)] * (len(padded) // _BATCH)
    low = min(offset)
    largest = max(offset) - low + int(np.bincount(group, minlength=1).max())
    return _Counter(
        batches=np.array(batches, np.int32).reshape(-1, 2),
        chosen=np.concatenate(chosen).reshape(-1, _BATCH),
        offset=np.array(offset, np.int64) - low,
        low=low,
        n_planes=max(4, largest.bit_length()),
    )


def _known_inputs(encoder: Encoder) -> npt.NDArray[np.uint8]:
    """Inputs whose thresholds no value, or every value, of the features' type reaches."""
    known = np.full(encoder.n_bits, UNKNOWN, np.uint8)
    known[encoder.threshold > encoder.highest[encoder.feature]] = 0
    known[encoder.threshold <= encoder.lowest[encoder.feature]] = 1
    return known


class Pipeline:
    """Evaluates a circuit from one kind of input: raw features, or Booleans and packed bits.

    Args:
        circuit: The circuit.
        encoder: Its encoder, to start from raw features; None to start from bits.
        block: Samples in a block, or None to choose.
    """

    def __init__(self, circuit: Circuit, encoder: Encoder | None, block: int | None) -> None:
        self.plan = plan = make_plan(circuit, None if encoder is None else _known_inputs(encoder))
        if encoder is None:
            n = circuit.n_inputs
            self._loader = _loader(plan, np.arange(n), np.ones(n), n, np.dtype(np.bool_))
        else:
            dtype = np.dtype(encoder.dtype)
            self._loader = _loader(plan, encoder.feature, encoder.threshold, encoder.n_features, dtype)
        packed_tiles = np.stack([plan.inputs, plan.input_slots, plan.inputs], axis=1)
        self._packed_loader = packed_tiles, _NO_THRESHOLDS, self._loader[-1]
        self._counter = _counter(plan, circuit.head)
        self.block = block or (1024 if plan.n_slots * 128 <= _LARGEST_BYTES else 512)

    def run(self, wanted: int, samples: Samples | PackedSamples, threads: int, result: npt.NDArray[Any]) -> None:
        """Evaluate all samples.

        Args:
            wanted: `kernels.OUTPUTS`, `COUNTS` or `CLASSES`.
            samples: Samples of the kind this pipeline is made for.
            threads: Number of threads that share the samples.
            result: uint8 [n, outputs] for outputs, int64 [classes, n] for counts, int64 [1, n] for classes.
        """
        n = samples.n
        step = max(1, _CHUNK_BYTES * 64 // (samples.bytes_per_word * self.block)) * self.block
        step = min(step, max(1, -(-n // (threads * self.block))) * self.block)
        starts = range(0, n, step)
        threads = min(threads, len(starts))
        if threads <= 1:
            scratch = self.scratch()
            for start in starts:
                self._run_chunk(wanted, samples, start, min(start + step, n), result, scratch)
            return
        pool: SimpleQueue[_Scratch] = SimpleQueue()
        for _ in range(threads):
            pool.put(self.scratch())

        def work(start: int) -> None:
            scratch = pool.get()
            try:
                self._run_chunk(wanted, samples, start, min(start + step, n), result, scratch)
            finally:
                pool.put(scratch)

        with ThreadPoolExecutor(threads) as executor:
            for _ in executor.map(work, starts):
                pass

    def scratch(self) -> _Scratch:
        """Slots and counters for one thread; only the constant slots are set."""
        words = self.block // 64
        slots = _aligned(self.plan.n_slots * words)
        slots[ONE_SLOT * words : (ONE_SLOT + 1) * words] = np.iinfo(np.uint64).max
        return slots, _aligned(len(self._counter.offset) * self._counter.n_planes * words)

    def _run_chunk(
        self,
        wanted: int,
        samples: Samples | PackedSamples,
        start: int,
        stop: int,
        result: npt.NDArray[Any],
        scratch: _Scratch,
    ) -> None:
        plan = self.plan
        kernels.evaluate(
            wanted,
            samples.chunk(start, stop),
            stop - start,
            self.block // 64,
            samples.packed,
            *(self._packed_loader if samples.packed else self._loader),
            plan.program,
            plan.runs,
            plan.output_slots,
            plan.output_inverted,
            *self._counter,
            *scratch,
            start,
            *((result, _NO_NUMBERS) if wanted == kernels.OUTPUTS else (_NO_OUTPUTS, result)),
        )
