"""Circuits as sources and netlists of other tools, written and read: one file or folder per format."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gatewright.circuit.circuit import Circuit
from gatewright.errors import unknown_name
from gatewright.formats.aiger import from_aiger, to_aiger
from gatewright.formats.blif import from_blif, to_blif
from gatewright.formats.c import to_c
from gatewright.formats.html import to_html
from gatewright.formats.verilog import from_verilog, to_verilog
from gatewright.runtime.registry import Registry

WRITERS: Registry[Callable[..., list[Path]]] = Registry(
    "export format",
    Callable,
    {"c": to_c, "verilog": to_verilog, "aiger": to_aiger, "blif": to_blif, "html": to_html},
)
"""Functions that write a circuit, by the name of the format: `WRITERS["dot"] = to_dot` adds one.

A writer takes a circuit, a directory, and its options by keyword, and returns the files it wrote:
`to_dot(circuit, directory, *, name="model") -> list[Path]`.
"""

READERS: Registry[Callable[..., Circuit]] = Registry(
    "suffix of netlists", Callable, {".aig": from_aiger, ".aag": from_aiger, ".blif": from_blif, ".v": from_verilog}
)
"""Functions that read a netlist of gates, without encoder and head, by the suffix of the file.

A reader takes a path and returns a circuit. For `gatewright.verify` to match ports by name, the circuit's metadata has
`KIND.inputs` and `KIND.outputs`: JSON objects, index to name.
"""


def options_of(format: str) -> Mapping[str, Any]:  # noqa: A002 - the name that `export` has for it
    """The options of a format's writer, with their defaults.

    Raises:
        OptionError: The format is unknown.
    """
    parameters = inspect.signature(WRITERS[format]).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def export(circuit: Circuit, format: str, directory: str | Path, **options: Any) -> list[Path]:  # noqa: A002
    """Write a circuit in a format.

    Args:
        circuit: The circuit.
        format: A name in `WRITERS`: "c", "verilog", "aiger", "blif", "html", or one that was added.
        directory: Where to write; made if it does not exist.
        **options: Options of the format's writer, for example `name` or `pipeline`.

    Returns:
        The files written.

    Raises:
        OptionError: The format or an option is unknown, or an option's value is out of range.

    >>> import tempfile
    >>> from gatewright import Circuit, export
    >>> xor = Circuit(2, gate=[6], a=[0], b=[1], outputs=[2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in export(xor, "c", folder, name="xor_gate")]
    ['xor_gate.h', 'xor_gate.c']
    """
    valid = options_of(format)
    for option in options:
        if option not in valid:
            raise unknown_name(f"option of the {format} export", option, valid)
    return WRITERS[format](circuit, directory, **options)


__all__ = [
    "READERS",
    "WRITERS",
    "export",
    "from_aiger",
    "from_blif",
    "from_verilog",
    "options_of",
    "to_aiger",
    "to_blif",
    "to_c",
    "to_html",
    "to_verilog",
]
