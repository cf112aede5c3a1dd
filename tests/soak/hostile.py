"""Hostile texts (names of classes and features, metadata, titles) through every export and the command line.

An export must not change with the texts of a circuit, outside of comments and of data that are quoted: what is left of C
and Verilog without comments is the same as with harmless texts, netlists read back equal, the page has no further element,
script or attribute, and its data are the texts themselves. Kinds: c, verilog, blif, aiger, html, cli.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gatewright import Circuit
from gatewright.circuit import save_circuit
from gatewright.errors import FormatError, OptionError
from gatewright.formats import export, from_aiger, from_blif
from gatewright.runtime.abc import run_abc
from soak.harness import Failure, doing, main, unexpected
from soak.mutator import Rng, one
from soak.simulation import run
from support.circuits import random_circuit
from support.commands import gatewright
from support.page import Page

PIECES = (
    *(
        "*/",
        "*\\",
        "\\*",
        "/*",
        "//",
        "**//",
        "*\\/",
        "*/ int x = 1; /*",
        "??/",
        "\\",
        "\\\n",
        "\\u000a",
        "\n",
        "\r",
        "\r\n",
        "\t",
    ),
    *(
        "\f",
        "\v",
        "\0",
        "\x1b[31m",
        "\x1b]0;x\x07",
        "\x1c",
        "\x1e",
        "\x7f",
        "\x85",
        "\x9b",
        "\u2028",
        "\u2029",
        "\u202e",
        "\ufeff",
    ),
    *(
        "'",
        '"',
        "`",
        "${x}",
        "%s%n",
        "$finish;",
        "endmodule",
        '`include "x"',
        "(* keep *)",
        "#if 1",
        "#error",
        "@",
        "{",
        "}",
    ),
    *(
        "</script>",
        "<script>alert(1)</script>",
        "<!--",
        "-->",
        "<!--<script>",
        "<img src=x onerror=alert(1)>",
        "]]>",
        "&lt;",
        "<",
        ">",
    ),
    *(
        "\n.end\n",
        "\n.names a b\n1 1\n",
        ".model x",
        "\nc\n",
        "\ni0 x\n",
        "# x",
        "=",
        "__proto__",
        "constructor",
        "toString",
    ),
    *("[red]", "[/]", "[link=file:///]x[/link]", ":smile:", "é", "日本", "😀", "a" * 300, " ", ""),
)


def text(rng: Rng) -> str:
    """One to five pieces, and now and then half a character."""
    half = "\ud800" if rng.random() < 0.002 else ""
    return half + "".join(str(one(rng, PIECES)) for _ in range(int(rng.integers(1, 6))))


def pair(rng: Rng) -> tuple[Circuit, Circuit]:
    """A circuit with hostile texts, and the same one with harmless ones."""
    seed, classes = int(rng.integers(2**32)), int(rng.integers(1, 4))
    circuit = random_circuit(seed, 6, 12, 5, classes=classes, dtype=str(one(rng, ("uint8", "bool", "float32"))))
    keys = sorted({text(rng) for _ in range(3)})
    circuits = []
    for hostile in (True, False):
        names, features = (
            [text(rng) if hostile else "x" for _ in range(n)] for n in (classes, circuit.encoder.n_features)
        )
        about = {key: text(rng) for key in keys} if hostile else {f"k{i}": "b" for i in range(len(keys))}
        head, encoder = replace(circuit.head, class_names=names), replace(circuit.encoder, feature_names=features)
        circuits.append(circuit.replace(head=head, encoder=encoder, metadata=about))
    return circuits[0], circuits[1]


def code(source: str, splice: str) -> list[str]:
    """The words of C or Verilog without comments: a scanner of its own, which knows strings and what joins lines."""
    joined = re.sub(rf"(?:{splice})[ \t\f\v]*\r?\n", "", source)
    tokens = re.compile(r'//[^\n\r]*|/\*.*?(?:\*/|\Z)|"(?:\\.|[^"\\\n])*"|\w+|\S', re.DOTALL)
    return [word for word in tokens.findall(joined) if not word.startswith(("//", "/*"))]


def check_sources(kind: str, folder: Path, hostile: Circuit, harmless: Circuit, **options: object) -> list[Path]:
    """Compare all files without comments."""
    ours = export(hostile, kind, folder / "hostile", **options)
    theirs = export(harmless, kind, folder / "harmless", **options)
    for one_, two in zip(ours, theirs, strict=True):
        source = one_.read_bytes()
        splice = r"\\|\?\?/" if kind == "c" else r"\\"  # C has a trigraph for the backslash
        words = [" ".join(code(text, splice)) for text in (source.decode(), two.read_text(encoding="utf-8"))]
        if kind == "c":  # names of classes become identifiers, and nothing else
            words = [re.sub(r"enum \w+_class \{( [A-Z0-9_]+ = [0-9]+ ,)* \} ; ?", "", text) for text in words]
        if words[0] != words[1]:
            raise Failure(f"{kind}: text became code", source.decode()[:300])
        odd = sorted(set(source) - set(range(32, 127)) - {10})
        if odd:
            raise Failure(f"{kind}: bytes {odd} in a source")
    return ours


def check_c(folder: Path, hostile: Circuit, harmless: Circuit, rng: Rng) -> None:
    """The compiler, which warns of comments in comments, must have nothing to say."""
    paths = check_sources("c", folder, hostile, harmless)
    strict = ["-std=c99", "-trigraphs", "-Wall", "-Wextra", "-Werror", "-Wcomment", "-fsyntax-only"]
    if rng.random() < 0.2 and run("gcc", *strict, paths[1].name, folder=paths[1].parent) is None:
        raise Failure("c: does not compile")


def check_verilog(folder: Path, hostile: Circuit, harmless: Circuit, rng: Rng) -> None:
    """iverilog must read it."""
    paths = check_sources("verilog", folder, hostile, harmless)
    if rng.random() < 0.2 and run("iverilog", "-g2001", "-t", "null", paths[0].name, folder=paths[0].parent) is None:
        raise Failure("verilog: does not compile")


def _same_gates(kind: str, read: Callable[..., Circuit], folder: Path, hostile: Circuit, harmless: Circuit) -> Path:
    paths = [export(c, kind, folder / n)[0] for n, c in (("hostile", hostile), ("harmless", harmless))]
    if not read(paths[0]).same_as(read(paths[1])):
        raise Failure(f"{kind}: reads back as something else")
    return paths[0]


def check_blif(folder: Path, hostile: Circuit, harmless: Circuit, rng: Rng) -> None:
    """What follows a `#` must be comment for everybody, so only printable ASCII may."""
    path = _same_gates("blif", from_blif, folder, hostile, harmless)
    lines = [line for line in path.read_bytes().split(b"\n") if not line.startswith(b"#")]
    if lines != [
        line for line in (folder / "harmless/model.blif").read_bytes().split(b"\n") if not line.startswith(b"#")
    ]:
        raise Failure("blif: text became netlist")
    if set(path.read_bytes()) - set(range(32, 127)) - {10}:
        raise Failure("blif: odd characters in a comment")
    if rng.random() < 0.1:
        run_abc("read_blif model.blif; strash", path.parent, 30)


def check_aiger(folder: Path, hostile: Circuit, harmless: Circuit, rng: Rng) -> None:
    """Symbols and gates stay the same; texts stand behind the `c`."""
    path = _same_gates("aiger", from_aiger, folder, hostile, harmless)
    head = path.read_bytes().split(b"\nc\n")[0]
    if head != (folder / "harmless/model.aig").read_bytes().split(b"\nc\n")[0]:
        raise Failure("aiger: text became netlist")
    if rng.random() < 0.1:
        run_abc("read_aiger model.aig; strash", path.parent, 30)


def check_html(folder: Path, hostile: Circuit, harmless: Circuit, rng: Rng) -> None:
    """As many `<` as with harmless texts, the same elements, and all texts in the data, letter by letter."""
    labels = [text(rng) for _ in range(2)]
    samples = np.zeros((2, *hostile.encoder.shape), hostile.encoder.dtype)
    title = text(rng) or "t"
    (one_,) = export(hostile, "html", folder / "hostile", title=title, samples=samples, labels=labels)
    (two,) = export(harmless, "html", folder / "harmless", title="t", samples=samples, labels=["a", "b"])
    page, plain = one_.read_bytes().decode(), two.read_text(encoding="utf-8")
    if page.count("<") != plain.count("<"):
        raise Failure("html: text became an element", title)
    ours, theirs = Page(page), Page(plain)
    if ours.links != theirs.links or ours.scripts.keys() != theirs.scripts.keys():
        raise Failure("html: further links or scripts")
    model = json.loads(ours.scripts["model"])
    said = json.dumps(model, ensure_ascii=True)
    for name in (*hostile.head.class_names, *labels):
        if json.dumps(name)[1:-1] not in said:
            raise Failure("html: a text was changed", repr(name))
    if ours.scripts["circuit"] != theirs.scripts["circuit"]:
        raise Failure("html: text became script")


def check_cli(folder: Path, hostile: Circuit, harmless: Circuit, rng: Rng) -> None:
    """`info` neither crashes nor passes control characters on to the terminal; as JSON it says every letter."""
    del harmless
    path = folder / "x.gw"
    save_circuit(hostile, path)
    said = gatewright("info", path, *(["--json"] if rng.random() < 0.3 else []))
    if said.code != 0:
        raise Failure("cli: info fails", said.err)
    odd = sorted(
        {
            hex(ord(c))
            for c in said.out
            if c != "\n" and (ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029\u202e")
        }
    )
    if odd:
        raise Failure("cli: control characters reach the terminal", " ".join(odd))
    if said.out.startswith("{") and said.json["head"]["class_names"] != list(hostile.head.class_names):
        raise Failure("cli: JSON says other names")


CHECKS = {
    "c": check_c,
    "verilog": check_verilog,
    "blif": check_blif,
    "aiger": check_aiger,
    "html": check_html,
    "cli": check_cli,
}


def case(rng: Rng, only: Sequence[str]) -> str:
    """One circuit with hostile texts through one export."""
    kind = str(one(rng, [kind for kind in CHECKS if not only or kind in only]))
    doing(kind)
    try:
        hostile, harmless = pair(rng)
    except (FormatError, OptionError):
        return "refused"
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        try:
            CHECKS[kind](Path(folder), hostile, harmless, rng)
        except Failure:
            raise
        except (FormatError, OptionError):
            return f"{kind} refused"
        except Exception as error:
            raise unexpected(kind, error) from error
    return kind


if __name__ == "__main__":
    sys.exit(main("hostile", case))
