"""Circuits from Verilog, read by yosys: as other tools understand the source."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

from gatewright.circuit.circuit import Circuit
from gatewright.errors import ToolError, UnsupportedError, VerificationError
from gatewright.formats.blif import read_blif
from gatewright.formats.gate_level import with_interface
from gatewright.formats.verilog.drivers import check_drivers
from gatewright.formats.verilog.netlist import Ports, check_netlist
from gatewright.formats.verilog.source import check_source
from gatewright.runtime.files import read_bytes
from gatewright.runtime.programs import run_yosys

_ELABORATE = (
    "read_verilog -noblackbox source.v",
    "tee -q -o before.txt ls",
    "hierarchy -check -auto-top",
    "tee -q -o after.txt ls",
    "tee -q -o check.txt check",
    "write_rtlil elaborated.il",
    "tee -q proc -noopt -norom",
    "tee -q flatten",
    "write_json netlist.json",
)
"""Commands of yosys. Only those that print a line per cell are silenced, since `tee -q` silences errors as well."""

_STALL = ("delete -input w:enable", "connect -nounset -set enable 1'b1", "tee -q opt_expr")
"""Hold the input `enable` of modules that can stall, as those for streams, at 1."""

_TO_GATES = (
    "tee -q techmap",
    "tee -q opt_clean",
    "tee -q -o counts.json stat -json",
    "write_blif -undef - $undef netlist.blif",
)

_LARGEST, _GROWTH = 2**23, 200
"""Bytes that a file of yosys may have: so many, and so many per byte of the source. Our exports grow by less than 20."""

_DERIVED = re.compile(r"\$paramod(?:\$[0-9a-f]+)?\\([^\\]+)")
"""A module with other parameters than its own; the group is the name of the module."""


def from_verilog(path: str | Path, *, like: Circuit | None = None, timeout: float = 600.0) -> Circuit:
    """Read a Verilog module: combinational, or a pipeline with the same number of registers on every path.

    What counts as a pipeline, and what is refused, is listed in docs/circuits.md. The module is read twice, as cells and as
    gates, and both must have the same inputs, outputs and registers.

    Args:
        path: The source: one module, with those that it contains.
        like: The circuit that was exported without encoder and head; the result gets its encoder, head and metadata.
        timeout: Time limit for yosys, in seconds.

    Returns:
        The outputs as a circuit of the inputs; of a pipeline, after a sample has passed through it. The metadata have the
        names of the ports' bits, as those of `from_blif`. The clock is not an input. An input `enable` that only stops the
        registers is held at 1 and is not an input either.

    Raises:
        DataError: The file does not exist.
        MissingExtraError: yosys (the package pyosys) is not installed.
        ToolError: yosys refused the file, or took too long.
        UnsupportedError: The module has latches, memories, unknown, undriven, tri-state or multiply driven values, initial
            values, no outputs, or registers that form no pipeline; or the file has several modules that could be meant.
        FormatError: It does not fit `like`.
        VerificationError: The two readings of the file differ.
    """
    raw = read_bytes(path)
    source = str(path)
    text = raw.decode("utf-8", "replace")
    check_source(text, source)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        (folder / "source.v").write_bytes(raw)
        stall = re.search(r"\binput\b[^;)]*\benable\b", text) is not None
        ports = _read(folder, source, timeout, stall=stall)
        if ports.stall != stall:
            ports = _read(folder, source, timeout, stall=ports.stall)
        circuit, registers = read_blif(folder / "netlist.blif", source=source, registers=True)
        _compare(circuit, registers, ports, folder, source)
    return with_interface(circuit, like, source)


def _read(folder: Path, source: str, timeout: float, *, stall: bool) -> Ports:
    """Let yosys make cells and gates; check the cells. `stall` says whether an input `enable` is held at 1."""
    steps: Sequence[str] = (*_ELABORATE, *(_STALL if stall else ()), *_TO_GATES)
    try:
        printed = run_yosys(steps, folder, timeout)
    except ToolError as error:
        if (folder / "netlist.json").exists():  # what the cells are says more than that they are no gates
            ports = _check(folder, source)
            if ports.stall != stall:
                return ports
        raise ToolError(f"{source}: yosys could not read it: {str(error).replace('source.v', source)}") from error
    if undeclared := re.search(r"Warning: (.* is assigned in a block.*)", printed):
        raise UnsupportedError(f"{source}: {undeclared[1].replace('source.v', source)}; other tools refuse it")
    return _check(folder, source)


def _check(folder: Path, source: str) -> Ports:
    given = (folder / "source.v").stat().st_size
    largest = max(path.stat().st_size for path in folder.iterdir())
    if largest > _LARGEST + _GROWTH * given:
        raise UnsupportedError(
            f"{source}: {given:,} bytes of source become a netlist of {largest:,}; check the ranges of its ports and wires"
        )
    before, after = (set(_modules(folder / name)) for name in ("before.txt", "after.txt"))
    used = after | {found[1] for found in map(_DERIVED.match, after) if found}
    modules = json.loads(_text(folder / "netlist.json"))["modules"]
    tops = [name for name, module in modules.items() if int(module["attributes"].get("top", "0"), 2)]
    if len(tops) != 1 or before - used:
        others = ", ".join(map(repr, sorted(before - used | set(tops)))) or "no module"
        raise UnsupportedError(f"{source}: {others} could be the module that is meant; keep one, with what it contains")
    check_drivers(_text(folder / "check.txt"), _text(folder / "elaborated.il"), source)
    return check_netlist(modules[tops[0]], source)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _modules(path: Path) -> list[str]:
    """Names in what yosys' `ls` prints."""
    return [line.strip() for line in _text(path).splitlines() if line.startswith("  ")]


def _compare(circuit: Circuit, registers: int, ports: Ports, folder: Path, source: str) -> None:
    """Hold the circuit that was read from gates against the cells.

    Raises:
        VerificationError: They have other inputs, outputs or registers.
    """
    counts = json.loads(_text(folder / "counts.json"))["design"]["num_cells_by_type"]
    wanted = sum(number for kind, number in counts.items() if kind.startswith("$_DFF_"))
    got = {kind: list(json.loads(circuit.metadata[f"blif.{kind}"]).values()) for kind in ("inputs", "outputs")}
    if got != {"inputs": ports.inputs, "outputs": ports.outputs} or registers != wanted:
        raise VerificationError(
            f"{source}: two readings differ: as cells {len(ports.inputs)} inputs, {len(ports.outputs)} outputs and "
            f"{wanted} registers, as gates {len(got['inputs'])}, {len(got['outputs'])} and {registers}; please report this"
        )
