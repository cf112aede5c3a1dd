"""Netlists as circuits: gates of another tool, with the encoder and head of a circuit of ours if they belong to one."""

from __future__ import annotations

import os
from pathlib import Path

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.io import load_circuit
from gatewright.formats import READERS
from gatewright.formats.second_reading import confirm
from gatewright.verification import in_interface_of


def netlist_circuit(path: str | os.PathLike[str], *, like: Circuit | str | os.PathLike[str] | None = None) -> Circuit:
    """Read a netlist: AIGER, BLIF or structural Verilog.

    Args:
        path: The file; its suffix is one of `gatewright.formats.READERS`.
        like: A circuit, or its `.gw` file, with as many inputs and outputs: the result gets its encoder and head, and
            its order of ports where the netlist names them. None for gates alone.

    Raises:
        FormatError: The file is damaged.
        ShapeError: It does not fit `like`.
        UnsupportedError: It has something that is no combinational gate.
        VerificationError: Another tool (ABC, yosys) reads other ports from it.
    """
    source = Path(path)
    circuit = READERS[source.suffix](source)
    about = {"imported": source.name}
    if remark := confirm(source, circuit):
        about["second reading"] = remark
    if like is None:
        return circuit.replace(metadata={**circuit.metadata, **about})
    fitted = in_interface_of(like if isinstance(like, Circuit) else load_circuit(like), circuit, str(source))
    return fitted.replace(metadata=about)  # what is known of `like` (accuracy, proof) may not hold for these gates
