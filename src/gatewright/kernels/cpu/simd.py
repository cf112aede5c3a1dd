"""Vector loops for the CPU kernels, written as LLVM IR because Numba cannot say "add where this bit is set".

Each intrinsic works on raw addresses and on vectors of `LANES` float32; LLVM lowers them to AVX-512 (bits become mask
registers straight from memory), AVX2 or NEON, by what the machine has. Rows must be padded to a multiple of `LANES`
floats; packed rows to whole 64-bit words. Callers are the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16

_F32 = ir.FloatType()
_VEC = ir.VectorType(_F32, LANES)
_BITS = ir.IntType(LANES)
_MASK = ir.VectorType(ir.IntType(1), LANES)
_I32, _I64 = ir.IntType(32), ir.IntType(64)
FAST = ("reassoc", "contract")

_ADDRESS = types.uintp
_COUNT = types.intp
_SUMS = types.UniTuple(types.float32, 3)


def const(value: int) -> ir.Constant:
    """A number of 64 bits, as addresses and indices have."""
    return ir.Constant(_I64, value)


def pointer(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type) -> ir.Value:
    """An address (integer) as a pointer to values of this kind."""
    return builder.inttoptr(address, kind.as_pointer())


def load(builder: ir.IRBuilder, base: ir.Value, index: ir.Value, kind: ir.Type, align: int) -> ir.Value:
    """Value number `index` behind a pointer, known to be aligned to so many bytes."""
    value = builder.load(builder.gep(base, [index]))
    value.align = align
    value.type = kind
    return value


def splat(builder: ir.IRBuilder, scalar: ir.Value, lanes: int = LANES) -> ir.Value:
    """A vector of so many copies."""
    nothing = ir.Constant(ir.VectorType(scalar.type, lanes), ir.Undefined)
    one = builder.insert_element(nothing, scalar, ir.Constant(_I32, 0))
    return builder.shuffle_vector(one, nothing, ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes))


def builtin(builder: ir.IRBuilder, name: str, result: ir.Type, *args: ir.Type) -> ir.Function:
    """A function that LLVM brings along."""
    return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, args), name)


def zeros(builder: ir.IRBuilder, kind: ir.VectorType, count: int) -> list[ir.Value]:
    """Slots of so many vectors, all zero; LLVM keeps them in registers."""
    slots = [cgutils.alloca_once(builder, kind) for _ in range(count)]
    for slot in slots:
        builder.store(ir.Constant(kind, [0] * kind.count), slot)
    return slots


def _fma(builder: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    return builder.fadd(builder.fmul(x, y, flags=FAST), z, flags=FAST)


def _accumulate(builder: ir.IRBuilder, slot: ir.Value, value: ir.Value) -> None:
    builder.store(builder.fadd(builder.load(slot), value, flags=FAST), slot)


def _add_to_memory(builder: ir.IRBuilder, base: ir.Value, index: ir.Value, value: ir.Value) -> None:
    old = load(builder, base, index, _VEC, 4)
    builder.store(builder.fadd(old, value, flags=FAST), builder.gep(base, [index]), align=4)


def accumulate_scaled(
    builder: ir.IRBuilder, args: Sequence[ir.Value], gradient: Callable[[ir.Value], ir.Value]
) -> None:
    """The loop of `add_chosen`, for gradients of any type: `gradient(step)` loads the vector number `step` of them."""
    target_at, bits_at = pointer(builder, args[0], _VEC), pointer(builder, args[2], _BITS)
    unset, is_set = splat(builder, args[3]), splat(builder, args[4])
    with cgutils.for_range(builder, args[5]) as step:
        mask = builder.bitcast(load(builder, bits_at, step.index, _BITS, 2), _MASK)
        value = builder.fmul(gradient(step.index), builder.select(mask, is_set, unset), flags=FAST)
        _add_to_memory(builder, target_at, step.index, value)


def _reduced(context: Any, builder: ir.IRBuilder, slots: Sequence[ir.Value], result: Any) -> ir.Value:
    reduce = builtin(builder, f"llvm.vector.reduce.fadd.v{LANES}f32", _F32, _F32, _VEC)
    zero = ir.Constant(_F32, 0.0)
    sums = [builder.call(reduce, [zero, builder.load(slot)], fastmath=("reassoc",)) for slot in slots]
    return context.make_tuple(builder, result, sums)


@contextmanager
def each_step(
    builder: ir.IRBuilder, args: Sequence[ir.Value], g_kind: ir.Type, rows: Sequence[ir.Value], kind: ir.Type
) -> Iterator[tuple[ir.Value, ir.Value, list[ir.Value]]]:
    """Loop over positions and, within them, over steps along the samples.

    Args:
        builder: Where to.
        args: Address of g [P, N]; of int64 byte offsets [P] of the rows; P; bytes between positions of g; steps in N.
        g_kind: What a step takes of g.
        rows: Addresses of rows at position 0.
        kind: What a step takes of them.

    Yields:
        The step's index, and pointers to g and the rows at the position.
    """
    grad, offsets, positions, stride, steps = args
    offset_at = pointer(builder, offsets, _I64)
    with cgutils.for_range(builder, positions) as position:
        offset = builder.load(builder.gep(offset_at, [position.index]))
        rows_at = [pointer(builder, builder.add(row, offset), kind) for row in rows]
        g_at = pointer(builder, builder.add(grad, builder.mul(position.index, stride)), g_kind)
        with cgutils.for_range(builder, steps) as step:
            yield step.index, g_at, rows_at


@intrinsic
def masked_sums(  # type: ignore[no-untyped-def]
    typingctx, grad, words_a, words_b, offsets, n_positions, grad_stride, n_vectors
):
    """Sums of g a, g b, g a b with a, b packed bits.

    Signature: (address of g [P, N] float32; addresses of the operands' packed rows at position 0; address of int64 byte
    offsets [P] added to both; P; bytes between positions of g; vectors in N) -> three float32.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        sums = zeros(builder, _VEC, 3)
        # Minus zero is what addition leaves alone, so LLVM turns select and add into one masked add.
        nothing = ir.Constant(_VEC, [-0.0] * LANES)
        with each_step(builder, [args[0], *args[3:]], _VEC, args[1:3], _BITS) as (step, g_at, rows_at):
            g = load(builder, g_at, step, _VEC, 4)
            a, b = (load(builder, at, step, _BITS, 2) for at in rows_at)
            for slot, bits in zip(sums, (a, b, builder.and_(a, b)), strict=True):
                _accumulate(builder, slot, builder.select(builder.bitcast(bits, _MASK), g, nothing))
        return _reduced(context, builder, sums, signature.return_type)

    return _SUMS(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _COUNT, _COUNT, _COUNT), codegen


@intrinsic
def add_chosen(typingctx, target, grad, words, value_0, value_1, n_vectors):  # type: ignore[no-untyped-def]
    """`target += g * (value_1 where the bit is set else value_0)`.

    Signature: (address of float32 target; of g; of packed bits; two float32; vectors) -> none.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        g_at = pointer(builder, args[1], _VEC)
        accumulate_scaled(builder, args, lambda step: load(builder, g_at, step, _VEC, 4))
        return context.get_dummy_value()

    return types.void(_ADDRESS, _ADDRESS, _ADDRESS, types.float32, types.float32, _COUNT), codegen


@intrinsic
def mix_rows(  # type: ignore[no-untyped-def]
    typingctx, out, x, rows_a, rows_b, coef, n_candidates, row_bytes, n_vectors
):
    """`out = sum_k c0 + c1 a_k + c2 b_k + c3 a_k b_k`, one neuron at one position.

    Signature: (address of float32 out [N]; of row 0 of x, moved by the position; of int32 rows [K] twice; of float32
    coefficients [K, 4]; K; bytes of a row of x; vectors) -> none.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        out_at = pointer(builder, args[0], _VEC)
        rows = [pointer(builder, address, _I32) for address in args[2:4]]
        coef_at = pointer(builder, args[4], _F32)
        candidates, row_bytes, vectors = args[5:8]
        sums = zeros(builder, _VEC, 1)
        with cgutils.for_range(builder, vectors) as step:
            builder.store(ir.Constant(_VEC, [0.0] * LANES), sums[0])
            with cgutils.for_range(builder, candidates) as candidate:
                numbers = (builder.sext(load(builder, at, candidate.index, _I32, 4), _I64) for at in rows)
                offsets = (builder.mul(number, row_bytes) for number in numbers)
                rows_at = (pointer(builder, builder.add(args[1], offset), _VEC) for offset in offsets)
                a, b = (load(builder, at, step.index, _VEC, 4) for at in rows_at)
                first = builder.mul(candidate.index, const(4))
                c = [splat(builder, load(builder, coef_at, builder.add(first, const(i)), _F32, 4)) for i in range(4)]
                inner = _fma(builder, c[3], b, c[1])
                rest = _fma(builder, c[2], b, c[0])
                _accumulate(builder, sums[0], _fma(builder, inner, a, rest))
            builder.store(builder.load(sums[0]), builder.gep(out_at, [step.index]), align=4)
        return context.get_dummy_value()

    signature = types.void(_ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _ADDRESS, _COUNT, _COUNT, _COUNT)
    return signature, codegen


def _soft_codegen(need_input: bool) -> Callable[..., ir.Value]:
    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        sums = zeros(builder, _VEC, 3)
        c1, c2, c3 = (splat(builder, c) for c in args[9:])
        with each_step(builder, [args[0], *args[5:9]], _VEC, args[1:5], _VEC) as (step, g_at, rows_at):
            g, a, b = (load(builder, at, step, _VEC, 4) for at in (g_at, *rows_at[:2]))
            ga, gb = builder.fmul(g, a, flags=FAST), builder.fmul(g, b, flags=FAST)
            for slot, value in zip(sums, (ga, gb, builder.fmul(ga, b, flags=FAST)), strict=True):
                _accumulate(builder, slot, value)
            if need_input:
                # One after the other: both operands may be the same row.
                for at, c, other in ((rows_at[2], c1, gb), (rows_at[3], c2, ga)):
                    _add_to_memory(builder, at, step, _fma(builder, c3, other, builder.fmul(c, g, flags=FAST)))
        return _reduced(context, builder, sums, signature.return_type)

    return codegen


_SOFT_SIGNATURE = _SUMS(*[_ADDRESS] * 6, _COUNT, _COUNT, _COUNT, types.float32, types.float32, types.float32)


@intrinsic
def soft_sums(  # type: ignore[no-untyped-def]
    typingctx, grad, a, b, grad_a, grad_b, offsets, n_positions, grad_stride, n_vectors, c1, c2, c3
):
    """Sums of g a, g b, g a b with float operands; the gradients' addresses and coefficients are not used.

    Signature: (addresses of g [P, N], of rows a, b and their gradients at position 0, of int64 byte offsets [P]; P;
    bytes between positions of g; vectors; three float32 coefficients) -> three float32.
    """
    return _SOFT_SIGNATURE, _soft_codegen(need_input=False)


@intrinsic
def soft_sums_and_input(  # type: ignore[no-untyped-def]
    typingctx, grad, a, b, grad_a, grad_b, offsets, n_positions, grad_stride, n_vectors, c1, c2, c3
):
    """`soft_sums` that also adds `g (c1 + c3 b)` to the gradient of a and `g (c2 + c3 a)` to that of b."""
    return _SOFT_SIGNATURE, _soft_codegen(need_input=True)


@intrinsic
def as_float(typingctx, bits):  # type: ignore[no-untyped-def]
    """The float32 with these 32 bits."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        return builder.bitcast(args[0], _F32)

    return types.float32(types.int32), codegen


@intrinsic
def prefetch(typingctx, address):  # type: ignore[no-untyped-def]
    """Bring the cache line at this address near: for rows read in an order that the processor cannot guess.

    Signature: (address) -> none.
    """

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        byte = ir.IntType(8).as_pointer()
        call = builtin(builder, "llvm.prefetch.p0", ir.VoidType(), byte, _I32, _I32, _I32)
        # To read, to keep in all caches, data.
        builder.call(call, [builder.inttoptr(args[0], byte), *(ir.Constant(_I32, n) for n in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(_ADDRESS), codegen


@intrinsic
def pack_at_least(typingctx, values, limit, words, n_words):  # type: ignore[no-untyped-def]
    """Packed bits of `value >= limit` for uint8 values.

    Signature: (address of uint8 values, 64 a word; uint8 limit; address of the packed bits; words) -> none.
    """
    kind = ir.VectorType(ir.IntType(8), 64)

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        values_at, words_at = pointer(builder, args[0], kind), pointer(builder, args[2], _I64)
        limits = splat(builder, args[1], 64)
        with cgutils.for_range(builder, args[3]) as step:
            bits = builder.icmp_unsigned(">=", load(builder, values_at, step.index, kind, 1), limits)
            builder.store(builder.bitcast(bits, _I64), builder.gep(words_at, [step.index]))
        return context.get_dummy_value()

    return types.void(_ADDRESS, types.uint8, _ADDRESS, _COUNT), codegen


@njit(inline="always", fastmath=True)
def exp_negative(x: Any) -> Any:
    """exp(x) for float32 x <= 0 within 2 units in the last place; 0 under -87. A loop over it becomes vector code.

    The polynomial is that of the Cephes library (Moshier, expf), on the remainder of x modulo log 2.
    """
    x = max(x, np.float32(-88))
    n = np.floor(x * np.float32(1.44269504) + np.float32(0.5))
    r = x - n * np.float32(0.693359375) + n * np.float32(2.12194440e-4)
    p = np.float32(1.9875691500e-4)
    p = p * r + np.float32(1.3981999507e-3)
    p = p * r + np.float32(8.3334519073e-3)
    p = p * r + np.float32(4.1665795894e-2)
    p = p * r + np.float32(1.6666665459e-1)
    p = p * r + np.float32(5.0000001201e-1)
    y = p * r * r + r + np.float32(1)
    return y * as_float(np.int32(max(np.int32(n) + np.int32(127), np.int32(0))) << np.int32(23))
