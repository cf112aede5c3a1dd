"""Names and metadata from files of others enter every export as text, and as nothing else."""

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
    assert texts[0] == texts[1]
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
