"""Values with more than one driver, found before yosys makes cells: after that, one of the drivers may be gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatewright.errors import UnsupportedError

_WIRE = re.compile(r"  wire (?:width (\d+) )?.*?(\S+)$")
_PART = re.compile(r"\{|\}|([\\$]\S+)((?: \[\d+(?::\d+)?\])*)|(\S+)")
_CONFLICT = re.compile(r"Warning: (.*conflicting.*)\n((?: {4}.*\n)*)")


def check_drivers(checked: str, elaborated: str, source: str) -> None:
    """Refuse values with several drivers.

    Args:
        checked: What yosys' `check` prints.
        elaborated: The design in RTLIL.
        source: What messages call the file.

    Raises:
        UnsupportedError: A value is driven more than once.
    """
    if found := _CONFLICT.search(checked):
        drivers = "; ".join(line.strip() for line in found[2].splitlines())
        name = re.search(r"\\(\S+?)(?: (\[\d+\]))?:$", found[1])
        what = repr(name[1] + (name[2] or "")) if name else "a value"
        shown = drivers.replace("source.v", source)[:300]
        raise UnsupportedError(f"{source}: {what} is driven more than once ({shown})")
    width: dict[str, int] = {}
    targets: set[tuple[str, int]] = set()
    for line in elaborated.split("\n"):
        if line.startswith("module "):
            width, targets = {}, set()
        elif line.startswith("  wire ") and (wire := _WIRE.match(line)):
            width[wire[2]] = int(wire[1] or 1)
        elif line.startswith("  connect "):
            for bit in _target(line[10:], width):
                if bit in targets:
                    name_ = bit[0].lstrip("\\")
                    raise UnsupportedError(
                        f"{source}: bit {bit[1]} of {name_!r} is driven more than once, by assignments"
                    )
                targets.add(bit)


def _target(text: str, width: dict[str, int]) -> Iterator[tuple[str, int]]:
    """Bits of the left of the two signals in a text."""
    depth = 0
    for found in _PART.finditer(text):
        depth += (found[0] == "{") - (found[0] == "}")
        if found[1]:
            bits = list(range(width.get(found[1], 1)))
            for part in re.findall(r"\d+(?::\d+)?", found[2]):
                last, _, first = part.partition(":")
                bits = bits[int(first or last) : int(last) + 1]
            yield from ((found[1], bit) for bit in bits)
        if depth == 0:
            return
