"""AIGER files, written and read: for ABC, model checkers and SAT-based tools."""

from __future__ import annotations

from pathlib import Path

from gatewright.circuit import aig
from gatewright.circuit.aag import read_aag
from gatewright.circuit.circuit import Circuit
from gatewright.formats.gate_level import to_gate_level, with_interface
from gatewright.formats.names import check_name, remarks
from gatewright.runtime.documents import reading
from gatewright.runtime.files import read_bytes, write_files


def to_aiger(
    circuit: Circuit,
    directory: str | Path,
    *,
    name: str = "model",
    encoder: bool = False,
    head: bool = False,
    adders: str = "ops",
) -> list[Path]:
    """Write a circuit as binary AIGER with symbols.

    Args:
        circuit: Any circuit.
        directory: Where to write `NAME.aig`.
        name: Name of the file.
        encoder: Write the encoder, if the circuit has one, as gates; otherwise the Boolean inputs are the interface.
        head: Write the head, if the circuit has one, as gates.
        adders: Adders of the head: fewest two-input gates (`ops`), NANDs (`nand`), tables of four (`lut4`) or of six
            inputs (`lut6`).

    Returns:
        The file written.

    Raises:
        OptionError: `name` is not an identifier.
        UnsupportedError: The circuit has no outputs.

    >>> import tempfile
    >>> from gatewright import Circuit
    >>> xor = Circuit(2, gate=[6], a=[0], b=[1], outputs=[2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = to_aiger(xor, folder)
    ...     from_aiger(path, like=xor).n_outputs
    1
    """
    check_name(name)
    netlist = to_gate_level(circuit, encoder=encoder, head=head, adders=adders)
    text = "".join(f"{line}\n" for line in ["written by gatewright", *remarks(circuit.metadata)])
    data = aig.write_aig(netlist.gates, inputs=netlist.input_names, outputs=netlist.output_names, comment=text)
    return write_files(directory, {f"{name}.aig": data})


def from_aiger(path: str | Path, *, like: Circuit | None = None) -> Circuit:
    """Read a combinational AIGER file, binary or ASCII.

    Args:
        path: The file.
        like: The circuit that was exported without encoder and head; the result gets its encoder, head and metadata.

    Raises:
        FormatError: The file is not AIGER, is damaged, or does not fit `like`.
        UnsupportedError: The file describes a sequential circuit.
    """
    with reading(path):
        data = read_bytes(path)
        circuit = (read_aag if data.startswith(b"aag") else aig.read_aig)(data, source=str(path))
        return with_interface(circuit, like, str(path))
