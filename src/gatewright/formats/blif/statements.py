"""The text of BLIF: lines as ABC has them, statements, and the tables that they define."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from gatewright.errors import FormatError, UnsupportedError, shown
from gatewright.formats.clocks import clock_of, control_of

_SKIPPED = frozenset(
    {
        ".area", ".attr", ".attrib", ".clock", ".clock_event", ".cname", ".cycle", ".default_input_arrival",
        ".default_input_drive", ".default_input_required", ".default_max_input_load", ".default_output_arrival",
        ".default_output_load", ".default_output_required", ".delay", ".input_arrival", ".input_drive", ".input_required",
        ".latch_order", ".max_input_load", ".output_arrival", ".output_load", ".output_required", ".param", ".wire",
        ".wire_load", ".wire_load_slope",
    }
)  # fmt: skip
"""Statements about area, delay, order and names: they say nothing about the function."""

_REFUSED = frozenset(
    {
        ".barbuf", ".blackbox", ".code", ".end_kiss", ".exdc", ".exclude", ".flop", ".gate", ".gateinit", ".latch",
        ".mlatch", ".mv", ".onehot", ".reset", ".search", ".short", ".start_kiss", ".subckt", ".table",
    }
)  # fmt: skip
"""Statements that change the function, and are not read."""

_ODD = re.compile("[^\\t -\\x7e\\xa1-\\u1fff\\u2030-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""Control characters and separators; a tab is none."""

_WORD = re.compile("[^ \\t]+")


@dataclass
class Cover:
    """A `.names`: its inputs, and cubes that share one output value; or a `.latch`: a wire delayed by one clock."""

    line: int
    inputs: list[str]
    cubes: list[str] = field(default_factory=list)
    value: str = "1"
    register: bool = False


def statements(raw: bytes, source: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and words of each statement, comments dropped and continued lines joined.

    Lines end with a line feed, or carriage return and line feed, words with blanks or tabs, and nothing else: where another
    reader could see another line or word, the file is refused.

    Raises:
        FormatError: The text has control characters or separators, is no UTF-8, or continues a line where ABC does not.
    """
    words: list[str] = []
    first, continued = 0, False
    for number, line in enumerate(raw.split(b"\n"), 1):
        where = f"{source}, line {number}"
        try:
            whole = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError as error:
            raise FormatError(f"{where}: this is not text ({error.reason})") from error
        # Tools disagree on whether such characters end a line, so a comment for one would be a gate for another.
        if odd := _ODD.search(whole):
            raise FormatError(f"{where}: the character {odd[0]!r} does not belong into BLIF")
        text, hash_, _ = whole.partition("#")
        text = text.rstrip(" \t")
        more = text.endswith("\\")
        found = _WORD.findall(text.removesuffix("\\"))
        if (more and hash_) or "\\" in found or (continued and not text):
            raise FormatError(f"{where}: a backslash continues a line only at its end, before a line with words")
        first = first if words else number
        words += found
        continued = more
        if not more and words:
            yield first, words
            words = []
    if continued:
        raise FormatError(
            f"{source}, line {first}: the last line is continued, but nothing follows; the file is truncated"
        )


def parse(raw: bytes, source: str, *, registers: bool) -> tuple[list[str], list[str], dict[str, Cover]]:
    """Inputs, outputs, and what defines each other name.

    Args:
        raw: The file's content.
        source: What messages call it.
        registers: Accept registers of one clock, which is not among the inputs then.

    Raises:
        FormatError: It is not BLIF, or damaged; the message names the line.
        UnsupportedError: It has statements that are not read and change the function.
    """
    found = _Parser(source, registers=registers)
    for line, (keyword, *words) in statements(raw, source):
        found.add(keyword, words, line)
    return found.result()


class _Parser:
    """What the statements so far define."""

    def __init__(self, source: str, *, registers: bool) -> None:
        self._source = source
        self._registers = registers
        self._inputs: list[str] = []
        self._outputs: list[str] = []
        self._covers: dict[str, Cover] = {}
        self._controls: set[tuple[str, ...]] = set()
        self._current: Cover | None = None
        self._model = self._ended = False

    def add(self, keyword: str, words: list[str], line: int) -> None:
        where = f"{self._source}, line {line}"
        if self._ended:
            raise UnsupportedError(f"{where}: {shown(keyword)} after .end; only one model can be read")
        if not keyword.startswith("."):
            if self._current is None:
                raise FormatError(f"{where}: {shown(keyword)} belongs to no .names; the file is damaged or not BLIF")
            _add_cube(self._current, [keyword, *words], where)
            return
        self._current = None
        if keyword == ".model":
            if self._model or self._inputs or self._outputs or self._covers:
                raise UnsupportedError(f"{where}: a second .model; flatten the hierarchy first")
            self._model = True
        elif keyword in {".inputs", ".outputs"}:
            (self._inputs if keyword == ".inputs" else self._outputs).extend(words)
        elif keyword == ".end":
            self._ended = True
        elif keyword not in _SKIPPED:
            self._add_definition(keyword, words, line, where)

    def _add_definition(self, keyword: str, words: list[str], line: int, where: str) -> None:
        if keyword == ".names" and words:
            self._current = _define(self._covers, words[-1], Cover(line, words[:-1]), where)
        elif keyword == ".conn" and len(words) == 2:
            _define(self._covers, words[1], Cover(line, words[:1], ["1"]), where)
        elif keyword == ".latch" and self._registers and len(words) >= 2:
            self._controls.add(control_of(words[2:], where))
            _define(self._covers, words[1], Cover(line, words[:1], ["1"], register=True), where)
        elif keyword in _REFUSED:
            why = "don't-cares leave the function open" if keyword == ".exdc" else "it is not read"
            raise UnsupportedError(f"{where}: {keyword}: {why}; only combinational models made of .names can be read")
        else:
            raise FormatError(f"{where}: unknown statement {shown(keyword)}")

    def result(self) -> tuple[list[str], list[str], dict[str, Cover]]:
        if not self._model:
            raise FormatError(f"{self._source}: no .model; the file is empty or not BLIF")
        if not self._outputs:
            raise UnsupportedError(f"{self._source}: no .outputs; a model without outputs computes nothing")
        twice = next((name for name, times in Counter([*self._inputs, *self._covers]).items() if times > 1), None)
        if twice is not None:
            raise FormatError(f"{self._source}: input {shown(twice)} is defined a second time")
        read = {name for cover in self._covers.values() for name in cover.inputs} | set(self._outputs)
        clocks = clock_of(self._controls, self._inputs, read, self._source)
        return [name for name in self._inputs if name not in clocks], self._outputs, self._covers


def _define(covers: dict[str, Cover], name: str, cover: Cover, where: str) -> Cover:
    if name in covers:
        raise FormatError(f"{where}: {shown(name)} is defined a second time")
    covers[name] = cover
    return cover


def _add_cube(cover: Cover, words: list[str], where: str) -> None:
    cube, value = ("", words[0]) if len(words) == 1 else (words[0], words[-1])
    if len(words) > 2 or len(cube) != len(cover.inputs) or set(cube) - set("01-") or value not in {"0", "1"}:
        raise FormatError(f"{where}: {' '.join(words)[:40]!r} is no row of a table of {len(cover.inputs)} input(s)")
    if cover.cubes and value != cover.value:
        raise FormatError(f"{where}: rows for 0 and for 1 in one table")
    cover.cubes.append(cube)
    cover.value = value
