"""Circuits out of BLIF: lookup tables of any size, and the registers of pipelines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewright.circuit.circuit import Circuit
from gatewright.errors import FormatError, UnsupportedError
from gatewright.formats.blif.statements import Cover, parse
from gatewright.formats.gate_level import with_interface
from gatewright.gates import Gate
from gatewright.runtime.files import read_bytes

_INVERSES = ((["0"], "1"), (["1"], "0"))
# By whether the first operand is inverted, twice, and whether the second one is.
_CONJUNCTIONS = (Gate.AND, Gate.A_AND_NOT_B, Gate.NOT_A_AND_B, Gate.NOR)
_DISJUNCTIONS = (Gate.OR, Gate.A_OR_NOT_B, Gate.NOT_A_OR_B, Gate.NAND)
_UNKNOWN = "$undef"
"""What yosys calls a value that is unknown (x) or tri-state (z); it writes 0 for it."""

INPUT_NAMES, OUTPUT_NAMES = "blif.inputs", "blif.outputs"
"""Metadata keys under which `from_blif` keeps the names: JSON objects, index to name."""


def from_blif(path: str | Path, *, like: Circuit | None = None, registers: bool = False) -> Circuit:
    """Read a BLIF file of one model made of `.names`, combinational or a pipeline.

    Statements about area, delay and names are skipped, as docs/circuits.md lists them; those that change the function and
    are not read, such as `.exdc` and `.subckt`, are refused.

    Tables of up to two inputs become gates, larger ones sums of products of gates; `simplify` reduces them.

    Args:
        path: The file.
        like: The circuit that was exported without encoder and head; the result gets its encoder, head and metadata.
        registers: Accept registers, the same number on every path to an output. The circuit gives the outputs that
            number of clocks later; clocks are not inputs of the circuit.

    Raises:
        FormatError: The file is not BLIF, is damaged, cyclic, without outputs, or does not fit `like`; the message names
            the line.
        UnsupportedError: The file has registers that are not accepted or form no pipeline, initial values, unknown values,
            subcircuits, mapped gates, don't-cares (`.exdc`), or several models.
    """
    circuit, _ = _read(path, str(path), registers=registers)
    return with_interface(circuit, like, str(path))


@dataclass(frozen=True)
class Tables:
    """Counts of the lookup tables in a BLIF file.

    Attributes:
        by_inputs: Number of tables by their number of inputs, two or more: without wires, inverters and constants.
        inverters: Tables of one input that invert it.
        levels: Tables of two or more inputs on the longest path from an input to an output.
    """

    by_inputs: Mapping[int, int]
    inverters: int
    levels: int


def read_tables(path: str | Path, *, like: Circuit | None = None) -> tuple[Circuit, Tables]:
    """Like `from_blif`, with counts of the file's tables.

    Raises:
        FormatError: Like `from_blif` (also UnsupportedError).
    """
    circuit, netlist = _read(path, str(path), registers=False)
    covers = netlist.made.values()
    sizes = Counter(len(cover.inputs) for cover in covers)
    inverters = sum(len(cover.inputs) == 1 and (cover.cubes, cover.value) in _INVERSES for cover in covers)
    by_inputs = {size: sizes[size] for size in sorted(sizes) if size > 1}
    tables = Tables(by_inputs, inverters, max(netlist.levels(), default=0))
    return with_interface(circuit, like, str(path)), tables


def read_blif(path: str | Path, *, source: str, registers: bool) -> tuple[Circuit, int]:
    """Like `from_blif`, with the number of registers in the file.

    Args:
        path: The file.
        source: What messages call it.
        registers: Whether to accept registers.

    Raises:
        FormatError: Like `from_blif` (also UnsupportedError).
    """
    circuit, netlist = _read(path, source, registers=registers)
    return circuit, netlist.n_registers


def _read(path: str | Path, source: str, *, registers: bool) -> tuple[Circuit, _Netlist]:
    inputs, outputs, covers = parse(read_bytes(path), source, registers=registers)
    netlist = _Netlist(inputs, covers, source)
    nodes = [netlist.node(name) for name in outputs]
    netlist.check_delays(outputs)
    names = {INPUT_NAMES: inputs, OUTPUT_NAMES: outputs}
    metadata = {key: json.dumps({str(i): name for i, name in enumerate(table)}) for key, table in names.items()}
    gate, a, b, outs = (np.array(part, np.int64) for part in (netlist.gate, netlist.a, netlist.b, nodes))
    return Circuit(len(inputs), gate, a, b, outs, metadata=metadata), netlist


class _Netlist:
    """Gates made from covers, each after its operands."""

    def __init__(self, inputs: list[str], covers: dict[str, Cover], source: str) -> None:
        self.gate: list[int] = []
        self.a: list[int] = []
        self.b: list[int] = []
        self._n_inputs = len(inputs)
        self._nodes = {name: i for i, name in enumerate(inputs)}
        self._covers = covers
        self._source = source
        self.made: dict[str, Cover] = {}
        # By name, the number of registers between the inputs and a value; None for constants.
        self._delay: dict[str, int | None] = dict.fromkeys(inputs, 0)

    def node(self, name: str) -> int:
        """The node of a name; makes the gates that it depends on."""
        stack, open_ = [name], set()
        while stack:
            top = stack[-1]
            if top in self._nodes:
                stack.pop()
                continue
            cover = self._covers.get(top)
            if top == _UNKNOWN:
                raise UnsupportedError(f"{self._source}: an output takes a value that is unknown (x) or tri-state (z)")
            if cover is None:
                raise FormatError(f"{self._source}: {top!r} is used but never defined")
            missing = [i for i in cover.inputs if i not in self._nodes]
            if not missing:
                self._nodes[top] = self._make(cover)
                self.made[top] = cover
                delay = self._common_delay(cover.inputs, f"line {cover.line}: {top!r} reads")
                self._delay[top] = delay + 1 if cover.register and delay is not None else delay
            elif top in open_:
                raise FormatError(f"{self._source}, line {cover.line}: {top!r} depends on itself")
            open_.add(top)
            stack += missing
        return self._nodes[name]

    @property
    def n_registers(self) -> int:
        """Registers of the file, whether outputs depend on them or not."""
        return sum(cover.register for cover in self._covers.values())

    def levels(self) -> list[int]:
        """For each value, the tables of two or more inputs on the longest path from an input."""
        level = dict.fromkeys(self._delay, 0)
        for name, cover in self.made.items():  # each after its operands
            level[name] = max((level[i] for i in cover.inputs), default=0) + (len(cover.inputs) > 1)
        return list(level.values())

    def check_delays(self, outputs: list[str]) -> None:
        """Check that all outputs are behind the same number of registers."""
        self._common_delay(outputs, "the outputs are")

    def _common_delay(self, names: list[str], what: str) -> int | None:
        delays = {self._delay[name] for name in names} - {None}
        if len(delays) > 1:
            raise UnsupportedError(
                f"{self._source}, {what} values of different clocks (behind {sorted(map(str, delays))} registers); "
                "only pipelines with the same number of registers on every path can be read"
            )
        return next(iter(delays), None)

    def _append(self, gate: int, a: int = 0, b: int = 0) -> int:
        self.gate.append(int(gate))
        self.a.append(a)
        self.b.append(b)
        return self._n_inputs + len(self.gate) - 1

    def _make(self, cover: Cover) -> int:
        inverted = cover.value == "0"
        operands = [self._nodes[i] for i in cover.inputs]
        if len(operands) > 2:
            products = [
                self._tree([(n, c == "0") for n, c in zip(operands, cube, strict=True) if c != "-"], conjunction=True)
                for cube in cover.cubes
            ]
            node, flipped = self._tree(products, conjunction=False)
            return self._append(Gate.NOT_A, node, node) if flipped != inverted else node
        table = 0
        for values in ("00", "01", "10", "11"):
            hit = any(all(c in {"-", v} for c, v in zip(cube, values, strict=False)) for cube in cover.cubes)
            table = table << 1 | (hit != inverted)
        if table in {Gate.FALSE, Gate.TRUE}:
            return self._append(table)
        return self._append(table, operands[0], operands[-1])

    def _tree(self, terms: list[tuple[int, bool]], *, conjunction: bool) -> tuple[int, bool]:
        """AND (or OR) of (node, whether inverted), as such a pair."""
        if not terms:
            return self._append(Gate.TRUE if conjunction else Gate.FALSE), False
        gates = _CONJUNCTIONS if conjunction else _DISJUNCTIONS
        while len(terms) > 1:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            joined = [(self._append(gates[2 * ia + ib], a, b), False) for (a, ia), (b, ib) in pairs]
            terms = joined + ([terms[-1]] if len(terms) % 2 else [])
        return terms[0]
