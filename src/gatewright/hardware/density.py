"""Placing with room: most lookup tables of a tile are kept empty, so that the router finds wires.

A placer packs tables as densely as they fit, which suits logic whose wires are short. Operands of learned gates come from
anywhere: with all eight tables of a tile in use a trained circuit of 5,000 gates had not been routed after half an hour;
with three of eight it took two minutes (docs/hardware.md). nextpnr's own options for density do not change its
placement of such a circuit, so the tables that are to stay empty are given cells of their own that are wired to nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from gatewright.errors import ToolError
from gatewright.hardware.targets import Device

_TABLES = ("A.K0", "B.K0", "C.K0", "D.K0", "A.K1", "B.K1", "C.K1", "D.K1")
"""The lookup tables of a tile of the ECP5, in the order in which they are given away."""

_USED = 3
"""Tables of a tile that are in use where the device has room."""

_FILLED = 0.6
"""Share of them that a circuit may need."""


def choose_device(devices: Sequence[Device], cells: int) -> Device:
    """The smallest device with room for the wires, or else the largest, if it has room at all.

    Raises:
        ToolError: There is none.
    """
    for device in devices:
        if device.cells >= cells and (not device.rows or _needed(device, cells) <= _USED):
            return device
    largest = devices[-1]
    if largest.cells >= cells:
        return largest
    raise ToolError(
        f"the circuit and the registers around it take at least {cells:,} logic cells, but {largest.name} has "
        f"{largest.cells:,}: choose another target, or ask for the mapped figures alone (place=False)"
    )


def keep_empty(netlist: Path, device: Device, cells: int) -> int:
    """Add cells that fill the tables to be kept empty to a netlist for nextpnr.

    Args:
        netlist: JSON file whose module is `top`; rewritten.
        device: What it will be placed on; one without rows is left to the placer.
        cells: Logic cells that the circuit takes.

    Returns:
        How many were added.
    """
    empty = {f"empty_{i}": _filler(site) for i, site in enumerate(_sites(device, cells))}
    if not empty:
        return 0
    design = json.loads(netlist.read_text(encoding="utf-8"))
    design["modules"]["top"]["cells"] |= empty
    netlist.write_text(json.dumps(design), encoding="utf-8")
    return len(empty)


def _needed(device: Device, cells: int) -> int:
    """Tables of each tile that a circuit may use."""
    return min(len(_TABLES), max(_USED, math.ceil(cells / (_FILLED * len(device.rows) * len(device.columns)))))


def _sites(device: Device, cells: int) -> Iterator[str]:
    if device.rows:
        for table in _TABLES[_needed(device, cells) :]:
            yield from (f"X{x}/Y{y}/SLICE{table}" for x in device.columns for y in device.rows)


def _filler(site: str) -> dict[str, object]:
    return {
        "hide_name": 0,
        "type": "LUT4",
        "parameters": {"INIT": "0" * 16},
        "attributes": {"BEL": site},
        "port_directions": {"Z": "output"},
        "connections": {"Z": []},
    }
