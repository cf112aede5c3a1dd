"""Verilog back to a circuit, read by yosys rather than by a parser of our own: as other tools understand it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from gatewright.circuit.circuit import Circuit
from gatewright.errors import ToolError
from gatewright.formats.blif import from_blif
from gatewright.runtime.files import read_bytes
from gatewright.runtime.programs import run_yosys

_ENABLE = ("delete -input w:enable", "connect -nounset -set enable 1'b1", "tee -q opt_expr")
"""Sets the input `enable` of modules that can be stopped, as those for streams: they are read as they run."""

_STEPS = (
    "read_verilog source.v",
    "hierarchy -check -auto-top",
    "tee -q proc",
    "tee -q flatten",
    "hierarchy -auto-top",
    *_ENABLE,
    "tee -q techmap",
    "tee -q opt_clean",
    "write_blif netlist.blif",
)
"""What yosys does. What says a line per cell is silenced, the rest not, as its errors would be silenced, too."""


def from_verilog(path: str | Path, *, like: Circuit | None = None, timeout: float = 600.0) -> Circuit:
    """Read a Verilog module: combinational, or a pipeline whose ways all lead through the same number of registers.

    Args:
        path: The source; of several modules the one that no other contains.
        like: The circuit that was exported (without encoder and head as gates), to give its encoder, head and metadata
            to what came back.
        timeout: Seconds that yosys may take.

    Returns:
        The circuit that the outputs are (of a pipeline, once a sample has gone through). The names of the ports' bits are
        in its metadata, as `from_blif` keeps them; the clock is no input, and an
        input `enable` is held at 1.

    Raises:
        DataError: There is no such file.
        MissingExtraError: yosys (the package pyosys) is not installed.
        ToolError: yosys did not accept the file, or took too long.
        UnsupportedError: It has registers that make no pipeline, or memories.
        FormatError: It does not fit `like`.
    """
    source = read_bytes(path)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        (folder / "source.v").write_bytes(source)
        try:
            stoppable = re.search(rb"\binput\s+(?:wire\s+)?enable\b", source) is not None
            run_yosys([step for step in _STEPS if stoppable or step not in _ENABLE], folder, timeout)
        except ToolError as error:
            raise ToolError(f"{path}: yosys could not read it: {error}") from error
        return from_blif(folder / "netlist.blif", like=like, registers=True)
