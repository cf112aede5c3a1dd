"""AND-inverter graphs and the binary AIGER format.

In an AND-inverter graph everything is a *literal*, `2 * variable + negated`: variable 0 is the constant FALSE, then come
the inputs, then the ANDs, each of which has two smaller literals. XOR is three ANDs, every other gate one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit

from gatewright.circuit.builder import Int32Array
from gatewright.circuit.circuit import Circuit, check_inputs
from gatewright.errors import FormatError, OptionError, UnsupportedError
from gatewright.gates import A_FALSE, B_FALSE, NEGATE_A, NEGATE_B, USES_A, USES_B, Gate, UInt8Array

INPUT_NAMES, OUTPUT_NAMES = "aiger.inputs", "aiger.outputs"
"""Metadata keys under which `read_aig` keeps the symbol table: JSON objects, index to name."""


@dataclass(frozen=True, eq=False)
class Aig:
    """An AND-inverter graph.

    Attributes:
        n_inputs: Number of inputs, variables 1 .. n_inputs.
        left: int32 [ands], the greater literal of each AND; AND i is variable `n_inputs + 1 + i`.
        right: int32 [ands], the lesser literal.
        outputs: int32 [outputs], literals.
    """

    n_inputs: int
    left: Int32Array
    right: Int32Array
    outputs: Int32Array


@njit(cache=True, nogil=True)
def _and(
    x: int, y: int, first: int, left: Int32Array, right: Int32Array, count: int, slots: Int32Array
) -> tuple[int, int]:
    """The literal of x AND y, an existing AND if possible; and the number of ANDs afterwards."""
    if x < y:
        x, y = y, x
    if y == 0 or x == (y ^ 1):
        return 0, count
    if y in (1, x):
        return x, count
    mask = np.uint64(len(slots) - 1)
    key = (np.uint64(x) << np.uint64(32) | np.uint64(y)) * np.uint64(0x9E3779B97F4A7C15)
    slot = (key ^ (key >> np.uint64(32))) & mask
    while slots[slot] >= 0:
        at = slots[slot]
        if left[at] == x and right[at] == y:
            return 2 * (first + at), count
        slot = (slot + np.uint64(1)) & mask
    slots[slot] = count
    left[count], right[count] = x, y
    return 2 * (first + count), count + 1


@njit(cache=True, nogil=True)
def _convert(n_inputs: int, gate: UInt8Array, a: Int32Array, b: Int32Array) -> tuple[Int32Array, ...]:
    """(literal of every node, left, right)."""
    n_gates = len(gate)
    capacity = 0
    for g in gate:
        capacity += 3 if g in (6, 9) else 1
    size = 16
    while size < 2 * capacity:
        size *= 2
    slots = np.full(size, -1, np.int32)
    left, right = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    literal = np.empty(n_inputs + n_gates, np.int32)
    for i in range(n_inputs):
        literal[i] = 2 * (i + 1)
    first, count = n_inputs + 1, 0
    for i in range(n_gates):
        g = np.int64(gate[i])
        if not USES_A[g] and not USES_B[g]:
            literal[n_inputs + i] = g & 1
            continue
        x, y = np.int64(literal[a[i]]), np.int64(literal[b[i]])
        if not USES_B[g]:
            literal[n_inputs + i] = x ^ (g >> 3)
        elif not USES_A[g]:
            literal[n_inputs + i] = y ^ (g >> 3)
        elif g in (6, 9):
            # x XOR y: not both and not neither.
            both, count = _and(x, y, first, left, right, count, slots)
            neither, count = _and(x ^ 1, y ^ 1, first, left, right, count, slots)
            different, count = _and(both ^ 1, neither ^ 1, first, left, right, count, slots)
            literal[n_inputs + i] = different ^ (g & 1)
        else:
            # One or three rows of the truth table are true: an AND that is true in one row, or its inverse.
            ones = (g >> 3) + (g >> 2 & 1) + (g >> 1 & 1) + (g & 1)
            inverted = 1 if ones == 3 else 0
            row = 15 - g if inverted else g
            not_x = 1 if row & 12 else 0
            not_y = 1 if row & 10 else 0
            result, count = _and(x ^ not_x, y ^ not_y, first, left, right, count, slots)
            literal[n_inputs + i] = result ^ inverted
    return literal, left[:count].copy(), right[:count].copy()


def to_aig(circuit: Circuit) -> Aig:
    """The AND-inverter graph of a circuit's gates, equal ANDs shared; encoder and head are left out."""
    literal, left, right = _convert(circuit.n_inputs, circuit.gate, circuit.a, circuit.b)
    return Aig(circuit.n_inputs, left, right, literal[circuit.outputs])


def from_aig(aig: Aig) -> Circuit:
    """The circuit of an AND-inverter graph, an AND with inverted operands as the gate that it is.

    XORs stay three gates; `simplify` finds them again.
    """
    gate = np.full(len(aig.left), Gate.AND, np.uint8)
    gate = np.where(aig.left & 1, NEGATE_A[gate], gate)
    gate = np.where(aig.right & 1, NEGATE_B[gate], gate)
    a, b = (aig.left >> 1) - 1, (aig.right >> 1) - 1
    gate = np.where(a < 0, A_FALSE[gate], gate)
    gate = np.where(b < 0, B_FALSE[gate], gate)
    constant = ~(USES_A[gate] | USES_B[gate])
    a = np.where(constant, 0, np.where(a < 0, b, a))
    b = np.where(constant, 0, np.where(b < 0, a, b))

    # Outputs that are constants or inverted get a gate of their own, one per literal.
    extra, which = np.unique(aig.outputs, return_inverse=True)
    plain = (extra & 1 == 0) & (extra > 1)
    node = (extra >> 1) - 1
    node[~plain] = aig.n_inputs + len(gate) + np.arange(np.count_nonzero(~plain))
    more = extra[~plain]
    source = np.maximum((more >> 1) - 1, 0)
    more_gate = np.where(more == 0, Gate.FALSE, np.where(more == 1, Gate.TRUE, Gate.NOT_A)).astype(np.uint8)
    return Circuit(
        aig.n_inputs,
        np.concatenate([gate, more_gate]).astype(np.uint8),
        np.concatenate([a, source]),
        np.concatenate([b, source]),
        node[which].astype(np.int32),
    )


@njit(cache=True, nogil=True)
def _encode(n_inputs: int, left: Int32Array, right: Int32Array) -> UInt8Array:
    buffer = np.empty(10 * len(left), np.uint8)
    size = 0
    for i in range(len(left)):
        own = 2 * (n_inputs + 1 + i)
        for step in range(2):
            delta = own - left[i] if step == 0 else left[i] - right[i]
            while delta >= 128:
                buffer[size] = delta & 127 | 128
                delta >>= 7
                size += 1
            buffer[size] = delta
            size += 1
    return buffer[:size].copy()


@njit(cache=True, nogil=True)
def _decode(raw: UInt8Array, n_inputs: int, n_ands: int) -> tuple[Int32Array, int, int]:
    """(left and right literals [2, ANDs], bytes read, AND at fault or -1)."""
    literals = np.empty((2, n_ands), np.int32)
    at = 0
    for i in range(n_ands):
        previous = np.int64(2 * (n_inputs + 1 + i))
        for step in range(2):
            delta = np.int64(0)
            shift = 0
            start = at
            while True:
                if at >= len(raw) or shift > 28:
                    return literals, start, i
                byte = np.int64(raw[at])
                at += 1
                delta |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            if delta > previous or (step == 0 and delta == 0):
                return literals, start, i
            previous -= delta
            literals[step, i] = previous
    return literals, at, -1


def write_aig(circuit: Circuit, *, inputs: Sequence[str] = (), outputs: Sequence[str] = (), comment: str = "") -> bytes:
    """Write a circuit's gates as binary AIGER; encoder and head are left out.

    `gatewright.formats.to_aiger` writes files.

    Args:
        circuit: The circuit.
        inputs: A name for each input, or empty.
        outputs: A name for each output, or empty.
        comment: Text for the comment section.
    """
    aig = to_aig(circuit)
    n_ands = len(aig.left)
    header = f"aig {aig.n_inputs + n_ands} {aig.n_inputs} 0 {len(aig.outputs)} {n_ands}"
    symbols = []
    for what, names, count in (("inputs", inputs, aig.n_inputs), ("outputs", outputs, len(aig.outputs))):
        if names and len(names) != count:
            raise OptionError(f"{len(names)} names for {count} {what}")
        for k, name in enumerate(names):
            if not name or "\n" in name:
                raise OptionError(f"{name!r} cannot be a name in AIGER: it must be one line, not empty")
            symbols.append(f"{what[0]}{k} {name}\n")
    if comment:
        symbols += ["c\n", comment, "" if comment.endswith("\n") else "\n"]
    head = "".join(f"{line}\n" for line in (header, *aig.outputs.tolist()))
    body: bytes = _encode(aig.n_inputs, aig.left, aig.right).tobytes()
    return head.encode() + body + "".join(symbols).encode()


def read_aig(data: bytes, *, source: str = "AIGER data") -> Circuit:
    """Read combinational binary AIGER.

    `gatewright.formats.from_aiger` reads files.

    Args:
        data: The file's content.
        source: Name of the data in messages.

    Returns:
        A circuit without encoder and head. Names from the symbol table are in its metadata, as JSON objects from index
        to name, under `INPUT_NAMES` and `OUTPUT_NAMES`.

    Raises:
        FormatError: The data are not binary AIGER, or damaged; the message names the byte.
        UnsupportedError: The file describes a sequential circuit.
    """
    _, n_inputs, n_outputs, n_ands, at = read_header(data, source)
    outputs = np.empty(n_outputs, np.int64)
    for j in range(n_outputs):
        end = data.find(b"\n", at)
        line = data[at:end] if end >= 0 else data[at:]
        if end < 0 or not line.isdigit() or len(line) > 20 or int(line) >= 2 * (n_inputs + n_ands + 1):
            raise FormatError(f"{source}: output {j} at byte {at} is {line[:20]!r}, expected a literal on a line")
        outputs[j] = int(line)
        at = end + 1
    (left, right), read, fault = _decode(np.frombuffer(data, np.uint8)[at:], n_inputs, n_ands)
    if fault >= 0:
        raise FormatError(f"{source}: AND {fault} of {n_ands} at byte {at + read} is truncated or damaged")
    names = read_symbols(data, at + read, (n_inputs, n_outputs), source)
    return with_symbols(Aig(n_inputs, left, right, outputs.astype(np.int32)), names)


def with_symbols(aig: Aig, names: tuple[dict[int, str], dict[int, str]]) -> Circuit:
    """The circuit of a graph, with the names of inputs and outputs in its metadata."""
    keys = zip((INPUT_NAMES, OUTPUT_NAMES), names, strict=True)
    return from_aig(aig).replace(metadata={key: json.dumps(table) for key, table in keys if table})


def read_header(data: bytes, source: str, kind: bytes = b"aig") -> tuple[int, int, int, int, int]:
    """(highest variable, inputs, outputs, ANDs, byte after the header)."""
    end = data.find(b"\n")
    words = data[: max(end, 0)].split(b" ")
    if kind == b"aig" and words[0] == b"aag":
        raise FormatError(f"{source}: this is ASCII AIGER ('aag'), expected binary ('aig'); `read_aag` reads it")
    if (
        words[0] != kind
        or not 6 <= len(words) <= 10
        or not all(word.isdigit() and len(word) <= 20 for word in words[1:])
    ):
        raise FormatError(f"{source}: byte 0 starts {data[:20]!r}, expected '{kind.decode()} M I L O A'")
    highest, n_inputs, n_latches, n_outputs, n_ands, *properties = (int(word) for word in words[1:])
    if n_latches or any(properties):
        raise UnsupportedError(f"{source}: it has latches or properties; only combinational circuits can be read")
    if (highest != n_inputs + n_ands if kind == b"aig" else highest < n_inputs + n_ands) or highest >= 2**30:
        raise FormatError(f"{source}: the header says {highest} variables, expected {n_inputs} + {n_ands}")
    try:
        check_inputs(n_inputs, n_outputs + n_ands)
    except FormatError as error:
        raise FormatError(f"{source}: {error}") from error
    if n_outputs + n_ands > len(data):
        raise FormatError(
            f"{source}: truncated: {n_outputs} outputs and {n_ands} ANDs do not fit into {len(data)} bytes"
        )
    return highest, n_inputs, n_outputs, n_ands, end + 1


def read_symbols(data: bytes, at: int, sizes: tuple[int, int], source: str) -> tuple[dict[int, str], dict[int, str]]:
    """Names of inputs and outputs by index, from the symbol table that begins at a byte."""
    names: tuple[dict[int, str], dict[int, str]] = ({}, {})
    while at < len(data):
        end = data.find(b"\n", at)
        line = data[at : end if end >= 0 else len(data)]
        # The rest is comment. ABC puts binary extensions there, directly after the "c", so a newline is not required.
        if line[:1] == b"c":
            break
        key, space, name = line.partition(b" ")
        kind = b"io".find(key[:1]) if key else -1
        if kind < 0 or not space or not key[1:].isdigit() or len(key) > 20 or int(key[1:]) >= sizes[kind]:
            raise FormatError(f"{source}: byte {at}: {line[:30]!r} is no symbol of this circuit")
        names[kind][int(key[1:])] = name.decode(errors="replace")
        at = end + 1 if end >= 0 else len(data)
    return names
