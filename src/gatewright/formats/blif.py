"""BLIF netlists, written, and read with lookup tables of any size: for ABC, yosys, SIS and VTR."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gatewright.circuit.circuit import Circuit
from gatewright.errors import FormatError, UnsupportedError, shown
from gatewright.formats.clocks import clock_of, control_of
from gatewright.formats.gate_level import GateLevel, to_gate_level, with_interface
from gatewright.formats.names import check_name, remarks
from gatewright.gates import TRUTH, USES_A, USES_B, Gate
from gatewright.runtime.files import read_bytes, write_files

_INVERSES = ((["0"], "1"), (["1"], "0"))
# By whether the first operand is inverted, twice, and whether the second one is.
_CONJUNCTIONS = (Gate.AND, Gate.A_AND_NOT_B, Gate.NOT_A_AND_B, Gate.NOR)
_DISJUNCTIONS = (Gate.OR, Gate.A_OR_NOT_B, Gate.NOT_A_OR_B, Gate.NAND)
_ODD = re.compile("[^\\t -\\x7e\\xa1-\\u1fff\\u2030-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""Control characters and separators; a tab is none."""
_REMARKS = re.compile(
    r"\.(area|attr|cname|param|wire|wire_load_slope|delay|default_\w+|(input|output)_(arrival|drive|required|load)"
    r"|max_input_load)"
)
"""Statements about timing, area and names, which say nothing about the function."""
INPUT_NAMES, OUTPUT_NAMES = "blif.inputs", "blif.outputs"
"""Metadata keys under which `from_blif` keeps the names: JSON objects, index to name."""


def to_blif(
    circuit: Circuit,
    directory: str | Path,
    *,
    name: str = "model",
    encoder: bool = False,
    head: bool = False,
    adders: str = "ops",
) -> list[Path]:
    """Write a circuit as BLIF.

    Args:
        circuit: Any circuit.
        directory: Where to write `NAME.blif`.
        name: Name of the file and of the model in it.
        encoder: Write the encoder, if the circuit has one, as gates; otherwise the Boolean inputs are the interface.
        head: Write the head, if the circuit has one, as gates.
        adders: Adders of the head: fewest two-input gates (`ops`), NANDs (`nand`) or six-input tables (`lut6`).

    Returns:
        The file written.

    Raises:
        OptionError: `name` is not an identifier.
        UnsupportedError: The circuit has no outputs.

    >>> import tempfile
    >>> from gatewright import Circuit
    >>> xor = Circuit(2, gate=[6], a=[0], b=[1], outputs=[2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = to_blif(xor, folder)
    ...     from_blif(path, like=xor).n_outputs
    1
    """
    check_name(name)
    netlist = to_gate_level(circuit, encoder=encoder, head=head, adders=adders)
    return write_files(directory, {f"{name}.blif": "\n".join(_lines(netlist, name)) + "\n"})


def _rows(gate: int) -> list[str]:
    """The rows of a gate's `.names` table, with columns for the operands that it uses."""
    first, second = (("0", "1") if uses[gate] else ("",) for uses in (USES_A, USES_B))
    return [f"{a}{b} 1".lstrip() for a in first for b in second if TRUTH[gate, int(a or 0), int(b or 0)]]


def _lines(netlist: GateLevel, name: str) -> Iterator[str]:
    circuit = netlist.gates
    inputs, outputs = netlist.input_names, netlist.output_names
    yield "# written by gatewright"
    yield from (f"# {line}" for line in remarks(netlist.source.metadata))
    yield f".model {name}"
    yield " ".join([".inputs", *inputs])
    yield " ".join([".outputs", *outputs])
    nodes = [*inputs, *(f"n{i}" for i in range(circuit.n_gates))]
    tables = [_rows(gate) for gate in range(16)]
    gates, a, b = circuit.gate.tolist(), circuit.a.tolist(), circuit.b.tolist()
    for i, gate in enumerate(gates):
        operands = [nodes[n] for n, used in ((a[i], USES_A[gate]), (b[i], USES_B[gate])) if used]
        yield " ".join([".names", *operands, f"n{i}"])
        yield from tables[gate]
    for node, output in zip(circuit.outputs.tolist(), outputs, strict=True):
        yield f".names {nodes[node]} {output}"
        yield "1 1"
    yield ".end"


@dataclass
class _Cover:
    """A `.names`: its inputs, and cubes that share one output value; or a `.latch`: a wire delayed by one clock."""

    line: int
    inputs: list[str]
    cubes: list[str] = field(default_factory=list)
    value: str = "1"
    register: bool = False


def from_blif(path: str | Path, *, like: Circuit | None = None, registers: bool = False) -> Circuit:
    """Read a BLIF file of one model made of `.names`, combinational or a pipeline.

    Tables of up to two inputs become gates, larger ones sums of products of gates; `simplify` reduces them.

    Args:
        path: The file.
        like: The circuit that was exported without encoder and head; the result gets its encoder, head and metadata.
        registers: Accept registers, the same number on every path to an output. The circuit gives the outputs that
            number of clocks later; clocks are not inputs of the circuit.

    Raises:
        FormatError: The file is not BLIF, is damaged, cyclic, or does not fit `like`; the message names the line.
        UnsupportedError: The file has registers that are not accepted or form no pipeline, subcircuits, mapped gates, or
            several models.
    """
    circuit, _ = _read(path, registers=registers)
    return with_interface(circuit, like, str(path))


@dataclass(frozen=True)
class Tables:
    """Counts of the lookup tables in a BLIF file.

    Attributes:
        by_inputs: Number of tables by their number of inputs, two or more: without wires, inverters and constants.
        inverters: Tables of one input that invert it, which later tools absorb.
        levels: Tables of two or more inputs on the longest path from an input to an output.
    """

    by_inputs: Mapping[int, int]
    inverters: int
    levels: int


def read_tables(path: str | Path, *, like: Circuit | None = None) -> tuple[Circuit, Tables]:
    """Like `from_blif`, with the same errors, and with counts of the file's tables."""
    circuit, made = _read(path, registers=False)
    sizes = Counter(len(cover.inputs) for cover in made.values())
    inverters = sum(len(cover.inputs) == 1 and (cover.cubes, cover.value) in _INVERSES for cover in made.values())
    by_inputs = {size: sizes[size] for size in sorted(sizes) if size > 1}
    level: Counter[str] = Counter()  # 0 for inputs of the model
    for name, cover in made.items():
        level[name] = max((level[i] for i in cover.inputs), default=0) + (len(cover.inputs) > 1)
    tables = Tables(by_inputs, inverters, max(level.values(), default=0))
    return with_interface(circuit, like, str(path)), tables


def _read(path: str | Path, *, registers: bool) -> tuple[Circuit, dict[str, _Cover]]:
    """The circuit, and the covers that its outputs depend on, each after its operands."""
    inputs, outputs, covers = _parse(_statements(path), str(path), registers=registers)
    netlist = _Netlist(inputs, covers, str(path))
    nodes = [netlist.node(name) for name in outputs]
    netlist.common_delay(outputs, "the outputs are")
    names = {INPUT_NAMES: inputs, OUTPUT_NAMES: outputs}
    metadata = {key: json.dumps({str(i): name for i, name in enumerate(table)}) for key, table in names.items()}
    gate, a, b = np.array(netlist.gates, np.int64).reshape(-1, 3).T
    return Circuit(len(inputs), gate, a, b, np.array(nodes, np.int64), metadata=metadata), netlist.made


def _statements(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of each statement, comments dropped and continued lines joined."""
    words: list[str] = []
    first = 0
    try:
        lines = read_bytes(path).decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not text: {error}") from error
    for number, raw in enumerate(lines, 1):
        # Tools disagree on whether such characters end a line, so a comment for one would be a gate for another.
        if odd := _ODD.search(raw):
            raise FormatError(f"{path}, line {number}: the character {odd[0]!r} does not belong into BLIF")
        text = raw.split("#", 1)[0].rstrip()
        continued = text.endswith("\\")
        first = first if words else number
        words += text.removesuffix("\\").split()
        if not continued and words:
            yield first, words
            words = []
    if words:
        yield first, words


def _parse(
    statements: Iterator[tuple[int, list[str]]], source: str, *, registers: bool
) -> tuple[list[str], list[str], dict[str, _Cover]]:
    inputs: list[str] = []
    outputs: list[str] = []
    covers: dict[str, _Cover] = {}
    clocks: list[str] = []
    lists = {".inputs": inputs, ".outputs": outputs, ".clock": clocks}
    controls: set[tuple[str, ...]] = set()
    current: _Cover | None = None
    started = False
    for line, (keyword, *words) in statements:
        where = f"{source}, line {line}"
        if not keyword.startswith("."):
            if current is None:
                raise FormatError(f"{where}: {shown(keyword)} belongs to no .names; the file is damaged or not BLIF")
            _add_cube(current, [keyword, *words], where)
            continue
        current = None
        if keyword == ".model":
            if started:
                raise UnsupportedError(f"{where}: a second .model; flatten the hierarchy first")
            started = True
        elif keyword in lists:
            lists[keyword] += words
        elif keyword == ".names" and words:
            current = _define(covers, words[-1], _Cover(line, words[:-1]), where)
        elif keyword == ".latch" and registers and len(words) >= 2:
            controls.add(control_of(words[2:], where))
            _define(covers, words[1], _Cover(line, words[:1], ["1"], register=True), where)
        elif keyword == ".conn" and len(words) == 2:
            _define(covers, words[1], _Cover(line, words[:1], ["1"]), where)
        elif keyword == ".end":
            if more := next(statements, None):
                raise UnsupportedError(
                    f"{source}, line {more[0]}: {shown(more[1][0])} after .end; only one model can be read"
                )
        elif keyword in {".latch", ".subckt", ".gate", ".mlatch", ".exdc"}:
            raise UnsupportedError(f"{where}: {keyword}; only combinational models made of .names can be read")
        elif not _REMARKS.fullmatch(keyword):
            raise FormatError(f"{where}: unknown statement {shown(keyword)}")
    _check_interface(started, inputs, outputs, covers, source)
    read = {name for cover in covers.values() for name in cover.inputs} | set(outputs)
    clocks += clock_of(controls, inputs, read, source)
    return [name for name in inputs if name not in clocks], outputs, covers


def _check_interface(
    started: bool, inputs: list[str], outputs: list[str], covers: Mapping[str, _Cover], source: str
) -> None:
    if not started:
        raise FormatError(f"{source}: no .model; the file is empty or not BLIF")
    if not outputs:
        raise UnsupportedError(f"{source}: no .outputs; a model without outputs computes nothing")
    twice = next((name for name, times in Counter([*inputs, *covers]).items() if times > 1), None)
    if twice is not None:
        raise FormatError(f"{source}: input {shown(twice)} is defined a second time")


def _define(covers: dict[str, _Cover], name: str, cover: _Cover, where: str) -> _Cover:
    if name in covers:
        raise FormatError(f"{where}: {shown(name)} is defined a second time")
    covers[name] = cover
    return cover


def _add_cube(cover: _Cover, words: list[str], where: str) -> None:
    cube, value = ("", words[0]) if len(words) == 1 else (words[0], words[-1])
    if len(words) > 2 or len(cube) != len(cover.inputs) or set(cube) - set("01-") or value not in {"0", "1"}:
        raise FormatError(f"{where}: {' '.join(words)[:40]!r} is no row of a table of {len(cover.inputs)} input(s)")
    if cover.cubes and value != cover.value:
        raise FormatError(f"{where}: rows for 0 and for 1 in one table")
    cover.cubes.append(cube)
    cover.value = value


class _Netlist:
    """Gates made from covers, each after its operands."""

    def __init__(self, inputs: list[str], covers: dict[str, _Cover], source: str) -> None:
        self.gates: list[tuple[int, int, int]] = []
        self.made: dict[str, _Cover] = {}
        self._n_inputs = len(inputs)
        self._nodes = {name: i for i, name in enumerate(inputs)}
        self._covers = covers
        self._source = source
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
            if cover is None:
                raise FormatError(f"{self._source}: {shown(top)} is used but never defined")
            missing = [i for i in cover.inputs if i not in self._nodes]
            if not missing:
                self._nodes[top] = self._make(cover)
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

    def _make(self, cover: _Cover) -> int:
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
