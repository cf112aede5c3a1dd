"""Circuits as sources and netlists for other tools: each format a function `circuit, directory -> files`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gatewright.circuit.circuit import Circuit
from gatewright.errors import unknown_name
from gatewright.formats.aiger import from_aiger, to_aiger
from gatewright.formats.blif import from_blif, to_blif
from gatewright.formats.c import to_c
from gatewright.formats.html import to_html
from gatewright.formats.verilog.module import to_verilog

FORMATS: Mapping[str, Callable[..., list[Path]]] = MappingProxyType(
    {"c": to_c, "verilog": to_verilog, "aiger": to_aiger, "blif": to_blif, "html": to_html}
)
"""The formats by name; each function takes a circuit, a directory and its own options, and returns the files."""


def export(circuit: Circuit, format: str, directory: str | Path, **options: Any) -> list[Path]:  # noqa: A002
    """Write a circuit in a format.

    Args:
        circuit: The circuit.
        format: One of `FORMATS`.
        directory: Where to write; made if it is not there.
        **options: Options of the format's function, for example `name` or `pipeline`.

    Returns:
        The files written.

    Raises:
        OptionError: The format or an option is unknown, or an option's value is out of range.
    """
    if format not in FORMATS:
        raise unknown_name("export format", format, FORMATS)
    function = FORMATS[format]
    valid = function.__kwdefaults__ or {}
    for option in options:
        if option not in valid:
            raise unknown_name(f"option of the {format} export", option, valid)
    return function(circuit, directory, **options)


__all__ = ["FORMATS", "export", "from_aiger", "from_blif", "to_aiger", "to_blif", "to_c", "to_html", "to_verilog"]
