"""Circuits out of BLIF: lookup tables of any size, and the registers of pipelines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.lookup import MOST_INPUTS
from gatewright.circuit.lookup_tables import LookupTables
from gatewright.errors import FormatError, UnsupportedError, shown
from gatewright.formats.blif.statements import Cover, parse
from gatewright.formats.blif.tables import Function, function_of, gates_of, table_of
from gatewright.formats.gate_level import with_interface
from gatewright.gates import Gate
from gatewright.runtime.files import read_bytes

_WIRE = 0b10
"""The table of a wire."""

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


def read_tables(path: str | Path) -> LookupTables:
    """Read the lookup tables of a BLIF file as they are, up to eight inputs each: those that outputs depend on.

    Ports keep the order of the file. Wires vanish.

    Args:
        path: The file.

    Raises:
        FormatError: Like `from_blif`.
        UnsupportedError: Like `from_blif`; or a table has more than eight inputs.
    """
    inputs, outputs, netlist = _parsed(path, str(path), registers=False)
    nodes = {name: i for i, name in enumerate(inputs)}
    wiring: list[list[int]] = []
    truth: list[list[int]] = []
    for name, cover in netlist.made.items():
        if len(cover.inputs) > MOST_INPUTS:
            raise UnsupportedError(
                f"{path}, line {cover.line}: {shown(name)} reads {len(cover.inputs)} values, and tables have at most "
                f"{MOST_INPUTS} inputs"
            )
        table = table_of(cover)
        if len(cover.inputs) == 1 and table == _WIRE:
            nodes[name] = nodes[cover.inputs[0]]
            continue
        nodes[name] = len(inputs) + len(wiring)
        wiring.append([nodes[i] for i in cover.inputs])
        truth.append([table >> i & 1 for i in range(1 << len(cover.inputs))])
    k = max(map(len, wiring), default=0)
    return LookupTables(
        len(inputs),
        np.array([[*row, *[-1] * (k - len(row))] for row in wiring], np.int32).reshape(len(wiring), k),
        np.array([[*row, *[0] * ((1 << k) - len(row))] for row in truth], np.bool_).reshape(len(wiring), 1 << k),
        np.array([nodes[name] for name in outputs], np.int32),
        np.array([len(row) for row in wiring], np.int32),
    )


def read_blif(path: str | Path, *, source: str, registers: bool) -> tuple[Circuit, int]:
    """Like `from_blif`, with the number of registers that outputs depend on.

    Args:
        path: The file.
        source: What messages call it.
        registers: Whether to accept registers.

    Raises:
        FormatError: Like `from_blif` (also UnsupportedError).
    """
    circuit, covers = _read(path, source, registers=registers)
    return circuit, sum(cover.register for cover in covers.values())


def _parsed(path: str | Path, source: str, *, registers: bool) -> tuple[list[str], list[str], _Netlist]:
    """Names of inputs and outputs, and the gates of what the outputs depend on."""
    inputs, outputs, covers = parse(read_bytes(path), source, registers=registers)
    netlist = _Netlist(inputs, covers, source)
    for name in outputs:
        netlist.node(name)
    netlist.common_delay(outputs, "the outputs are")
    return inputs, outputs, netlist


def _read(path: str | Path, source: str, *, registers: bool) -> tuple[Circuit, dict[str, Cover]]:
    """The circuit, and the covers that its outputs depend on, each after its operands."""
    inputs, outputs, netlist = _parsed(path, source, registers=registers)
    nodes = [netlist.node(name) for name in outputs]
    names = {INPUT_NAMES: inputs, OUTPUT_NAMES: outputs}
    metadata = {key: json.dumps({str(i): name for i, name in enumerate(table)}) for key, table in names.items()}
    gate, a, b = np.array(netlist.gates, np.int64).reshape(-1, 3).T
    return Circuit(len(inputs), gate, a, b, np.array(nodes, np.int64), metadata=metadata), netlist.made


class _Netlist:
    """Gates made from covers, each after its operands."""

    def __init__(self, inputs: list[str], covers: dict[str, Cover], source: str) -> None:
        self.gates: list[tuple[int, int, int]] = []
        self.made: dict[str, Cover] = {}
        self._n_inputs = len(inputs)
        self._nodes = {name: i for i, name in enumerate(inputs)}
        self._covers = covers
        self._source = source
        # By name, the number of registers between the inputs and a value; None for constants.
        self._delay: dict[str, int | None] = dict.fromkeys(inputs, 0)
        self._functions = {name: found for name, cover in covers.items() if (found := function_of(cover)) is not None}
        self._gates_of = gates_of(self._functions.values())

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
                raise FormatError(f"{self._source}: {shown(top)} is used but never defined")
            missing = [i for i in cover.inputs if i not in self._nodes]
            if not missing:
                self._nodes[top] = self._make(cover, self._functions.get(top))
                self.made[top] = cover
                delay = self.common_delay(cover.inputs, f"line {cover.line}: {shown(top)} reads")
                self._delay[top] = delay + 1 if cover.register and delay is not None else delay
            elif top in open_:
                raise FormatError(f"{self._source}, line {cover.line}: {shown(top)} depends on itself")
            open_.add(top)
            stack += missing
        return self._nodes[name]

    def common_delay(self, names: list[str], what: str) -> int | None:
        """Registers between the inputs and some values, which must be the same number for all; None for constants."""
        delays = {self._delay[name] for name in names} - {None}
        if len(delays) > 1:
            raise UnsupportedError(
                f"{self._source}, {what} values of different clocks (behind {sorted(map(str, delays))} registers); "
                "only pipelines with the same number of registers on every path can be read"
            )
        return next(iter(delays), None)

    def _append(self, gate: int, a: int = 0, b: int = 0) -> int:
        self.gates.append((gate, a, b))
        return self._n_inputs + len(self.gates) - 1

    def _make(self, cover: Cover, function: Function | None) -> int:
        inverted = cover.value == "0"
        operands = [self._nodes[i] for i in cover.inputs]
        if function is not None:
            gates, output = self._gates_of[function]
            for gate, a, b in gates:
                constant = gate in {Gate.FALSE, Gate.TRUE}
                operands.append(self._append(gate) if constant else self._append(gate, operands[a], operands[b]))
            return operands[output]
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
