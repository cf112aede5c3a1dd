"""Vector loops of a head whose every class weighs every bit, written as LLVM IR. Callers are in `weighted.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from gatewright.kernels.cpu.int8_simd import MASK, QUADS, WHOLE, G, add_masked, raise_peak, reduced_four, reduced_peak
from gatewright.kernels.cpu.simd import LANES, const, load, pointer, splat, zeros

QUAD = 4
"""Classes whose sums are taken together; also words, or vectors, that stay in registers together."""

_I64, _F32 = ir.IntType(64), ir.FloatType()
_VEC = ir.VectorType(_F32, LANES)
_ADDRESS, _COUNT = types.uintp, types.intp


def _blocks(builder: ir.IRBuilder, count: ir.Value, body: Any) -> None:
    """Call `body(first, wide)` to cover 0..count: blocks of `QUAD`, then what is left one by one."""
    whole = builder.udiv(count, const(QUAD))
    with cgutils.for_range(builder, whole) as block:
        body(builder.mul(block.index, const(QUAD)), QUAD)
    done = builder.mul(whole, const(QUAD))
    with cgutils.for_range(builder, builder.sub(count, done)) as one:
        body(builder.add(done, one.index), 1)


@intrinsic
def count_bits(typingctx, counts, words, rows, n_rows, n_words):  # type: ignore[no-untyped-def]
    """How many of some packed rows have each sample's bit set.

    Signature: (address of uint8 counts [64 W], overwritten; of the packed rows; of int64 byte offsets [n] of those that
    count, at most 255; n; W) -> none.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        counts, words, rows, n_rows, n_words = args
        counts_at, rows_at = pointer(builder, counts, G), pointer(builder, rows, _I64)

        def body(first: ir.Value, wide: int) -> None:
            slots = zeros(builder, G, wide)
            base = builder.add(words, builder.mul(first, const(8)))
            with cgutils.for_range(builder, n_rows) as row:
                at = pointer(builder, builder.add(base, load(builder, rows_at, row.index, _I64, 8)), _I64)
                for i, slot in enumerate(slots):
                    bits = builder.bitcast(load(builder, at, const(i), _I64, 8), MASK)
                    # A set bit is -1 as a signed byte.
                    builder.store(builder.sub(builder.load(slot), builder.sext(bits, G)), slot)
            for i, slot in enumerate(slots):
                target = builder.gep(counts_at, [builder.add(first, const(i))])
                builder.store(builder.load(slot), target).align = 1

        _blocks(builder, n_words, body)
        return context.get_dummy_value()

    return types.void(_ADDRESS, _ADDRESS, _ADDRESS, _COUNT, _COUNT), codegen


@intrinsic
def four_masked_sums(typingctx, target, scales, bits, q, stride, n_words):  # type: ignore[no-untyped-def]
    """Scaled sums of four rows of int8 where one row of bits is set.

    Signature: (addresses of float32 target [4]; of float32 scales [4]; of the packed row; of the first int8 row; bytes from
    one to the next; words in a row) -> none.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        target, scales, bits, q, stride, n_words = args
        four = ir.VectorType(_F32, QUAD)
        slots = zeros(builder, QUADS, QUAD)
        bits_at = pointer(builder, bits, _I64)
        q_at = [pointer(builder, builder.add(q, builder.mul(stride, const(i))), G) for i in range(QUAD)]
        with cgutils.for_range(builder, n_words) as step:
            mask = load(builder, bits_at, step.index, _I64, 8)
            for slot, at in zip(slots, q_at, strict=True):
                add_masked(builder, slot, mask, load(builder, at, step.index, G, 1))
        sums = builder.sitofp(reduced_four(builder, [builder.load(slot) for slot in slots]), four)
        scale = load(builder, pointer(builder, scales, four), const(0), four, 4)
        builder.store(builder.fmul(sums, scale), pointer(builder, target, four)).align = 4
        return context.get_dummy_value()

    return types.void(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _COUNT, _COUNT), codegen


@intrinsic
def weighted_row(typingctx, target, rows, weights, n_rows, n_vectors):  # type: ignore[no-untyped-def]
    """Weighted sum of rows of float32, in their order; returns the bits of its greatest magnitude.

    Signature: (address of float32 target; of int64 addresses of the rows [n]; of float32 weights [n]; n; vectors of `LANES`
    in a row) -> int32.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        target, rows, weights, n_rows, n_vectors = args
        target_at = pointer(builder, target, _VEC)
        rows_at, weights_at = pointer(builder, rows, _I64), pointer(builder, weights, _F32)
        (peak,) = zeros(builder, WHOLE, 1)

        def body(first: ir.Value, wide: int) -> None:
            slots = zeros(builder, _VEC, wide)
            with cgutils.for_range(builder, n_rows) as row:
                at = pointer(builder, load(builder, rows_at, row.index, _I64, 8), _VEC)
                weight = splat(builder, load(builder, weights_at, row.index, _F32, 4))
                for i, slot in enumerate(slots):
                    value = load(builder, at, builder.add(first, const(i)), _VEC, 4)
                    builder.store(builder.fadd(builder.load(slot), builder.fmul(weight, value)), slot)
            for i, slot in enumerate(slots):
                total = builder.load(slot)
                builder.store(total, builder.gep(target_at, [builder.add(first, const(i))])).align = 4
                raise_peak(builder, peak, builder.bitcast(total, WHOLE))

        _blocks(builder, n_vectors, body)
        return reduced_peak(builder, peak)

    return types.int32(_ADDRESS, _ADDRESS, _ADDRESS, _COUNT, _COUNT), codegen
