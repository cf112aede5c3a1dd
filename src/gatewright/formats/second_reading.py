"""A second, independent reading of netlists: that of ABC, or of yosys, must see the same inputs, outputs and latches."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from gatewright.circuit.circuit import Circuit
from gatewright.errors import MissingExtraError, ToolError, VerificationError, install_command
from gatewright.runtime.abc import find_abc, run_abc
from gatewright.runtime.files import read_bytes
from gatewright.runtime.programs import run_yosys

_CONN = re.compile(rb"(?m)^([ \t]*)\.conn[ \t]+(\S+)[ \t]+(\S+)[ \t]*\r?$")
_LATCH_ORDER = re.compile(rb"(?m)^[ \t]*\.latch_order\b[^\n]*$")


def confirm(path: str | Path, circuit: Circuit, *, timeout: float = 600.0) -> str:
    """Hold what was read from a netlist against the reading of another tool: ABC for BLIF and AIGER, yosys for ASCII AIGER.

    Verilog is not read again: `from_verilog` holds two readings of its own against each other.

    Args:
        path: The file, with a suffix of `gatewright.formats.READERS`.
        circuit: What was read from it.
        timeout: Seconds.

    Returns:
        Empty if the tool agrees, or the file is of a kind that no other tool reads; otherwise why it was not asked.

    Raises:
        VerificationError: The tool cannot read the file, or sees other inputs, outputs or latches.
    """
    path = Path(path)
    reader = _READERS.get(path.suffix)
    if reader is None:
        return ""
    if path.suffix in {".aig", ".aag"}:  # each may hold either kind; ABC reads binary alone
        reader = _by_yosys if read_bytes(path)[:3] == b"aag" else _by_abc
    names = {kind: _names(circuit, kind) for kind in ("inputs", "outputs")}
    try:
        tool, seen = reader(path, timeout)
    except MissingExtraError as error:
        return f"{path} was read once only, as no second reader is installed ({str(error).split(',')[0]})"
    wanted = (circuit.n_inputs, circuit.n_outputs, 0)
    got = (*(len(seen[kind]) if kind in seen else -1 for kind in ("inputs", "outputs")), int(seen["latches"][0]))
    if got != wanted:
        raise VerificationError(
            f"{path} is ambiguous: {tool} sees {got[0]} inputs, {got[1]} outputs and {got[2]} latches, "
            f"gatewright {wanted[0]}, {wanted[1]} and 0"
        )
    for kind, mine in names.items():
        # Of the ports of AIGER yosys keeps no order, and of names the first word.
        pair = (mine, seen[kind]) if tool != "yosys" else (sorted(n.split(" ")[0] for n in mine), sorted(seen[kind]))
        for i, (name, other) in enumerate(zip(*pair, strict=False)):
            if name != other:
                raise VerificationError(
                    f"{path} is ambiguous: {kind[:-1]} {i} is {other!r} for {tool}, {name!r} for gatewright"
                )
    return ""


def _names(circuit: Circuit, kind: str) -> list[str]:
    """Names of all inputs or outputs, or none: a tool makes up those that a file does not give."""
    text = next((text for key, text in circuit.metadata.items() if key.endswith(f".{kind}")), "{}")
    table: dict[str, str] = json.loads(text)
    return [table[str(i)] for i in range(len(table))] if len(table) == getattr(circuit, f"n_{kind}") else []


def _refuse(path: Path, tool: str, printed: str) -> VerificationError:
    said = " ".join(printed.split())[-300:]
    return VerificationError(
        f"{path}: {tool} does not read this file, so no second reading confirms it ({said or 'it crashed'})"
    )


def _by_abc(path: Path, timeout: float) -> tuple[str, Mapping[str, list[str]]]:
    """Names that ABC sees."""
    if find_abc() is None:
        raise MissingExtraError(f"ABC is not installed, and this feature needs it: {install_command('prove')}")
    raw = read_bytes(path)
    name = f"netlist{path.suffix}"
    if path.suffix == ".blif":
        # What ABC does not know and skips or crashes on: wires of yosys, the order of no latches.
        raw = _LATCH_ORDER.sub(b"", _CONN.sub(rb"\1.names \2 \3\n1 1", raw))
    command = f"read_blif {name}" if path.suffix == ".blif" else f"read_aiger {name}"
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        (Path(folder) / name).write_bytes(raw)
        try:
            printed = run_abc(f"{command}; print_io", Path(folder), timeout)
        except ToolError as error:
            raise _refuse(path, "ABC", str(error).replace(name, path.name)) from error
    if printed is None:
        raise VerificationError(f"{path}: ABC took too long to read it; allow a longer timeout")
    if "Constant-0 drivers added" in printed:
        raise _refuse(path, "ABC", printed)
    seen = {}
    for key, label in (("inputs", "Primary inputs"), ("outputs", "Primary outputs"), ("latches", "Latches")):
        found = re.search(rf"^{label} \((\d+)\):(.*)$", printed, re.MULTILINE)
        if found is None:
            raise _refuse(path, "ABC", printed)
        if key == "latches":
            seen[key] = [found[1]]
            continue
        count, text, names = int(found[1]), found[2], []
        for i in range(count):  # names may contain blanks: each ends where the next number begins
            start = text.index(f" {i}=") + len(f" {i}=")
            end = text.find(f" {i + 1}=", start) if i + 1 < count else len(text)
            names.append(text[start : end if end >= 0 else len(text)])
            text = text[end:]
        seen[key] = names
    return "ABC", seen


def _by_yosys(path: Path, timeout: float) -> tuple[str, Mapping[str, list[str]]]:
    """Names that yosys sees in AIGER."""
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        (Path(folder) / "netlist.aag").write_bytes(read_bytes(path))
        try:
            run_yosys(["read_aiger netlist.aag", "write_json netlist.json"], Path(folder), timeout)
        except MissingExtraError:
            raise
        except ToolError as error:
            raise _refuse(path, "yosys", str(error).replace("netlist.aag", path.name)) from error
        (module,) = json.loads((Path(folder) / "netlist.json").read_text(encoding="utf-8"))["modules"].values()
    ports = module["ports"]
    seen = {
        f"{way}s": [name for name, port in ports.items() if port["direction"] == way] for way in ("input", "output")
    }
    return "yosys", {**seen, "latches": [str(sum("dff" in cell["type"].lower() for cell in module["cells"].values()))]}


_READERS: Mapping[str, Callable[[Path, float], tuple[str, Mapping[str, list[str]]]]] = {
    ".blif": _by_abc,
    ".aig": _by_abc,
    ".aag": _by_yosys,
}
