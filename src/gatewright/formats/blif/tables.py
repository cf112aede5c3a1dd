"""Tables of BLIF with three to eight inputs as gates: each function of a file is made once, all of one size together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from gatewright.circuit.builder import Builder
from gatewright.circuit.lookup import MOST_INPUTS, append_tables
from gatewright.circuit.simplify import simplify
from gatewright.formats.blif.statements import Cover

_VARIABLES = {
    k: [sum(1 << i for i in range(1 << k) if i >> (k - 1 - j) & 1) for j in range(k)] for k in range(MOST_INPUTS + 1)
}
"""By the number of inputs, the table of each one: bit i is its value in combination i, the first input most significant."""


class Function(NamedTuple):
    """A table: its number of inputs, and its output in combination i as bit i."""

    k: int
    table: int


class Gates(NamedTuple):
    """Gates of a function. Operands below k are its inputs, k + i is gate i; the last is the node of the output."""

    gates: list[tuple[int, int, int]]
    output: int


def function_of(cover: Cover) -> Function | None:
    """The function of a cover; None if it has fewer inputs, more, or a single cube, which is best left a product."""
    k = len(cover.inputs)
    return Function(k, table_of(cover)) if 3 <= k <= MOST_INPUTS and len(cover.cubes) > 1 else None


def table_of(cover: Cover) -> int:
    """The output in combination i as bit i, of a cover with up to eight inputs; the first input is most significant."""
    k = len(cover.inputs)
    every = (1 << (1 << k)) - 1
    table = 0
    for cube in cover.cubes:
        product = every
        for variable, literal in zip(_VARIABLES[k], cube, strict=True):
            if literal != "-":
                product &= variable if literal == "1" else every ^ variable
        table |= product
    return table if cover.value == "1" else every ^ table


def gates_of(functions: Iterable[Function]) -> Mapping[Function, Gates]:
    """Gates of functions."""
    by_size: dict[int, list[Function]] = {}
    for function in dict.fromkeys(functions):
        by_size.setdefault(function.k, []).append(function)
    result: dict[Function, Gates] = {}
    for k, same in by_size.items():
        raw = b"".join(function.table.to_bytes((1 << k) // 8, "little") for function in same)
        tables = np.unpackbits(np.frombuffer(raw, np.uint8), bitorder="little").reshape(len(same), 1 << k)
        builder = Builder(k)
        nodes = append_tables(builder, np.tile(np.arange(k), (len(same), 1)), tables)
        circuit = simplify(builder.build(nodes))
        gates = list(zip(circuit.gate.tolist(), circuit.a.tolist(), circuit.b.tolist(), strict=True))
        result |= {
            function: _cone(gates, k, node) for function, node in zip(same, circuit.outputs.tolist(), strict=True)
        }
    return result


def _cone(gates: list[tuple[int, int, int]], k: int, output: int) -> Gates:
    """The gates that an output depends on."""
    needed, waiting = set(), [output]
    while waiting:
        node = waiting.pop()
        if node >= k and node not in needed:
            needed.add(node)
            waiting += gates[node - k][1:]
    own = {node: k + i for i, node in enumerate(sorted(needed))}
    own |= {node: node for node in range(k)}
    return Gates([(gate, own[a], own[b]) for gate, a, b in (gates[n - k] for n in sorted(needed))], own[output])
