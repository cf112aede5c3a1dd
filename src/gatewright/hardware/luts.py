"""Map a circuit's gates to lookup tables with ABC: as arrays, counted and proven."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from gatewright.circuit.aig import write_aig
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.cost import map_aig
from gatewright.circuit.lookup_tables import LookupTables
from gatewright.circuit.proof.prove import Proof, require_equal
from gatewright.errors import OptionError, UnsupportedError
from gatewright.formats.blif import read_tables


@dataclass(frozen=True)
class Mapped:
    """A circuit as lookup tables, mapped but not placed.

    Attributes:
        k: Most inputs of a table.
        gates_before: Gates of the circuit, constants, wires and inverters included.
        tables: The tables: wiring and truth tables, without encoder and head.
        count: Tables of two or more inputs, as `gatewright.circuit.cost.lut6` counts them. A few of them may be smaller
            than that in `tables`: those with more inputs than their function depends on.
        seconds: Wall-clock time of the mapping, without the proof.
        proof: Proof that the tables equal the circuit.
        circuit: The tables as two-input gates again, with the encoder and head of the original.
    """

    k: int
    gates_before: int
    tables: LookupTables
    count: int
    seconds: float
    proof: Proof
    circuit: Circuit


def map_luts(circuit: Circuit, k: int = 6, *, rewrite: bool = False, timeout: float = 600.0) -> Mapped:
    """Map the gates of a circuit to lookup tables, without encoder and head, and prove that the tables equal it.

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

    Example:
        >>> import gatewright as gw
        >>> majority = gw.Circuit(3, gate=[1, 7, 1, 7], a=[0, 0, 2, 3], b=[1, 1, 4, 5], outputs=[6])
        >>> mapped = gw.map_luts(majority, 3)
        >>> mapped.tables.wiring.tolist(), mapped.tables.truth.astype(int).tolist()
        ([[0, 1, 2]], [[0, 0, 0, 1, 0, 1, 1, 1]])
        >>> mapped.proof.equal
        True
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 2 <= k <= 8:
        raise OptionError(f"k is {k!r}, expected the most inputs of a table, 2 to 8")
    if not circuit.n_outputs:
        raise UnsupportedError("the circuit has no outputs, so there is nothing to map")
    start = time.perf_counter()
    count, text = map_aig(write_aig(circuit), k, rewrite=rewrite, timeout=timeout)
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        path = Path(name) / "mapped.blif"
        path.write_text(text, encoding="utf-8")
        tables = read_tables(path)
    mapped = tables.to_circuit(encoder=circuit.encoder, head=circuit.head, metadata=circuit.metadata)
    seconds = time.perf_counter() - start
    proof = require_equal(circuit, mapped, timeout=timeout)
    return Mapped(
        k=k,
        gates_before=circuit.n_gates,
        tables=tables,
        count=count,
        seconds=seconds,
        proof=proof,
        circuit=mapped,
    )
