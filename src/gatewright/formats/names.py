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
    "accept_on alias always always_comb always_ff always_latch and assert assign assume automatic before begin bind "
    "bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle checker class clocking cmos config "
    "const constraint context continue cover covergroup coverpoint cross deassign default defparam design disable "
    "dist do edge else end endcase endchecker endclass endclocking endconfig endfunction endgenerate endgroup "
    "endinterface endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable endtask "
    "enum event eventually expect export extends extern final first_match for force foreach forever fork forkjoin "
    "function generate genvar global highz0 highz1 if iff ifnone ignore_bins illegal_bins implements implies import "
    "incdir include initial inout input inside instance int integer interconnect interface intersect join join_any "
    "join_none large let liblist library local localparam logic longint macromodule matches medium modport module "
    "nand negedge nettype new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed "
    "parameter pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup "
    "pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real realtime ref reg "
    "reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1 s_always s_eventually s_nexttime "
    "s_until s_until_with scalared sequence shortint shortreal showcancelled signed small soft solve specify "
    "specparam static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table "
    "tagged task this throughout time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg "
    "type typedef union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait "
    "wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor".split()
)
"""The 248 reserved words of SystemVerilog (IEEE 1800-2017), those of Verilog-2001 among them."""

VERILOG_TOOLS = frozenset("mailbox process randomize semaphore std glbl work".split())
"""What tools define: SystemVerilog's package `std`, Xilinx' `glbl`, the library `work`."""

VERILOG_RESERVED = (
    VERILOG_KEYWORDS | VERILOG_TOOLS | frozenset("bits class_index clk count enable features outputs scores".split())
)
"""Those, what tools define, and our ports."""

VERILOG_INSIDE = frozenset(
    "VECTORS accepted advance checked clk cycle dut enable expected failures got i in_ready in_valid last network noise "
    "out_ready out_valid ready_always rst sent valid valid_always vectors waiting".split()
)
"""What our modules and testbenches call their clocks, handshakes and variables, apart from `w1` and `r1_1`."""


def check_name(name: str, reserved: frozenset[str] = frozenset(), *, option: str = "name") -> None:
    """Check a name that the user gave to a model, module, function or port.

    Args:
        name: The name.
        reserved: Names that are taken.
        option: What messages call it.

    Raises:
        OptionError: It is no identifier, too long, or reserved.
    """
    if not isinstance(name, str) or not _IDENTIFIER.match(name):
        raise OptionError(f"{option} is {name!r}, expected a letter followed by letters, digits and underscores")
    if len(name) > _LONGEST:
        raise OptionError(f"{option} has {len(name)} characters, expected at most {_LONGEST}")
    if name in reserved:
        raise OptionError(
            f"{option} {name!r} is a reserved word of the target language, or of its tools; choose another"
        )


def own_name(metadata: Mapping[str, str]) -> str:
    """A name for exports of a circuit: what its metadata call it, as an identifier of all targets; else "model".

    >>> own_name({"name": "mnist-8k"}), own_name({"name": "8 bits"}), own_name({"name": "table"}), own_name({})
    ('mnist_8k', 'model_8_bits', 'table_model', 'model')
    """
    plain = re.sub(r"[^A-Za-z0-9]+", "_", metadata.get("name", "")).strip("_")
    if not plain:
        return "model"
    if plain[0].isdigit():
        plain = f"model_{plain}"
    if plain in C_KEYWORDS | VERILOG_RESERVED | VERILOG_INSIDE:
        plain += "_model"
    return plain[:_LONGEST].rstrip("_")


def remarks(metadata: Mapping[str, str]) -> list[str]:
    """A circuit's metadata as lines for comments, sorted by key.

    Each begins with a dash: what follows a comment's mark directly, such as `synopsys` or `verilator`, is a directive for
    some tools.
    """
    return [f"- {comment(key)}: {comment(value)}" for key, value in sorted(metadata.items())]


_HARMFUL = re.compile(r"[^A-Za-z0-9 !\"#$%&'()+,\-./:;<=>?@\[\]^_{|}~]|(?<=\?)\?")
"""All but the characters that mean nothing in a comment of C, Verilog, BLIF or AIGER.

A star could end a comment, a backslash continue its line (in C also two question marks and a slash), a backquote begin a
directive.
"""


def comment(text: str) -> str:
    """Text for a comment of C, Verilog, BLIF or AIGER: one line of harmless characters, any other as `<U+2A>`."""
    return _HARMFUL.sub(lambda found: f"<U+{ord(found[0]):02X}>", " ".join(text.split()))
