"""AIGER files: for ABC, model checkers and SAT-based tools; and back."""

from __future__ import annotations

from pathlib import Path

from gatewright.circuit import aig
from gatewright.circuit.circuit import Circuit
from gatewright.formats.gate_level import input_names, like_original, make_whole, output_names
from gatewright.formats.names import check_name, comment
from gatewright.formats.output import read_bytes, write_files


def to_aiger(
    circuit: Circuit, directory: str | Path, *, name: str = "model", encoder: bool = False, head: bool = False
) -> list[Path]:
    """Write a circuit as binary AIGER with symbols.

    Args:
        circuit: Any circuit.
        directory: Where to write `NAME.aig`.
        name: Name of the file.
        encoder: Whether the encoder, if there is one, becomes gates; else the Boolean inputs are the interface, and
            the circuit can come back by `from_aiger`.
        head: Whether the head, if there is one, becomes gates.

    Returns:
        The file written.

    Raises:
        OptionError: `name` is no identifier.
        UnsupportedError: The circuit has no outputs.
    """
    check_name(name)
    whole = make_whole(circuit, encoder=encoder, head=head)
    text = "".join(f"{comment(key)}: {comment(value)}\n" for key, value in sorted(circuit.metadata.items()))
    data = aig.write_aig(
        whole.gates, inputs=input_names(whole), outputs=output_names(whole), comment=f"written by gatewright\n{text}"
    )
    return write_files(directory, {f"{name}.aig": data})


def from_aiger(path: str | Path, *, like: Circuit | None = None) -> Circuit:
    """Read a combinational binary AIGER file.

    Args:
        path: The file.
        like: The circuit that was exported (without encoder and head as gates), to give its encoder, head and metadata
            to what came back.

    Raises:
        FormatError: The file is no binary AIGER or damaged, or does not fit `like`.
        UnsupportedError: The file describes a sequential circuit.
    """
    circuit = aig.read_aig(read_bytes(path), source=str(path))
    return like_original(circuit, like, str(path))
