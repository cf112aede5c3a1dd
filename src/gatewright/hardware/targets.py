"""FPGA families: size of their lookup tables, how yosys maps to their cells, and what places them."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from gatewright.errors import MissingExtraError, ToolError, install_command
from gatewright.runtime.registry import Registry


@dataclass(frozen=True)
class Device:
    """A device that nextpnr places circuits on.

    Attributes:
        name: The vendor's name.
        cells: Number of logic cells, each a lookup table with a flip-flop.
        options: Options of nextpnr that choose the device.
        columns: Columns of an ECP5's grid that have tiles of lookup tables; empty to leave density to the placer.
        rows: Rows of the grid that have such tiles; see `density.py`.
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
        adders: Adders of the head that take the fewest tables there, one of `gatewright.circuit.adders.ADDERS`.
        level_ns: Nanoseconds of a lookup table and the wire to the next, to estimate time without placing; or None.
        library: Command of yosys that reads the family's cells.
        synth: Command of yosys that synthesises for the family.
        devices: Devices to place circuits on, smallest first; empty without open place and route.
        pnr: Name of the place-and-route program.
        pnr_options: Its options.
        pnr_extra: Extra of gatewright that installs the program; empty if pip has no package of it.
        cell_name: Name of a logic cell in its report.
    """

    table_inputs: int
    level_ns: float | None = None
    library: str = ""
    synth: str = ""
    devices: tuple[Device, ...] = ()
    pnr: str = ""
    pnr_options: tuple[str, ...] = ()
    pnr_extra: str = ""
    cell_name: str = ""
    adders: str = "lut6"


def _ecp5(name: str, option: str, *, columns: int, rows: int, memory_rows: tuple[int, ...]) -> Device:
    """An ECP5 of speed grade 6: tiles of eight lookup tables from (2, 2) on, except in the rows of memories."""
    across, down = tuple(range(2, columns)), tuple(y for y in range(2, rows) if y not in memory_rows)
    cells = 8 * len(across) * len(down)
    return Device(name, cells, (option, "--package", "CABGA381", "--speed", "6"), across, down)


TARGETS: Registry[Target] = Registry(
    "target",
    Target,
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
            pnr_extra="hardware",
            cell_name="TRELLIS_COMB",
            adders="lut4",
        ),
        "ice40": Target(
            table_inputs=4,
            library="read_verilog -D ICE40_HX -lib -specify +/ice40/cells_sim.v",
            synth="synth_ice40",
            devices=(Device("iCE40HX8K", 7_680, ("--hx8k", "--package", "ct256")),),
            pnr="nextpnr-ice40",
            pnr_options=("--pcf-allow-unconstrained",),
            cell_name="ICESTORM_LC",
            adders="lut4",
        ),
        # Yosys models a LUT6 of Xilinx's 7 series with 642 ps through its slowest pin, and a wire with 300 ps.
        "xilinx": Target(table_inputs=6, level_ns=0.942),
        "generic": Target(table_inputs=6),
    },
)
"""Families by name: `TARGETS["mine"] = Target(table_inputs=5)` adds one.

`xilinx` and `generic` are mapped, not placed: no open place and route exists for them.
"""


def find_pnr(target: Target) -> list[str | Path]:
    """The command that starts the target's place-and-route program: the one on PATH, or that of the yowasp wheel.

    Raises:
        ToolError: It is not installed (MissingExtraError if pip has it).
    """
    native = shutil.which(target.pnr)
    if native is not None:
        return [native]
    package = "yowasp_" + target.pnr.replace("-", "_")
    if importlib.util.find_spec(package) is not None:
        function = f"_run_{target.pnr.replace('-', '_')}_argv"
        return [sys.executable, "-c", f"from {package} import {function}; {function}()"]
    error = MissingExtraError if target.pnr_extra else ToolError
    install = install_command(target.pnr_extra) if target.pnr_extra else f"apt-get install {target.pnr}"
    raise error(
        f"{target.pnr} is not installed, and placing needs it: {install}, or pass place=False for mapped figures alone"
    )
