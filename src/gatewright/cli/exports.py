"""`gatewright export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatewright.cli.circuits import CircuitFile, read_circuit
from gatewright.cli.output import JsonFlag, emit_json, show_rows

if TYPE_CHECKING:
    from gatewright.circuit import Circuit


def export_(
    file: CircuitFile,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the files; made if needed.")],
    to: Annotated[list[str], typer.Option("--to", metavar="FORMAT", help="c, verilog, ...; may be repeated.")],
    json: JsonFlag = False,
) -> None:
    """Write a circuit in other languages."""
    files = export_files(read_circuit(file), to, out)
    if json:
        emit_json({"files": files})
    else:
        show_rows(["file", "bytes"], [(path, Path(path).stat().st_size) for paths in files.values() for path in paths])


def export_files(circuit: Circuit, formats: list[str], folder: Path) -> dict[str, list[str]]:
    """Export to each format; the files written, by format."""
    from gatewright.export import export

    return {name: [str(path) for path in export(circuit, name, folder)] for name in formats}
