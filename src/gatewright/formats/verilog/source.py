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

_REMARKS = re.compile(
    r"(?://|/\*)\s*(?:synopsys|synthesis|pragma|rtl_synthesis)\s+(full_case|parallel_case|\w+_off|off)\b"
    r"|\(\*[^*()]*\b(full_case|parallel_case|init)\b"
    r"|`(?:ifdef|ifndef|elsif)\s+(SYNTHESIS|YOSYS|FORMAL|__ICARUS__|VERILATOR|MODEL_TECH|VCS)\b"
)
_ALWAYS = re.compile(r"\balways\s*@\s*(?:\(([^()]*)\)|([A-Za-z_]\w*))")
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
    for found in _REMARKS.finditer(text):
        raise UnsupportedError(
            f"{source}, line {_line(text, found.start())}: {found[1] or found[2] or found[3]} makes synthesis read "
            "another circuit than simulators do; write the circuit without it"
        )
    code = _SPACED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    if found_ := re.search(r"\binitial\b", code):
        raise UnsupportedError(
            f"{source}, line {_line(text, found_.start())}: an initial block, which is no function of the inputs"
        )
    constants = {name for part in _CONSTANT.finditer(code) for name in re.findall(r"[A-Za-z_]\w*", part[1])}
    for found in _ALWAYS.finditer(code):
        signals = (found[1] or found[2] or "").strip()
        listed = re.split(r"\bor\b|,", signals)
        if signals == "*" or all(re.match(r"\s*(?:pos|neg)edge\b", entry) for entry in listed):
            continue
        known = constants | {entry.strip() for entry in listed}
        missing = sorted(_read(code, found.end()) - known)
        if missing:
            raise UnsupportedError(
                f"{source}, line {_line(text, found.start())}: always @({signals}) reads {missing[0]!r}, which its list "
                "lacks: simulators keep the old value while only that changes; write always @*"
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


def _read(code: str, start: int) -> set[str]:
    """Names in the statement that starts here, except those that it assigns, and names of functions and blocks."""
    text = _statement(code, start)
    names = {found[1] for found in _NAME.finditer(_NUMBER.sub(" ", text)) if not found[2]}
    labels = {found[1] for found in re.finditer(r"\b(?:begin|end)\s*:\s*(\w+)", text)}
    assigned = {found[1] for found in _LOOP.finditer(text)}
    for part in _LOOP.sub(" ", text).split(";"):
        assigned |= _targets(part)
    return names - assigned - labels - VERILOG_KEYWORDS


def _targets(part: str) -> set[str]:
    """Names that an assignment sets: what stands before its first `=` or `<=` outside of brackets."""
    depth = 0
    for i, char in enumerate(part):
        depth += (char in "([") - (char in ")]")
        if char == "=" and depth == 0:
            left = re.search(r"(\{[^{}]*\}|[A-Za-z_][\w$]*\s*(?:\[[^\[\]]*\]\s*)*)<?\Z", part[:i])
            return set(re.findall(r"[A-Za-z_][\w$]*", re.sub(r"\[[^\[\]]*\]", "", left[1]))) if left else set()
    return set()
