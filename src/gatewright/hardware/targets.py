"""The FPGA families: how large their lookup tables are, and how yosys' cells become theirs and are placed."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gatewright.errors import MissingExtraError, ToolError


@dataclass(frozen=True)
class Device:
    """A device that nextpnr places for.

    Attributes:
        name: The vendor's name.
        cells: Logic cells: a lookup table with a flip-flop.
        options: What chooses it on nextpnr's command line.
        columns: Columns of its grid that have tiles of lookup tables, and
        rows: rows that have; none where the placer is left alone (see `room.py`).
    """

    name: str
    cells: int
    options: tuple[str, ...]
    columns: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Target:
    """An FPGA family.

    Attributes:
        table_inputs: Inputs of a lookup table.
        level_ns: Estimated nanoseconds of a lookup table and the wire to the next, where nothing can be placed; or None.
        library: Yosys command that reads the family's cells.
        synth: Yosys' command for the family.
        devices: What circuits are placed on, smallest first; empty if there is no open place and route.
        pnr: Name of the place-and-route program.
        pnr_options: Its options.
        cell_name: What its report calls a logic cell.
    """

    table_inputs: int
    level_ns: float | None = None
    library: str = ""
    synth: str = ""
    devices: tuple[Device, ...] = ()
    pnr: str = ""
    pnr_options: tuple[str, ...] = ()
    cell_name: str = ""

    def place_commands(self, netlist: str) -> list[str]:
        """Yosys commands from flip-flops and lookup tables (`$lut`) to the family's cells, as a file for nextpnr."""
        return [f"{self.synth} -run map_cells: -json {netlist}"]


def _ecp5(name: str, option: str, *, columns: int, rows: int, memory_rows: tuple[int, ...]) -> Device:
    """An ECP5 of speed grade 6: tiles of eight lookup tables from (2, 2) on, but for the rows of memories."""
    across, down = tuple(range(2, columns)), tuple(y for y in range(2, rows) if y not in memory_rows)
    cells = 8 * len(across) * len(down)
    return Device(name, cells, (option, "--package", "CABGA381", "--speed", "6"), across, down)


# Yosys models a LUT6 of Xilinx's 7 series with 642 ps through its slowest pin, and reckons 300 ps for a wire.
XILINX_LEVEL_NS = 0.942

TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "ecp5": Target(
            table_inputs=4,
            library="read_verilog -lib -specify +/lattice/cells_sim_ecp5.v +/lattice/cells_bb_ecp5.v",
            synth="synth_lattice -family ecp5",
            devices=(
                _ecp5("LFE5U-25F-6", "--25k", columns=71, rows=49, memory_rows=(13, 25, 37)),
                _ecp5("LFE5U-85F-6", "--85k", columns=125, rows=94, memory_rows=(10, 22, 34, 46, 58, 70, 82)),
            ),
            pnr="nextpnr-ecp5",
            pnr_options=("--lpf-allow-unconstrained",),
            cell_name="TRELLIS_COMB",
        ),
        "ice40": Target(
            table_inputs=4,
            library="read_verilog -D ICE40_HX -lib -specify +/ice40/cells_sim.v",
            synth="synth_ice40",
            devices=(Device("iCE40HX8K", 7_680, ("--hx8k", "--package", "ct256")),),
            pnr="nextpnr-ice40",
            pnr_options=("--pcf-allow-unconstrained",),
            cell_name="ICESTORM_LC",
        ),
        "xilinx": Target(table_inputs=6, level_ns=XILINX_LEVEL_NS),
        "generic": Target(table_inputs=6),
    }
)
"""Families by name. `xilinx` and `generic` are mapped, not placed: no open place and route exists for them."""


def find_pnr(target: Target) -> list[str | Path]:
    """The command that starts the target's place-and-route program: a native one, else that of the wheel.

    Raises:
        ToolError: It is not there (also MissingExtraError, where pip brings it).
    """
    native = shutil.which(target.pnr)
    if native is not None:
        return [native]
    package = "yowasp_" + target.pnr.replace("-", "_")
    if importlib.util.find_spec(package) is not None:
        function = f"_run_{target.pnr.replace('-', '_')}_argv"
        return [sys.executable, "-c", f"from {package} import {function}; {function}()"]
    if target.pnr == "nextpnr-ecp5":
        raise MissingExtraError(
            f"{target.pnr} is not installed, and placing needs it: pip install 'gatewright[hardware]', "
            "or ask for the mapped figures alone (place=False)"
        )
    raise ToolError(
        f"{target.pnr} is not on PATH, and placing needs it: install it (Debian: apt-get install {target.pnr}), "
        "or ask for the mapped figures alone (place=False)"
    )
