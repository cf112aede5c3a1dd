"""What yosys reads as something other than a simulator does, found in the source and in its flat design."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatewright.errors import UnsupportedError

_NO_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|\\\S+', re.DOTALL)
"""Comments, texts, and names that begin with a backslash, which may look like anything."""

_EVENT = re.compile(r"@\s*(\*|\(\s*\*\s*\)|\([^()]*(?:\([^()]*\)[^()]*)*\)|[^\s;]*)")
_EDGE = re.compile(r"\s*(?:posedge|negedge)\b")

_WIRE = re.compile(r"^  wire (?:.* )?width (\d+) (?:.* )?(\S+)$", re.MULTILINE)
_CONNECT = re.compile(r"^  connect (\{.*? \}|\S+(?: \[\d+(?::\d+)?\])?) ", re.MULTILINE)
_SIGNAL = re.compile(r"(\\\S+|\$\S+)(?: \[(\d+)(?::(\d+))?\])?")


def refuse_events(source: str, where: str) -> None:
    """Refuse blocks that a simulator runs at other times than yosys takes them to.

    yosys reads `initial` with anything but constants, and lists of signals without edges, as if the block ran whenever
    something that it reads changes.

    Raises:
        UnsupportedError: There is an `initial` block, or a list of signals other than `*` and clock edges.
    """
    code = _NO_CODE.sub(" ", source)
    if re.search(r"\binitial\b", code):
        raise UnsupportedError(f"{where} has an initial block, which is no function of the inputs")
    for event in _EVENT.findall(code):
        inside = event.strip("() \t\r\n")
        if inside != "*" and not all(_EDGE.match(part) for part in re.split(r",|\bor\b", inside)):
            raise UnsupportedError(
                f"{where} has a block at {event[:40]!r}; only @* and edges of a clock mean the same to all tools"
            )


def refuse_two_drivers(design: str, where: str) -> None:
    """Refuse a bit that is assigned twice in a flat design; of constants and wires, yosys would take one of the two.

    Args:
        design: The design in yosys' own language, with processes made into cells.
        where: The file, for messages.

    Raises:
        UnsupportedError: Some bit is.
    """
    width = {name: int(bits) for bits, name in _WIRE.findall(design)}
    seen: set[tuple[str, int]] = set()
    for target in _CONNECT.findall(design):
        for bit in _bits(target, width):
            if bit in seen:
                raise UnsupportedError(f"{where}: bit {bit[1]} of {bit[0].removeprefix(chr(92))!r} has two drivers")
            seen.add(bit)


def _bits(target: str, width: dict[str, int]) -> Iterator[tuple[str, int]]:
    for name, high, low in _SIGNAL.findall(target):
        last = int(high) if high else width.get(name, 1) - 1
        yield from ((name, i) for i in range(int(low or high or 0), last + 1))
