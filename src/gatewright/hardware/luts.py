"""Map a circuit's gates to lookup tables with ABC: counted, proven, and kept as BLIF for other tools."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.cost import map_aig
from gatewright.circuit.proof.prove import Proof, require_equal
from gatewright.errors import OptionError
from gatewright.formats.aiger import to_aiger
from gatewright.formats.blif import Tables, read_tables


@dataclass(frozen=True)
class Mapped(Tables):
    """A circuit as lookup tables, mapped but not placed.

    `by_inputs`, `inverters` and `levels` count the tables of the BLIF file, from which a few of `tables` may be missing:
    those with more inputs than their function depends on.

    Attributes:
        k: Most inputs of a table.
        gates_before: Gates of the circuit, constants, wires and inverters included.
        tables: Tables of two or more inputs, as `gatewright.circuit.cost.lut6` counts them.
        seconds: Wall-clock time of the mapping, without the proof.
        proof: Proof that the tables equal the circuit.
        blif: The tables as text of a BLIF file, ports named as by `to_blif`.
        circuit: The tables as two-input gates again, with the encoder and head of the original.
    """

    k: int
    gates_before: int
    tables: int
    seconds: float
    proof: Proof
    blif: str
    circuit: Circuit


def map_luts(circuit: Circuit, k: int = 6, *, rewrite: bool = False, timeout: float = 600.0) -> Mapped:
    """Map the gates of a circuit to lookup tables, without encoder and head.

    Args:
        circuit: A simplified circuit with at least one output.
        k: Most inputs of a table, 2 to 8: 6 or 4 as in FPGAs, 3 as in vector units (`vpternlog`).
        rewrite: Let ABC rewrite the gates first (`&dc2`).
        timeout: Seconds for the mapping, and as many for the proof.

    Raises:
        OptionError: `k` is out of range.
        UnsupportedError: The circuit has no outputs.
        MissingExtraError: ABC is not installed.
        ToolError: ABC failed or took too long.
        VerificationError: The tables differ from the circuit, or the proof took too long.

    >>> from gatewright import Circuit
    >>> majority = Circuit(3, gate=[1, 7, 1, 7], a=[0, 0, 2, 3], b=[1, 1, 4, 5], outputs=[6])
    >>> map_luts(majority, 3).tables
    1
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 2 <= k <= 8:
        raise OptionError(f"k is {k!r}, expected the most inputs of a table, 2 to 8")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        (source,) = to_aiger(circuit, folder)
        tables, text = map_aig(source.read_bytes(), k, rewrite=rewrite, timeout=timeout)
        (folder / "mapped.blif").write_text(text, encoding="utf-8")
        mapped, read = read_tables(folder / "mapped.blif", like=circuit)
    seconds = time.perf_counter() - start
    proof = require_equal(circuit, mapped, timeout=timeout)
    return Mapped(
        k=k,
        gates_before=circuit.n_gates,
        tables=tables,
        **vars(read),
        seconds=seconds,
        proof=proof,
        blif=text,
        circuit=mapped,
    )
