"""Circuits from Verilog, read by yosys: as other tools understand the source."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from gatewright.circuit.circuit import Circuit
from gatewright.errors import ToolError, UnsupportedError
from gatewright.formats.blif import from_blif
from gatewright.formats.verilog.drivers import refuse_events, refuse_two_drivers
from gatewright.runtime.files import read_bytes
from gatewright.runtime.programs import run_yosys

_ENABLE = ("delete -input w:enable", "connect -nounset -set enable 1'b1", "tee -q opt_expr")
"""Hold the input `enable` of modules that can stall, as those for streams, at 1."""

_STEPS = (
    "read_verilog source.v",
    "hierarchy -check -auto-top",
    "tee -q proc -noopt",
    "tee -q flatten",
    "write_rtlil flat.il",
    "check",  # once before anything is simplified, since of two drivers one may be simplified away
    "tee -q opt_expr -keepdc",  # what `proc` does itself without -noopt
    "hierarchy -auto-top",
    *_ENABLE,
    "tee -q techmap",
    "tee -q opt_clean",
    "check",
    "write_blif netlist.blif",
)
"""Commands of yosys. Only those that print a line per cell are silenced, since `tee -q` silences errors as well."""


_CONFLICT = re.compile(
    r"Warning: (multiple conflicting drivers.*|[Dd]rivers conflicting.*|found logic loop.*|.* is assigned in a block.*)"
)
"""What yosys says of sources whose meaning is not one function: other tools refuse them, or simulate something else."""


def _refuse_unknown(netlist: Path, source: str | Path) -> None:
    """Refuse what yosys writes as an undefined constant: x, z, and so tri-state drivers."""
    for line in netlist.read_text(encoding="utf-8").splitlines():
        if "$undef" in line and line != ".names $undef":
            raise UnsupportedError(f"{source} has unknown or high-impedance values (x or z), which are not Boolean")


def from_verilog(path: str | Path, *, like: Circuit | None = None, timeout: float = 600.0) -> Circuit:
    """Read a Verilog module: combinational, or a pipeline with the same number of registers on every path.

    Args:
        path: The source; of several modules, the one that no other contains is read.
        like: The circuit that was exported without encoder and head; the result gets its encoder, head and metadata.
        timeout: Time limit for yosys, in seconds.

    Returns:
        The outputs as a circuit of the inputs; of a pipeline, after a sample has passed through it. The metadata have the
        names of the ports' bits, as those of `from_blif`. The clock is not an input, and an input `enable` is held at 1.

    Raises:
        DataError: The file does not exist.
        MissingExtraError: yosys (the package pyosys) is not installed.
        ToolError: yosys refused the file, or took too long.
        UnsupportedError: The module has memories, or registers that form no pipeline.
        FormatError: It does not fit `like`.
    """
    source = read_bytes(path)
    refuse_events(source.decode("utf-8", "replace"), str(path))
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        (folder / "source.v").write_bytes(source)
        try:
            stoppable = re.search(rb"\binput\s+(?:wire\s+)?enable\b", source) is not None
            printed = run_yosys([step for step in _STEPS if stoppable or step not in _ENABLE], folder, timeout)
        except ToolError as error:
            raise ToolError(f"{path}: yosys could not read it: {error}") from error
        if unused := re.findall(r"Removing unused module `\\\\?([^']*)'", printed):
            raise UnsupportedError(
                f"{path} has more modules at the top than one ({', '.join(sorted(set(unused)))}): leave only one"
            )
        if conflict := _CONFLICT.search(printed):
            raise UnsupportedError(f"{path}: {conflict[1]}")
        refuse_two_drivers((folder / "flat.il").read_text(encoding="utf-8"), str(path))
        _refuse_unknown(folder / "netlist.blif", path)
        return from_blif(folder / "netlist.blif", like=like, registers=True)
