"""Names and metadata from files of others enter every export as text, and as nothing else."""

import re
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from gatewright import verify
from gatewright.circuit import Circuit, Encoder, Head
from gatewright.errors import OptionError
from gatewright.formats import export
from gatewright.formats.names import VERILOG_KEYWORDS, check_name, comment

HOSTILE = [
    "why???/",
    r"a *\ int x = 1; \* b",
    "*/ int x = 1; /*",
    "*??/\n/ int x;",
    "a\nendmodule\nmodule x;",
    "a\\\n.names x y\n1 1",
    '`include "x" $finish; end',
    "</script><script id=x>",
    '"><img id=x src=y onerror=z>',
    "\u2028.outputs x\x85\x0c\x1b[31m",
    "// \\",
    "%s %n {0} ${x}",
    "é 漢 \U0001f600",
]


@pytest.fixture
def circuit():
    n = len(HOSTILE)
    encoder = Encoder(range(n), [128] * n, (n,), "uint8", feature_names=HOSTILE)
    gate, a, b = [6] * (n - 1), range(n - 1), range(1, n)
    outputs = [*range(n, 2 * n - 1), 0]
    head = Head(range(n), [0] * n, class_names=HOSTILE)
    return Circuit(n, gate, list(a), list(b), outputs, encoder, head, {**{h: h for h in HOSTILE}, "name": HOSTILE[0]})


def without_classes(text):
    """C after the preprocessor without the enum of the classes, whose names become identifiers and nothing else."""
    return re.sub(r"enum m_class \{\s*(M_CLASS_[A-Z0-9_]+ = [0-9]+,\s*)*\};\s*", "", text)


def test_c_compiles_and_means_the_same(circuit, tmp_path):
    files = export(circuit, "c", tmp_path, name="m")
    plain = circuit.replace(metadata={}, head=Head(circuit.head.group, circuit.head.offset))
    other = tmp_path / "plain"
    export(plain, "c", other, name="m")
    strict = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wno-comment", "-trigraphs", "-E", "-P", "m.c"]
    texts = [
        subprocess.run(strict, cwd=folder, capture_output=True, text=True, check=True).stdout
        for folder in (tmp_path, other)
    ]
    assert without_classes(texts[0]).split() == texts[1].split()
    assert files


@pytest.mark.parametrize(("format", "suffix"), [("verilog", "v"), ("blif", "blif"), ("aiger", "aig")])
def test_netlists_are_the_circuit(circuit, format, suffix, tmp_path):  # noqa: A002
    export(circuit, format, tmp_path, name="m")
    assert verify(circuit, tmp_path / f"m.{suffix}").equal


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs).get("id")))


def test_the_page_has_no_element_of_theirs(circuit, tmp_path):
    export(circuit, "html", tmp_path, name="m")
    tags = Tags()
    tags.feed((tmp_path / "m.html").read_text(encoding="utf-8"))
    assert tags.found
    assert not [tag for tag in tags.found if tag[1] == "x" or tag[0] == "img"]


def test_half_a_character_in_a_title_is_refused(circuit, tmp_path):
    with pytest.raises(OptionError, match="half a character"):
        export(circuit, "html", tmp_path, title="\ud83d")


DIRECTIVES = [
    "synopsys translate_off",
    "synthesis translate_off",
    "pragma translate_off",
    "verilator lint_off WIDTH",
    "verilator public_module",
    "synopsys full_case",
    "exdc",
    "c",
    "n",
]
"""What some tools take for an order if it stands at the beginning of a comment."""


def test_comments_are_no_directives(run, tool, tmp_path):
    circuit = Circuit(2, [6], [0], [1], [2], metadata=dict.fromkeys(DIRECTIVES, "x"))
    for format, suffix in (("verilog", "v"), ("blif", "blif"), ("aiger", "aig")):  # noqa: A001
        (path,) = export(circuit, format, tmp_path, name="m")
        assert verify(circuit, path).equal, suffix
    run(tool("verilator"), "--lint-only", "-Wall", tmp_path / "m.v")


PIECES = [
    *(
        "*",
        "/",
        "\\",
        "?",
        "??/",
        "\n",
        "\r",
        "`",
        "'",
        '"',
        "<",
        ">",
        "&",
        "-->",
        "<!--",
        "]]>",
        "</script>",
        "//",
        "/*",
        "*/",
    ),
    *(
        "\0",
        "\x0c",
        "\x85",
        "\u2028",
        "\u202e",
        "\ufeff",
        "#",
        "\n.end\n",
        "\nendmodule\n",
        "#include <x>",
        "%:",
        "@",
        "é",
        "\U0001f600",
    ),
    *(
        "synopsys translate_off",
        "verilator lint_off",
        "int x = 1;",
        "initial $finish;",
        ".names x y",
        "\\u002a\\u002f",
        "a",
        " ",
    ),
]


@pytest.mark.parametrize("seed", range(3))
def test_random_hostile_texts(seed, tmp_path, run, tool):
    rng = np.random.default_rng(seed)

    def text():
        return "".join(rng.choice(PIECES, rng.integers(1, 9)))

    encoder = Encoder([0, 1, 2], [128] * 3, (3,), "uint8", feature_names=[text() for _ in range(3)])
    head = Head([0, 1, 2], [0] * 3, class_names=[text() for _ in range(3)])
    plain = Circuit(3, [6], [0], [1], [3, 1, 2], encoder, Head([0, 1, 2], [0] * 3))
    hostile = plain.replace(encoder=encoder, head=head, metadata={text(): text() for _ in range(100)})
    strict = ("-std=c99", "-trigraphs", "-Wall", "-Wextra", "-Werror")
    code = []
    for circuit, folder in ((hostile, tmp_path / "hostile"), (plain, tmp_path / "plain")):
        export(circuit, "c", folder, name="m", driver=True)
        run(tool("gcc"), *strict, "-o", "m", "m.c", "m_main.c", cwd=folder)
        code.append(run(tool("gcc"), *strict, "-E", "-P", "m.c", cwd=folder))
    assert without_classes(code[0]).split() == code[1].split()
    run(
        tool("g++"),
        "-trigraphs",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fsyntax-only",
        "-x",
        "c++",
        "m.h",
        cwd=tmp_path / "hostile",
    )
    for format, suffix in (("verilog", "v"), ("blif", "blif"), ("aiger", "aig")):  # noqa: A001
        (path,) = export(hostile, format, tmp_path, name="m")
        assert verify(plain, path).equal, suffix
    run(tool("verilator"), "--lint-only", "-Wall", tmp_path / "m.v")
    pages = []
    for circuit in (hostile, plain):
        (page,) = export(circuit, "html", tmp_path, name="m", title=text())
        tags = Tags()
        tags.feed(page.read_text(encoding="utf-8"))
        pages.append([tag for tag in tags.found if tag[0] not in {"dt", "dd"}])
    assert pages[0] == pages[1]


def test_what_is_not_harmless_is_written_in_numbers():
    assert comment("a * b, é") == "a <U+2A> b, <U+E9>"


@pytest.mark.parametrize("text", HOSTILE)
def test_comments_are_one_line_of_harmless_characters(text):
    clean = comment(text)
    assert clean.isascii()
    assert not set(clean) & set("*\\`\n\r")
    assert "??" not in clean


def test_every_reserved_word_of_systemverilog_is_refused():
    assert len(VERILOG_KEYWORDS) == 248
    for word in ("always_ff", "interface", "uwire", "wire"):
        with pytest.raises(OptionError, match="reserved word"):
            check_name(word, VERILOG_KEYWORDS)


def test_what_comments_held_before_is_still_there():
    assert comment("runs/mnist 2026-11-27 (98.7 %)") == "runs/mnist 2026-11-27 (98.7 %)"


def test_decisions_do_not_depend_on_names(circuit):
    from gatewright import Engine

    x = np.random.default_rng(0).integers(0, 256, (50, len(HOSTILE))).astype(np.uint8)
    plain = circuit.replace(metadata={})
    assert np.array_equal(Engine(circuit).predict(x), Engine(plain).predict(x))
