"""BLIF out of circuits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gatewright.circuit.circuit import Circuit
from gatewright.formats.gate_level import GateLevel, to_gate_level
from gatewright.formats.names import check_name, remarks
from gatewright.gates import TRUTH, USES_A, USES_B
from gatewright.runtime.files import write_files


def to_blif(
    circuit: Circuit,
    directory: str | Path,
    *,
    name: str = "model",
    encoder: bool = False,
    head: bool = False,
    adders: str = "ops",
) -> list[Path]:
    """Write a circuit as BLIF.

    Args:
        circuit: Any circuit.
        directory: Where to write `NAME.blif`.
        name: Name of the file and of the model in it.
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
    ...     (path,) = to_blif(xor, folder)
    ...     print(path.read_text().splitlines()[4:6])
    ['.names bits[0] bits[1] n0', '01 1']
    """
    check_name(name)
    netlist = to_gate_level(circuit, encoder=encoder, head=head, adders=adders)
    return write_files(directory, {f"{name}.blif": "\n".join(_lines(netlist, name)) + "\n"})


def _rows(gate: int) -> list[str]:
    """The rows of a gate's `.names` table, with columns for the operands that it uses."""
    first, second = (("0", "1") if uses[gate] else ("",) for uses in (USES_A, USES_B))
    return [f"{a}{b} 1".lstrip() for a in first for b in second if TRUTH[gate, int(a or 0), int(b or 0)]]


def _lines(netlist: GateLevel, name: str) -> Iterator[str]:
    circuit = netlist.gates
    inputs, outputs = netlist.input_names, netlist.output_names
    yield "# written by gatewright"
    yield from (f"# {line}" for line in remarks(netlist.source.metadata))
    yield f".model {name}"
    yield " ".join([".inputs", *inputs])
    yield " ".join([".outputs", *outputs])
    nodes = [*inputs, *(f"n{i}" for i in range(circuit.n_gates))]
    tables = [_rows(gate) for gate in range(16)]
    gates, a, b = circuit.gate.tolist(), circuit.a.tolist(), circuit.b.tolist()
    for i, gate in enumerate(gates):
        operands = [nodes[n] for n, used in ((a[i], USES_A[gate]), (b[i], USES_B[gate])) if used]
        yield " ".join([".names", *operands, f"n{i}"])
        yield from tables[gate]
    for node, output in zip(circuit.outputs.tolist(), outputs, strict=True):
        yield f".names {nodes[node]} {output}"
        yield "1 1"
    yield ".end"
