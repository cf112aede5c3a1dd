"""Vector loops on int8 gradients, written as LLVM IR: masked sums by dot products of bytes, and scaled additions.

Where the processor multiplies bytes and adds them up in one instruction (AVX-512 VNNI), 64 masked gradients take one;
elsewhere LLVM widens them. Sums are of whole numbers, so both give the same bits. Callers are in `int8.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from gatewright.kernels.cpu.simd import (
    FAST,
    LANES,
    accumulate_scaled,
    builtin,
    const,
    each_step,
    load,
    pointer,
    splat,
    zeros,
)
from gatewright.kernels.int8_reference import HASH_SAMPLE, HASH_VALUE

BYTES = 64
"""Gradients of one step: as many as a packed word has samples."""

_I8, _I32, _I64 = (ir.IntType(n) for n in (8, 32, 64))
G = ir.VectorType(_I8, BYTES)
MASK = ir.VectorType(ir.IntType(1), BYTES)
QUADS = ir.VectorType(_I32, BYTES // 4)
_WIDE = ir.VectorType(_I32, BYTES)
_FOURS = ir.VectorType(_I8, LANES)
WHOLE, _REAL = ir.VectorType(_I32, LANES), ir.VectorType(ir.FloatType(), LANES)

_BITS, _MASK = ir.IntType(LANES), ir.VectorType(ir.IntType(1), LANES)
_ADDRESS, _COUNT = types.uintp, types.intp


def _has_vnni() -> bool:
    """Whether the compiled code may use AVX-512 VNNI: the processor Numba compiles for has it."""
    if config.CPU_FEATURES is not None:
        return "+avx512vnni" in config.CPU_FEATURES
    return config.CPU_NAME is None and bool(llvm.get_host_cpu_features().get("avx512vnni"))


HAS_VNNI = _has_vnni()


def _add_bytes(builder: ir.IRBuilder, total: ir.Value, value: ir.Value) -> ir.Value:
    """Add 64 int8 into 16 int32 sums; which of them a byte goes to does not matter."""
    if HAS_VNNI:
        dot = builtin(builder, "llvm.x86.avx512.vpdpbusd.512", QUADS, QUADS, G, G)
        return builder.call(dot, [total, ir.Constant(G, [1] * BYTES), value])
    wide = builder.sext(value, _WIDE)
    nothing = ir.Constant(_WIDE, ir.Undefined)
    for first in range(0, BYTES, 16):
        lanes = ir.Constant(QUADS, list(range(first, first + 16)))
        total = builder.add(total, builder.shuffle_vector(wide, nothing, lanes))
    return total


@intrinsic
def byte_sum(typingctx, values, n_words):  # type: ignore[no-untyped-def]
    """Sum of int8 values.

    Signature: (address; number of values / 64) -> int32.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        at = pointer(builder, args[0], G)
        (slot,) = zeros(builder, QUADS, 1)
        with cgutils.for_range(builder, args[1]) as step:
            builder.store(_add_bytes(builder, builder.load(slot), load(builder, at, step.index, G, 1)), slot)
        reduce = builtin(builder, f"llvm.vector.reduce.add.v{BYTES // 4}i32", _I32, QUADS)
        return builder.call(reduce, [builder.load(slot)])

    return types.int32(_ADDRESS, _COUNT), codegen


def _halves(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, group: int, step: int) -> ir.Value:
    """Of each `group` lanes the two halves added: `step` lanes of a's and `step` of b's in turn."""
    first: list[int] = []
    second: list[int] = []
    for lane in range(0, BYTES // 4, group):
        for i in range(0, group // 2, step):
            for base in (lane, BYTES // 4 + lane):
                first += range(base + i, base + i + step)
                second += range(base + group // 2 + i, base + group // 2 + i + step)
    lanes = ir.VectorType(_I32, BYTES // 4)
    return builder.add(
        builder.shuffle_vector(a, b, ir.Constant(lanes, first)),
        builder.shuffle_vector(a, b, ir.Constant(lanes, second)),
    )


def _fours(builder: ir.IRBuilder, totals: Sequence[ir.Value]) -> ir.Value:
    """Of four vectors a, b, c, d: each four lanes a b c d, which add up to their sums."""
    first, second = (_halves(builder, totals[i], totals[i + 1], 4, 1) for i in (0, 2))
    return _halves(builder, first, second, 4, 2)


def reduced_four(builder: ir.IRBuilder, totals: Sequence[ir.Value]) -> ir.Value:
    """The sums of four vectors as int32 [4]: sharing the shuffles takes a third of the instructions of four sums."""
    both = _fours(builder, totals)
    for n in (8, 4):
        low, high = ([base + i for i in range(n)] for base in (0, n))
        both = builder.add(
            *(builder.shuffle_vector(both, both, ir.Constant(ir.VectorType(_I32, n), lanes)) for lanes in (low, high))
        )
    return both


def reduced_sixteen(builder: ir.IRBuilder, totals: Sequence[ir.Value]) -> ir.Value:
    """The sums of sixteen vectors as int32 [16]."""
    fours = [_fours(builder, totals[i : i + 4]) for i in range(0, 16, 4)]
    even, odd = (_halves(builder, fours[i], fours[i + 2], 16, 8) for i in range(2))
    return _halves(builder, even, odd, 8, 4)


def add_masked(builder: ir.IRBuilder, slot: ir.Value, bits: ir.Value, values: ir.Value) -> None:
    """Add the bytes whose bit is set to a slot's sums."""
    chosen = builder.select(builder.bitcast(bits, MASK), values, ir.Constant(G, [0] * BYTES))
    builder.store(_add_bytes(builder, builder.load(slot), chosen), slot)


@intrinsic
def masked_byte_sums(  # type: ignore[no-untyped-def]
    typingctx, target, scale, grad, words_a, words_b, offsets, n_positions, grad_stride, n_words
):
    """Scaled sums of g a, g b, g a b with a, b packed bits and g int8.

    Signature: (address of float32 target [3]; float32 scale; address of g [P, N]; addresses of the operands' packed rows at
    position 0; address of int64 byte offsets [P] added to both; P; bytes between positions of g; words in N) -> none.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        target, scale = args[:2]
        slots = zeros(builder, QUADS, 3)
        with each_step(builder, [args[2], *args[5:]], G, args[3:5], _I64) as (step, g_at, rows_at):
            g = load(builder, g_at, step, G, 1)
            a, b = (load(builder, at, step, _I64, 8) for at in rows_at)
            for slot, bits in zip(slots, (a, b, builder.and_(a, b)), strict=True):
                add_masked(builder, slot, bits, g)
        three = ir.VectorType(ir.FloatType(), 3)
        four = reduced_four(builder, [*map(builder.load, slots), ir.Constant(QUADS, [0] * (BYTES // 4))])
        sums = builder.shuffle_vector(four, four, ir.Constant(ir.VectorType(_I32, 3), [0, 1, 2]))
        sums = builder.sitofp(sums, three)
        builder.store(builder.fmul(sums, splat(builder, scale, 3)), pointer(builder, target, three), align=4)
        return context.get_dummy_value()

    return types.void(_ADDRESS, types.float32, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _COUNT, _COUNT, _COUNT), codegen


@intrinsic
def masked_byte_sums_of_four(  # type: ignore[no-untyped-def]
    typingctx, target, scale, grad, words, rows, offsets, n_positions, grad_stride, n_words
):
    """`masked_byte_sums` of four pairs, whose sums are added up together.

    Signature: (address of float32 target [4, 3]; float32 scale; address of g [P, N]; of packed rows; two addresses of int32
    [4], the pairs' rows; address of int64 byte offsets [P] added to both; P; bytes between positions of g; words in N)
    -> none.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        target, scale, grad, words, rows, offsets, positions, stride, n_words = args
        row_bytes = builder.mul(n_words, const(8))
        starts = []
        for pair in range(4):
            for side in range(2):
                rows_at = pointer(builder, builder.extract_value(rows, side), _I32)
                row = builder.sext(load(builder, rows_at, const(pair), _I32, 4), _I64)
                starts.append(builder.add(words, builder.mul(row, row_bytes)))
        slots = zeros(builder, QUADS, 12)
        loop = [grad, offsets, positions, stride, n_words]
        with each_step(builder, loop, G, starts, _I64) as (step, g_at, rows_at):
            g = load(builder, g_at, step, G, 1)
            for pair in range(4):
                a, b = (load(builder, at, step, _I64, 8) for at in rows_at[2 * pair : 2 * pair + 2])
                for slot, bits in zip(slots[3 * pair :], (a, b, builder.and_(a, b)), strict=False):
                    add_masked(builder, slot, bits, g)
        nothing = [ir.Constant(QUADS, [0] * (BYTES // 4))] * 4
        sixteen = reduced_sixteen(builder, [*map(builder.load, slots), *nothing])
        twelve = ir.VectorType(ir.FloatType(), 12)
        sums = builder.shuffle_vector(sixteen, sixteen, ir.Constant(ir.VectorType(_I32, 12), list(range(12))))
        sums = builder.fmul(builder.sitofp(sums, twelve), splat(builder, scale, 12))
        builder.store(sums, pointer(builder, target, twelve), align=4)
        return context.get_dummy_value()

    two = types.UniTuple(_ADDRESS, 2)
    return types.void(_ADDRESS, types.float32, _ADDRESS, _ADDRESS, two, _ADDRESS, _COUNT, _COUNT, _COUNT), codegen


@intrinsic
def add_chosen_bytes(typingctx, target, grad, words, value_0, value_1, n_vectors):  # type: ignore[no-untyped-def]
    """`target += g * (value_1 where the bit is set else value_0)` with g int8.

    Signature: (address of float32 target; of g; of packed bits; two float32; vectors of `LANES`) -> none.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        g_at = pointer(builder, args[1], _FOURS)

        def gradient(step: ir.Value) -> ir.Value:
            return builder.sitofp(builder.sext(load(builder, g_at, step, _FOURS, 1), WHOLE), _REAL)

        accumulate_scaled(builder, args, gradient)
        return context.get_dummy_value()

    return types.void(_ADDRESS, _ADDRESS, _ADDRESS, types.float32, types.float32, _COUNT), codegen


def raise_peak(builder: ir.IRBuilder, slot: ir.Value, bits: ir.Value) -> None:
    """Keep in a slot the greater of it and the bits of float32 magnitudes, which order like the magnitudes."""
    size, old = builder.and_(bits, ir.Constant(WHOLE, [0x7FFFFFFF] * LANES)), builder.load(slot)
    builder.store(builder.select(builder.icmp_signed(">", size, old), size, old), slot)


def reduced_peak(builder: ir.IRBuilder, slot: ir.Value) -> ir.Value:
    """The greatest lane of a slot."""
    reduce = builtin(builder, f"llvm.vector.reduce.smax.v{LANES}i32", _I32, WHOLE)
    return builder.call(reduce, [builder.load(slot)])


@intrinsic
def chosen_bytes(typingctx, target, grad, words, rows, values, count, n_words):  # type: ignore[no-untyped-def]
    """`target = sum_i g_i * (value_1 of i where its bit is set else value_0 of i)`; the bits of its greatest magnitude.

    Signature: (addresses of float32 target [64 W]; of int8 rows [U, 64 W]; of packed rows [R, W]; of int32 [count, 3], the
    rows of both and one that is not used; of float32 values [count, 2]; count; W) -> int32.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        target_at, rows_at = pointer(builder, args[0], _REAL), pointer(builder, args[3], _I32)
        values_at = pointer(builder, args[4], ir.FloatType())
        steps = BYTES // LANES
        sums = zeros(builder, _REAL, steps)
        (peak,) = zeros(builder, WHOLE, 1)
        with cgutils.for_range(builder, args[6]) as word:
            first = builder.mul(word.index, const(steps))
            for slot in sums:
                builder.store(ir.Constant(_REAL, [0.0] * LANES), slot)
            with cgutils.for_range(builder, args[5]) as reader:
                sides = []
                for side, base, kind, size in ((0, args[1], _FOURS, BYTES), (1, args[2], _BITS, 8)):
                    at = builder.add(builder.mul(reader.index, const(3)), const(side))
                    row = builder.sext(load(builder, rows_at, at, _I32, 4), _I64)
                    row_bytes = builder.mul(args[6], const(size))
                    sides.append(pointer(builder, builder.add(base, builder.mul(row, row_bytes)), kind))
                at = builder.mul(reader.index, const(2))
                unset, is_set = (
                    splat(builder, load(builder, values_at, builder.add(at, const(i)), ir.FloatType(), 4))
                    for i in range(2)
                )
                for part, slot in enumerate(sums):
                    step = builder.add(first, const(part))
                    g = builder.sitofp(builder.sext(load(builder, sides[0], step, _FOURS, 1), WHOLE), _REAL)
                    mask = builder.bitcast(load(builder, sides[1], step, _BITS, 2), _MASK)
                    value = builder.fmul(g, builder.select(mask, is_set, unset), flags=FAST)
                    builder.store(builder.fadd(builder.load(slot), value, flags=FAST), slot)
            for part, slot in enumerate(sums):
                total = builder.load(slot)
                builder.store(total, builder.gep(target_at, [builder.add(first, const(part))]), align=4)
                raise_peak(builder, peak, builder.bitcast(total, WHOLE))
        return reduced_peak(builder, peak)

    return types.int32(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _COUNT, _COUNT), codegen


@intrinsic
def peak_bits(typingctx, values, n_vectors):  # type: ignore[no-untyped-def]
    """The bits of the greatest magnitude of float32 values.

    Signature: (address; vectors of `LANES`) -> int32.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        at = pointer(builder, args[0], WHOLE)
        (slot,) = zeros(builder, WHOLE, 1)
        with cgutils.for_range(builder, args[1]) as step:
            raise_peak(builder, slot, load(builder, at, step.index, WHOLE, 4))
        return reduced_peak(builder, slot)

    return types.int32(_ADDRESS, _COUNT), codegen


@intrinsic
def round_row(typingctx, values, out, factor, salt, n_vectors):  # type: ignore[no-untyped-def]
    """`out = floor(values * factor + noise)` with the noise of `int8_reference.quantize`, float32 to int8.

    Signature: (addresses of both; float32; uint32 part of the hash that belongs to the row; vectors of `LANES`) -> none.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        values_at, out_at = pointer(builder, args[0], WHOLE), pointer(builder, args[1], _FOURS)
        factor = splat(builder, args[2])
        floor = builtin(builder, f"llvm.floor.v{LANES}f32", _REAL, _REAL)
        slot = cgutils.alloca_once(builder, WHOLE)
        first = [HASH_SAMPLE * i & 0xFFFFFFFF for i in range(LANES)]
        builder.store(builder.add(splat(builder, args[3]), ir.Constant(WHOLE, first)), slot)
        with cgutils.for_range(builder, args[4]) as step:
            bits = load(builder, values_at, step.index, WHOLE, 4)
            place = builder.load(slot)
            h = builder.add(builder.mul(bits, ir.Constant(WHOLE, [HASH_VALUE] * LANES)), place)
            high = builder.sitofp(builder.lshr(h, ir.Constant(WHOLE, [8] * LANES)), _REAL)
            noise = builder.fmul(high, ir.Constant(_REAL, [2.0**-24] * LANES))
            value = builder.fadd(builder.fmul(builder.bitcast(bits, _REAL), factor), noise)
            rounded = builder.trunc(builder.fptosi(builder.call(floor, [value]), WHOLE), _FOURS)
            builder.store(rounded, builder.gep(out_at, [step.index]), align=1)
            builder.store(builder.add(place, ir.Constant(WHOLE, [HASH_SAMPLE * LANES & 0xFFFFFFFF] * LANES)), slot)
        return context.get_dummy_value()

    return types.void(_ADDRESS, _ADDRESS, types.float32, types.uint32, _COUNT), codegen
