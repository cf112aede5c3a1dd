"""Map a circuit's gates to lookup tables through ABC: counted, proven, and kept as BLIF for other tools."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.cost import map_aig
from gatewright.circuit.proof.prove import Proof, require_equal
from gatewright.errors import OptionError
from gatewright.formats.aiger import to_aiger
from gatewright.formats.blif import read_tables

LARGEST_TABLE = 8
"""Most inputs of a table that can be asked for."""


@dataclass(frozen=True)
class Mapped:
    """A circuit as lookup tables. Mapped figures: nothing is placed yet.

    Attributes:
        k: Most inputs of a table.
        gates_before: Gates of the circuit, constants, wires and inverters included.
        tables: Tables of two or more inputs, as `gatewright.circuit.cost.lut6` counts them.
        by_inputs: Their number by number of inputs. (A few may be missing: tables that ABC chose more inputs for than
            their function depends on.)
        inverters: Inverters left, which a later tool puts into what follows.
        levels: Tables on the longest way from an input to an output.
        seconds: Wall-clock time of the mapping, without the proof.
        proof: That the tables are the circuit.
        blif: The tables as a BLIF file, ports named as by `to_blif`.
        circuit: The tables as two-input gates again, with the encoder and head of the original.
    """

    k: int
    gates_before: int
    tables: int
    by_inputs: Mapping[int, int]
    inverters: int
    levels: int
    seconds: float
    proof: Proof
    blif: str
    circuit: Circuit


def map_luts(circuit: Circuit, k: int = 6, *, rewrite: bool = False, timeout: float = 600.0) -> Mapped:
    """Map the gates of a circuit to lookup tables; encoder and head are left out.

    Args:
        circuit: A simplified circuit with at least one output.
        k: Most inputs of a table, 2 to 8: 6 or 4 as in FPGAs, 3 as in vector units (`vpternlog`).
        rewrite: Whether ABC first rewrites the gates (`&dc2`).
        timeout: Seconds for the mapping, and again for the proof.

    Raises:
        OptionError: `k` is out of range.
        UnsupportedError: The circuit has no outputs.
        MissingExtraError: There is no ABC.
        ToolError: ABC failed or took too long.
        VerificationError: The tables are not the circuit, or that could not be proven in time.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 2 <= k <= LARGEST_TABLE:
        raise OptionError(f"k is {k!r}, expected the most inputs of a table, 2 to {LARGEST_TABLE}")
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
        by_inputs=read.by_inputs,
        inverters=read.inverters,
        levels=read.levels,
        seconds=seconds,
        proof=proof,
        blif=text,
        circuit=mapped,
    )
