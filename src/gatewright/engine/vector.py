# ruff: noqa: ARG001 (Numba passes an intrinsic's arguments to its typing function)
"""The inner loops of the engine, as LLVM vector code.

Numba's own loops over words vectorise only behind run-time alias checks, which cost more than a gate. These loops are
therefore written as LLVM vectors of 512 bits, which LLVM splits into what the processor has (AVX-512, AVX2, SSE, NEON, ...)
when Numba compiles them on the user's machine. Each function takes addresses as integers; `words` is a literal.

Memory: a *row* holds `words` 64-bit words, one sample a bit; rows lie one after the other, aligned to 64 bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils as _cgutils
from numba.core import types
from numba.extending import intrinsic

LANES = 8
"""Words in a vector: 512 bits."""

TILE = 64
"""Number of features, and of samples, that `pack_tile` packs at once."""

FIELD = 21
"""Bits of a slot's number in a step of a program: one load per gate, because loads limit the loop."""

_I8, _I32, _I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
_VECTOR = ir.VectorType(_I64, LANES)
_ALIGN = 8 * LANES

cgutils: Any = _cgutils  # has no types of its own
_intrinsic: Any = intrinsic(prefer_literal=True)


def _const(value: int) -> ir.Constant:
    return ir.Constant(_I64, value)


def _pointer(builder: Any, address: Any, offset: Any, kind: Any) -> Any:
    return builder.inttoptr(builder.add(address, offset), kind.as_pointer())


def _load_index(builder: Any, address: Any, index: Any) -> Any:
    """The int32 at address[index], as i64."""
    return builder.sext(builder.load(_pointer(builder, address, builder.mul(index, _const(4)), _I32)), _I64)


def _field(builder: Any, step: Any, k: int, scale: int) -> Any:
    """Field k of a step, times 2^scale."""
    shift = FIELD * k - scale
    moved = builder.lshr(step, _const(shift)) if shift > 0 else builder.shl(step, _const(-shift))
    return builder.and_(moved, _const(((1 << FIELD) - 1) << scale))


def _splat(element: Any, value: int, lanes: int) -> ir.Constant:
    return ir.Constant(ir.VectorType(element, lanes), [value] * lanes)


@_intrinsic
def run_gates(typingctx: Any, words: Any, rows: Any, program: Any, op: Any, first: Any, last: Any) -> Any:
    """Run the steps first..last-1 of a program (see `Plan`), all of one op, on `rows`."""
    n_words = getattr(words, "literal_value", None)
    if n_words is None:  # Numba also tries types that are not literal
        return None

    def codegen(_context: Any, builder: Any, _signature: Any, args: Sequence[Any]) -> Any:
        _, rows_, program_, op_, first_, last_ = args
        functions = builder.and_, lambda x, y: builder.and_(x, builder.not_(y)), builder.xor, builder.or_
        done = builder.append_basic_block("done")
        switch = builder.switch(op_, done)
        for number, function in enumerate(functions):
            block = builder.append_basic_block(f"op{number}")
            switch.add_case(_const(number), block)
            builder.position_at_end(block)
            with cgutils.for_range_slice(builder, first_, last_, _const(1), _I64) as (i, _):
                step = builder.load(_pointer(builder, program_, builder.mul(i, _const(8)), _I64))
                target, a, b = (_field(builder, step, k, (8 * n_words).bit_length() - 1) for k in (2, 1, 0))
                results = []
                for column in range(n_words // LANES):
                    at = _const(column * _ALIGN)
                    x, y = (
                        builder.load(_pointer(builder, rows_, builder.add(row, at), _VECTOR), align=_ALIGN)
                        for row in (a, b)
                    )
                    results.append((at, function(x, y)))
                for at, value in results:  # after all loads: the destination may be the slot of an operand
                    builder.store(value, _pointer(builder, rows_, builder.add(target, at), _VECTOR), align=_ALIGN)
            builder.branch(done)
        builder.position_at_end(done)
        return _context.get_dummy_value()

    return types.void(words, types.int64, types.int64, types.int64, types.int64, types.int64), codegen


@_intrinsic
def count16(typingctx: Any, words: Any, rows: Any, chosen: Any, planes: Any, n_planes: Any, invert: Any) -> Any:
    """Add 16 rows, bit by bit, to a bit-sliced counter.

    `chosen` is the address of 16 int32 row numbers, `planes` that of the counter (`n_planes` >= 4 rows, least
    significant first), `invert` 0 or -1: whether the inverses of the rows are counted.
    """
    n_words = getattr(words, "literal_value", None)
    if n_words is None:  # Numba also tries types that are not literal
        return None

    def codegen(_context: Any, builder: Any, _signature: Any, args: Sequence[Any]) -> Any:
        _, rows_, chosen_, planes_, n_planes_, invert_ = args
        offsets = [builder.mul(_load_index(builder, chosen_, _const(i)), _const(8 * n_words)) for i in range(16)]
        mask = ir.Constant(_VECTOR, ir.Undefined)
        for lane in range(LANES):
            mask = builder.insert_element(mask, invert_, ir.Constant(_I32, lane))

        def add(x: Any, y: Any, z: Any) -> tuple[Any, Any]:
            """Full adder: sum and carry of three bits."""
            half = builder.xor(x, y)
            return builder.xor(half, z), builder.or_(builder.and_(x, y), builder.and_(half, z))

        with cgutils.for_range(builder, _const(n_words // LANES), intp=_I64) as column:
            at = builder.mul(column.index, _const(_ALIGN))

            def plane(p: Any, at: Any = at) -> Any:
                return _pointer(builder, planes_, builder.add(at, builder.mul(p, _const(8 * n_words))), _VECTOR)

            carries = [
                builder.xor(builder.load(_pointer(builder, rows_, builder.add(o, at), _VECTOR), align=_ALIGN), mask)
                for o in offsets
            ]
            for p in range(4):
                total = builder.load(plane(_const(p)), align=_ALIGN)
                upper = []
                for x, y in zip(carries[::2], carries[1::2], strict=True):
                    total, carry = add(total, x, y)
                    upper.append(carry)
                builder.store(total, plane(_const(p)), align=_ALIGN)
                carries = upper
            carry_slot = cgutils.alloca_once_value(builder, carries[0])
            with cgutils.for_range_slice(builder, _const(4), n_planes_, _const(1), _I64) as (p, _):
                carry, old = builder.load(carry_slot), builder.load(plane(p), align=_ALIGN)
                builder.store(builder.xor(old, carry), plane(p), align=_ALIGN)
                builder.store(builder.and_(old, carry), carry_slot)
        return _context.get_dummy_value()

    return types.void(words, types.int64, types.int64, types.int64, types.int64, types.int64), codegen


def _interleave(builder: Any, x: Sequence[Any], y: Sequence[Any]) -> list[Any]:
    """For each pair of <16 x i8> vectors their bytes in turn, as two such vectors."""
    low = [lane for i in range(8) for lane in (i, 16 + i)]
    halves = [ir.Constant(ir.VectorType(_I32, 16), [lane + shift for lane in low]) for shift in (0, 8)]
    return [builder.shuffle_vector(a, b, half) for a, b in zip(x, y, strict=True) for half in halves]


@_intrinsic
def pack_tile(typingctx: Any, features: Any, first: Any, stride: Any, thresholds: Any, out: Any) -> Any:
    """Compare 64 features of 64 samples with their thresholds and pack the bits along the samples.

    `features` is the array (only its type is used), `first` the address of the first feature of the first sample,
    `stride` the bytes from one sample to the next, `thresholds` the address of 64 thresholds of the array's type, `out`
    that of 64 words: bit s of word f becomes `sample[s][f] >= threshold[f]`. The bytes of a word are joined
    by three rounds of interleaving, which supposes a little-endian machine.
    """
    dtype = features.dtype

    def codegen(context: Any, builder: Any, _signature: Any, args: Sequence[Any]) -> Any:
        _, first_, stride_, thresholds_, out_ = args
        element = context.get_data_type(dtype)
        kind = ir.VectorType(element, TILE)
        item = dtype.bitwidth // 8
        threshold = builder.load(_pointer(builder, thresholds_, _const(0), kind), align=item)
        bytes_ = ir.VectorType(_I8, TILE)
        groups = cgutils.alloca_once(builder, ir.ArrayType(bytes_, 8))
        groups.align = _ALIGN
        with cgutils.for_range(builder, _const(8), intp=_I64) as group:
            packed = _splat(_I8, 0, TILE)
            for i in range(8):
                sample = builder.add(builder.mul(group.index, _const(8)), _const(i))
                x = builder.load(_pointer(builder, first_, builder.mul(sample, stride_), kind), align=item)
                if isinstance(dtype, types.Float):
                    at_least = builder.fcmp_ordered(">=", x, threshold)
                elif dtype.signed:
                    at_least = builder.icmp_signed(">=", x, threshold)
                else:
                    at_least = builder.icmp_unsigned(">=", x, threshold)
                bit = (1 << i) - 256 if i == 7 else 1 << i
                packed = builder.or_(packed, builder.select(at_least, _splat(_I8, bit, TILE), _splat(_I8, 0, TILE)))
            builder.store(packed, cgutils.gep(builder, groups, 0, group.index), align=_ALIGN)
        quarter = ir.VectorType(_I8, 16)
        base = builder.ptrtoint(groups, _I64)
        for q in range(TILE // 16):
            g = [[builder.load(_pointer(builder, base, _const(64 * i + 16 * q), quarter), align=16)] for i in range(8)]
            pairs = [_interleave(builder, g[i], g[i + 4]) for i in range(4)]
            fours = [_interleave(builder, pairs[i], pairs[i + 2]) for i in range(2)]
            for i, piece in enumerate(_interleave(builder, fours[0], fours[1])):
                builder.store(piece, _pointer(builder, out_, _const(128 * q + 16 * i), quarter), align=8)
        return context.get_dummy_value()

    return types.void(features, types.int64, types.int64, types.int64, types.int64), codegen
