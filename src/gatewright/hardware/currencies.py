"""What a circuit costs with encoder and head: in NAND gates and inverters of standard cells, and in tables."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from gatewright.circuit.aig import write_aig
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.cost import map_aig
from gatewright.circuit.simplify import simplify
from gatewright.errors import VerificationError
from gatewright.formats.blif import from_blif
from gatewright.formats.gate_level import to_gate_level
from gatewright.formats.verilog import to_verilog
from gatewright.gates import Gate
from gatewright.hardware.parts import parts_of
from gatewright.runtime.programs import run_yosys

NAND_SCRIPT = (
    "synth -top top -flatten -noabc",
    "opt -full",
    "abc -g NAND -script +strash;dc2;map",
    "opt_clean",
)
"""How the public benchmark of logic networks (simon-jonas-buehrer/LN-optimizer-benchmark) maps a module, in yosys."""


def map_nand(circuit: Circuit, *, ports: str = "", timeout: float = 1800.0) -> Circuit:
    """Encoder, gates and head as NAND gates and inverters, mapped by yosys with the public benchmark's script.

    Args:
        circuit: Any circuit without places.
        ports: Names of the module's ports, as for `to_verilog`; the benchmark's are `pix,cls`.
        timeout: Seconds for yosys.

    Returns:
        The mapped netlist: a circuit of the gates NAND and NOT A without encoder and head, with wires and constants where
        outputs need them. Its inputs are the bits of the raw features.

    Raises:
        MissingExtraError: yosys is not installed.
        ToolError: yosys failed or took too long.
        UnsupportedError: The circuit has no outputs, or its head has places.
        VerificationError: The netlist has other cells than yosys counted.
    """
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        to_verilog(circuit, folder, name="top", adders="nand", ports=ports)
        commands = ["read_verilog -sv top.v", *NAND_SCRIPT, "tee -q -o top.stat stat -json", "write_blif top.blif"]
        run_yosys(commands, folder, timeout)
        cells = json.loads((folder / "top.stat").read_text(encoding="utf-8"))["design"]["num_cells_by_type"]
        netlist = from_blif(folder / "top.blif")
    wanted = {Gate.NAND: cells.pop("$_NAND_", 0), Gate.NOT_A: cells.pop("$_NOT_", 0)}
    cells.pop("$scopeinfo", None)  # a remark, not a cell
    got = {gate: int(np.count_nonzero(netlist.gate == gate)) for gate in wanted}
    if cells or got != wanted:
        raise VerificationError(
            f"the mapped netlist has {got[Gate.NAND]} NANDs and {got[Gate.NOT_A]} inverters, and yosys counted "
            f"{wanted[Gate.NAND]}, {wanted[Gate.NOT_A]} and {cells or 'no other cells'}; please report this"
        )
    return netlist


def nand_inv(circuit: Circuit, *, timeout: float = 1800.0) -> int:
    """Count the NAND gates and inverters of `map_nand`; the arguments and errors are the same.

    >>> from gatewright import Circuit
    >>> nand_inv(Circuit(2, gate=[1], a=[0], b=[1], outputs=[2]))
    2
    """
    netlist = map_nand(circuit, timeout=timeout)
    return int(np.count_nonzero((netlist.gate == Gate.NAND) | (netlist.gate == Gate.NOT_A)))


def lut4_complete(circuit: Circuit, *, timeout: float = 600.0) -> int:
    """Count the four-input tables of encoder, gates and head; as `lut6_complete`."""
    return _tables(circuit, 4, ("nand", "lut4"), timeout)


def lut6_complete(circuit: Circuit, *, timeout: float = 600.0) -> int:
    """Count the six-input tables of encoder, gates and head, by ABC.

    The smaller of two ways: everything mapped at once, or each part on its own, which keeps the compressors of the head
    intact; each with the adders that are best there.

    Args:
        circuit: Any circuit without places.
        timeout: Seconds for each run of ABC.

    Raises:
        MissingExtraError: ABC is not installed.
        ToolError: ABC failed or took too long.
        UnsupportedError: The circuit has no outputs, or its head has places.
    """
    return _tables(circuit, 6, ("ops", "nand", "lut6"), timeout)


def _tables(circuit: Circuit, k: int, adders: Sequence[str], timeout: float) -> int:
    """The fewest tables of k inputs, as a whole or in parts, with these kinds of adders."""

    def tables(part: Circuit) -> int:
        kinds = adders if part.head is not None else ("ops",)
        gates = (to_gate_level(part, encoder=True, head=True, adders=kind).gates for kind in kinds)
        return min(map_aig(write_aig(each), k, timeout=timeout)[0] for each in gates)

    core = simplify(circuit)
    return min(tables(core), sum(map(tables, parts_of(core).values())))


CURRENCIES: Mapping[str, Callable[[Circuit], int]] = MappingProxyType(
    {"nand": nand_inv, "lut4": lut4_complete, "lut6": lut6_complete}
)
"""Counts of complete circuits beside `gatewright.cost`, by name."""
