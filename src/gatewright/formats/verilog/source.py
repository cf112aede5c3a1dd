"""What synthesis leaves out of a Verilog source without a word, found in the text: it would not be in the proof.

yosys reads `always @(a)` as `always @*`, follows remarks such as `full_case`, skips what stands between `translate_off` and
`translate_on`, and defines macros of its own. In each case simulators see another circuit than synthesis does.
"""

from __future__ import annotations

import re

from gatewright.errors import UnsupportedError
from gatewright.formats.names import VERILOG_KEYWORDS

_SPACED = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\(\*(?!\s*\)).*?\*\)|\\\S+', re.DOTALL)
"""Comments, texts, attributes, and names that begin with a backslash, which may look like anything."""

_DIRECTIVE = re.compile(
    r"(?://|/\*)\s*(?:synopsys|synthesis|pragma|rtl_synthesis)\s+(full_case|parallel_case|\w+_off|off)\b"
)
_ATTRIBUTE = re.compile(r"\(\*.*\b(full_case|parallel_case|init)\b", re.DOTALL)
_MACRO = re.compile(r"`(?:ifdef|ifndef|elsif)\s+(SYNTHESIS|YOSYS|FORMAL|__ICARUS__|VERILATOR|MODEL_TECH|VCS)\b")
_EVENT = re.compile(r"(\balways\s*)?@(?:\s*(\*|[A-Za-z_]\w*)|\s*\(([^()]*)\))?")
_FUNCTION = re.compile(r"\bfunction\b(.*?)\bendfunction\b", re.DOTALL)
_DECLARED = re.compile(
    r"\b(?:function|input|output|reg|integer|signed|automatic)\b([^;]*?)(?=[;)]|\binput\b)", re.DOTALL
)
_WORD = re.compile(r"\\\S+|[A-Za-z_$][\w$]*|\S")
_NUMBER = re.compile(r"\d*\s*'\s*[sS]?[bodhBODH]\s*[0-9a-fA-FxXzZ_?]+|'[01xXzZ]")
_NAME = re.compile(r"(?<![\w$.`\\])([A-Za-z_][\w$]*)(\s*\()?")
_LOOP = re.compile(r"\bfor\s*\(\s*(?:int(?:eger)?\s+)?(\w+)\s*=[^;]*;[^;]*;[^()]*\)")
_CONSTANT = re.compile(r"\b(?:parameter|localparam|genvar)\b([^;]*?)(?=[;)]|\binput\b|\boutput\b)", re.DOTALL)
_OPEN, _CLOSE = {"begin", "case", "casex", "casez"}, {"end", "endcase"}


def check_source(text: str, source: str) -> None:
    """Refuse what simulators and synthesis understand differently.

    Args:
        text: The Verilog source.
        source: What messages call it.

    Raises:
        UnsupportedError: It has directives for synthesis alone, or an `always` block that reads what its list of signals
            lacks; the message names the line.
    """
    marks = [(found, _DIRECTIVE.match(found[0]) or _ATTRIBUTE.match(found[0])) for found in _SPACED.finditer(text)]
    code = _SPACED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    marks += [(found, found) for found in _MACRO.finditer(code)]
    for place, word in marks:
        if word is not None:
            raise UnsupportedError(
                f"{source}, line {_line(text, place.start())}: {word[1]} makes synthesis read another circuit than "
                "simulators do; write the circuit without it"
            )
    if initial := re.search(r"\binitial\b", code):
        raise UnsupportedError(
            f"{source}, line {_line(text, initial.start())}: an initial block, which is no function of the inputs"
        )
    constants = {name for part in _CONSTANT.finditer(code) for name in re.findall(r"[A-Za-z_]\w*", part[1])}
    for found in _EVENT.finditer(code):
        _check_event(found, code, text, constants, f"{source}, line {_line(text, found.start())}")
    for found in _FUNCTION.finditer(code):
        own = {name for part in _DECLARED.finditer(found[0]) for name in re.findall(r"[A-Za-z_]\w*", part[1])}
        outer = sorted(_names(found[1]) - own - constants)
        if outer:
            raise UnsupportedError(
                f"{source}, line {_line(text, found.start())}: a function reads {outer[0]!r}, which is not among its "
                "inputs: simulators do not see it change"
            )


def _check_event(event: re.Match[str], code: str, text: str, constants: set[str], where: str) -> None:
    """Refuse a block that runs at other times than when something that it reads changes, or at edges."""
    signals = (event[2] or event[3] or "").strip()
    listed = re.split(r"\bor\b|,", signals)
    if event[1] and (signals == "*" or all(re.match(r"\s*(?:pos|neg)edge\b", entry) for entry in listed)):
        return
    body = _statement(code, event.end())
    plain = not re.search(r"[\\`]", text[event.start() : event.end() + len(body)])
    edges = any(re.search(r"\b(?:pos|neg)edge\b", entry) for entry in listed)
    if not event[1] or not signals or edges or not plain:
        raise UnsupportedError(
            f"{where}: a block at {event[0][-40:].strip()!r}; write always @*, or the edge of a clock"
        )
    missing = sorted(_read(body) - constants - {entry.strip() for entry in listed})
    if missing:
        raise UnsupportedError(
            f"{where}: always @({signals}) reads {missing[0]!r}, which its list lacks: simulators keep the old value while "
            "only that changes; write always @*"
        )


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _statement(code: str, start: int) -> str:
    """The statement that starts here."""
    depth, end, ended = 0, start, False
    for found in _WORD.finditer(code, start):
        word = found[0]
        if ended and word != "else":
            break
        depth += (word in _OPEN) - (word in _CLOSE) + (word == "(") - (word == ")")
        ended = depth == 0 and (word == ";" or word in _CLOSE)
        end = found.end()
    return code[start:end]


def _names(text: str) -> set[str]:
    """Names in a text, except those of functions that it calls, and keywords."""
    names = {found[1] for found in _NAME.finditer(_NUMBER.sub(" ", text)) if not found[2]}
    return names - VERILOG_KEYWORDS


def _read(text: str) -> set[str]:
    """Names in a statement, except those that it assigns, and those of functions and blocks."""
    labels = {found[1] for found in re.finditer(r"\b(?:begin|end)\s*:\s*(\w+)", text)}
    assigned = {found[1] for found in _LOOP.finditer(text)}
    for part in _LOOP.sub(" ", text).split(";"):
        assigned |= _targets(part)
    return _names(text) - assigned - labels


def _targets(part: str) -> set[str]:
    """Names that an assignment sets: what stands before its first `=` or `<=` outside of brackets."""
    depth = 0
    for i, char in enumerate(part):
        depth += (char in "([") - (char in ")]")
        if char == "=" and depth == 0:
            left = re.search(r"(\{[^{}]*\}|[A-Za-z_][\w$]*\s*(?:\[[^\[\]]*\]\s*)*)<?\Z", part[:i])
            return set(re.findall(r"[A-Za-z_][\w$]*", re.sub(r"\[[^\[\]]*\]", "", left[1]))) if left else set()
    return set()
