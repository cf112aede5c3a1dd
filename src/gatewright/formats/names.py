# ruff: noqa: SIM905 (word lists read better as text)
"""Names and comments in generated sources, and names of generated files."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gatewright.errors import OptionError

_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_LONGEST = 63

C_KEYWORDS = frozenset(
    "auto break case char const continue default do double else enum extern float for goto if inline int long main "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while "
    "alignas alignof and and_eq asm bitand bitor bool catch class compl concept constexpr decltype delete "
    "explicit export false friend mutable namespace new noexcept not not_eq nullptr operator or or_eq private "
    "protected public requires static_assert template this thread_local throw true try typeid typename using virtual "
    "wchar_t xor xor_eq".split()
)
"""Reserved words of C99 and C++, since both read headers; and `main`."""

VERILOG_KEYWORDS = frozenset(
    "always and assign automatic begin buf bufif0 bufif1 case casex casez cell cmos config deassign default defparam "
    "design disable edge else end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify endtable "
    "endtask event for force forever fork function generate genvar highz0 highz1 if ifnone incdir include initial "
    "inout input instance integer join large liblist library localparam macromodule medium module nand negedge nmos "
    "nor noshowcancelled not notif0 notif1 or output parameter pmos posedge primitive pull0 pull1 pulldown pullup "
    "pulsestyle_ondetect pulsestyle_onevent rcmos real realtime reg release repeat rnmos rpmos rtran rtranif0 rtranif1 "
    "scalared showcancelled signed small specify specparam strong0 strong1 supply0 supply1 table task time tran "
    "tranif0 tranif1 tri tri0 tri1 triand trior trireg unsigned use vectored wait wand weak0 weak1 while wire wor xnor "
    "xor alias bit byte class const context continue do enum export extends extern final import int interface "
    "logic longint new null package packed priority program property protected pure rand ref return sequence shortint "
    "shortreal static string struct super tagged this type typedef union unique var virtual void".split()
)
"""Reserved words of Verilog-2001, and those of SystemVerilog that tools reading both refuse."""


def check_name(name: str, reserved: frozenset[str] = frozenset()) -> None:
    """Check a name that the user gave to a model, module or function.

    Raises:
        OptionError: It is no identifier, too long, or reserved.
    """
    if not isinstance(name, str) or not _IDENTIFIER.match(name):
        raise OptionError(f"name is {name!r}, expected a letter followed by letters, digits and underscores")
    if len(name) > _LONGEST:
        raise OptionError(f"name has {len(name)} characters, expected at most {_LONGEST}")
    if name in reserved:
        raise OptionError(f"name {name!r} is a reserved word of the target language; choose another")


def remarks(metadata: Mapping[str, str]) -> list[str]:
    """A circuit's metadata as lines for comments, sorted by key."""
    return [f"{comment(key)}: {comment(value)}" for key, value in sorted(metadata.items())]


def comment(text: str) -> str:
    """Text that may stand in a comment of C or Verilog: printable ASCII, one line, without comment marks."""
    clean = "".join(c if c.isascii() and c.isprintable() else " " for c in text)
    return " ".join(clean.replace("*/", "* /").replace("/*", "/ *").replace("\\", "/").split())
