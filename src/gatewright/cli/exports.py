"""`gatewright export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewright.cli.circuits import CircuitFile, read_circuit
from gatewright.cli.output import JsonFlag, emit_json, show_rows

if TYPE_CHECKING:
    from gatewright.circuit import Circuit


def export_(
    file: CircuitFile,
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write; made if it does not exist.")
    ],
    to: Annotated[
        list[str], typer.Option("--to", metavar="FORMAT", help="c, verilog, aiger, blif or html; repeatable.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Set an option, for example word=512 or samples=IN.npy; repeatable."
        ),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Write a circuit as C, Verilog, AIGER, BLIF or web page.

    Files are called as the circuit, unless --set name=... says otherwise.
    """
    files = export_files(read_circuit(file), to, out, settings or [])
    if json:
        emit_json({"files": files})
    else:
        show_rows(["file", "bytes"], [(path, Path(path).stat().st_size) for paths in files.values() for path in paths])


def export_files(
    circuit: Circuit, formats: list[str], folder: Path, settings: Sequence[str] = ()
) -> dict[str, list[str]]:
    """Export to each format, with the settings (`KEY=VALUE`) that the format knows; by default under the circuit's name.

    Returns:
        The files by format.

    Raises:
        OptionError: A format is unknown, or no format knows a setting.
    """
    from gatewright.errors import OptionError, unknown_name
    from gatewright.formats import export, options_of
    from gatewright.formats.names import own_name

    known = {name: options_of(name) for name in formats}
    options = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise OptionError(f"--set {setting!r}: expected KEY=VALUE, for example pipeline=4")
        if not any(key in keys for keys in known.values()):
            raise unknown_name("option of these exports", key, set().union(*known.values()))
        default = next(keys[key] for keys in known.values() if key in keys)
        options[key] = value if isinstance(default, str) else _value(key, value)
    files = {}
    for name, keys in known.items():
        chosen = {key: value for key, value in options.items() if key in keys}
        if "name" in keys:
            chosen.setdefault("name", own_name(circuit.metadata))
        files[name] = [str(path) for path in export(circuit, name, folder, **chosen)]
    return files


def _value(key: str, text: str) -> Any:
    """The value of an option that is no text: YAML, labels also as words between commas, samples from a NumPy file."""
    import numpy as np

    from gatewright.errors import DataError, OptionError
    from gatewright.runtime.yaml_text import parse_yaml

    if key == "labels" and not text.startswith("["):
        return [word.strip() for word in text.split(",")]
    if key != "samples":
        return parse_yaml(text, f"--set {key}")
    path = Path(text)
    if path.suffix != ".npy":
        raise OptionError(f"--set samples={text}: expected a NumPy file (.npy) of samples")
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(f"{path} is no NumPy file of numbers, or damaged: {error}") from error
