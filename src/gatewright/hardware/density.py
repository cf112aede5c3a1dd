"""Placing at low density: most lookup tables of a tile stay empty, so that the router finds wires.

A placer packs tables as densely as they fit, which suits logic with short wires. Operands of learned gates come from
anywhere: with all eight tables of a tile in use, a trained circuit of 5,000 gates was not routed within half an hour;
with three of eight, routing took two minutes (docs/hardware.md). nextpnr's own options for density do not change its
placement of such a circuit, so unconnected cells occupy the tables that must stay empty.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from gatewright.errors import ToolError
from gatewright.hardware.targets import Device

_TABLES = ("A.K0", "B.K0", "C.K0", "D.K0", "A.K1", "B.K1", "C.K1", "D.K1")
"""The lookup tables of a tile of the ECP5, in the order of use."""

_USED = 3
"""Tables of a tile in use, if the device is large enough."""

_FILLED = 0.6
"""Share of these tables that a circuit may need."""

_EMPTY = {
    "hide_name": 0,
    "type": "LUT4",
    "parameters": {"INIT": "0" * 16},
    "port_directions": {"Z": "output"},
    "connections": {"Z": []},
}
"""An unconnected cell, as yosys writes it."""


def choose_device(devices: Sequence[Device], cells: int) -> Device:
    """The smallest device with room for the wires, or the largest if none has.

    Raises:
        ToolError: The largest device has too few cells.
    """
    for device in devices:
        if device.cells >= cells and (not device.rows or _needed(device, cells) <= _USED):
            return device
    largest = devices[-1]
    if largest.cells >= cells:
        return largest
    raise ToolError(
        f"the circuit and the registers around it take at least {cells:,} logic cells, but {largest.name} has "
        f"{largest.cells:,}: choose another target, or pass place=False for mapped figures alone"
    )


def keep_empty(netlist: Path, device: Device, cells: int) -> int:
    """Add unconnected cells to a netlist for nextpnr, one in each table that must stay empty.

    Args:
        netlist: JSON file whose module is `top`; rewritten.
        device: The device to place it on; without rows, nothing is added.
        cells: Logic cells that the circuit takes.

    Returns:
        The number of added cells.
    """
    tables = _TABLES[_needed(device, cells) :] if device.rows else ()
    sites = [f"X{x}/Y{y}/SLICE{table}" for table in tables for x in device.columns for y in device.rows]
    if sites:
        design = json.loads(netlist.read_text(encoding="utf-8"))
        empty = {f"empty_{i}": {**_EMPTY, "attributes": {"BEL": site}} for i, site in enumerate(sites)}
        design["modules"]["top"]["cells"] |= empty
        netlist.write_text(json.dumps(design), encoding="utf-8")
    return len(sites)


def _needed(device: Device, cells: int) -> int:
    """Tables of each tile that a circuit may use."""
    return min(len(_TABLES), max(_USED, math.ceil(cells / (_FILLED * len(device.rows) * len(device.columns)))))
