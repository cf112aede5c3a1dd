"""What comes from others is printed as text: nothing in it reaches the terminal as a command, or is swallowed."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from safetensors import SafetensorError

from gatewright.circuit import Circuit, Encoder, Head, save_circuit
from gatewright.cli.output import complain, printable, say, show_pairs, show_rows
from gatewright.training import checkpoint
from support.commands import gatewright

HOSTILE = (
    "\x1b[2J\x1b[H",
    "\x1b]0;title\x07",
    "\x9b31m",
    "a\rb",
    "a\nerror: b",
    "a\x08b",
    "\u202eabc\u202c",
    "\u2066x\u2069",
    "\u2028",
    "\ud800",
    "\x00",
    "[red]x[/red]",
    "[/a]",
    ":smile:",
    "\\[x]",
)
BAD = "".join(map(chr, [*range(32), *range(127, 160), 0x202E, 0x2066, 0x2028, 0xD800]))


def harmless(text):
    return not set(text) & set(BAD) - {"\n"}


@pytest.mark.parametrize("text", HOSTILE)
def test_every_way_of_printing(text, capsys):
    say(text)
    complain(text)
    show_pairs({text: text, "list": [text, (text,)]}, title=text)
    show_rows([text, "n"], [(text, 1)], title=text)
    done = capsys.readouterr()
    assert harmless(done.out)
    assert harmless(done.err)
    assert printable(text) in done.out
    assert not any(line.startswith("error: b") for line in done.err.splitlines())


def test_text_that_is_text_stays_as_it_is():
    for text in ("Größe ☃ 数 😀", "[x] :smile: \\n", "a  b", "e\u0301"):
        assert printable(text) == text
    assert printable("a\x1bb\n") == "a\\x1bb\\n"
    assert printable("a\n\tb", lines=True) == "a\n  \tb"


@pytest.mark.parametrize("text", [text for text in HOSTILE if text != "\ud800"])
def test_info_shows_names_of_others(tmp_path, text):
    circuit = Circuit(
        2,
        [6],
        [0],
        [1],
        [2, 0],
        Encoder([0, 1], [1, 1], (2,), "uint8", (text, "b")),
        Head([0, 1], [0, 0], class_names=(text, "b")),
        {text: text, "name": text},
    )
    path = tmp_path / (text.replace("/", "|").replace("\0", "0") + ".gw")
    save_circuit(circuit, path)
    done = gatewright("info", path)
    assert done.code == 0
    assert harmless(done.out)
    # Cells are folded, so compare without their frames.
    shown = "".join(c for c in done.out if c not in " │\n")
    assert "".join(printable(text).split()) in shown
    wrong = gatewright("eval", path, "--dataset", "digits")
    assert wrong.code == 2
    assert harmless(wrong.err)
    circuit = circuit.replace(head=replace(circuit.head, class_names=()))
    missing = gatewright("info", tmp_path / "no" / path.name)
    assert missing.code == 2
    assert harmless(missing.err)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_names_of_files_that_are_no_text(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff\x1b[31m.gw")
    path.write_bytes(b"x")
    done = gatewright("info", path)
    assert done.code == 2
    assert harmless(done.err)
    assert "\\udcff\\x1b[31m.gw" in done.err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "README.md",
            b"# gatewright\n\nlearns networks\n",
            r"README.md: not a gatewright circuit: it begins with b'# gatewr'",
        ),
        ("x.aig", b"aig 1 1 0 1 0\n2\n", "x.aig is named as a netlist"),
        ("x.blif", None, "x.blif is named as a netlist"),
        ("x.gw", None, "No such file or directory"),
        ("x.gw", b"", "x.gw: truncated: 0 bytes"),
    ],
)
def test_info_of_other_files(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    done = gatewright("info", tmp_path / name)
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) == 1


CONFIG = """
data: {name: digits, encoder: {thresholds: 1, low: 0, high: 16}}
model: {relaxation: hard, candidates: 2, layers: [{type: flatten}, {type: dense, width: 40}]}
train: {steps: 12, batch: 16, eval_every: 6, checkpoint_every: 3, log_every: 3, seed: 5, threads: 1}
"""


def test_a_full_disk_is_one_error_and_the_run_goes_on(tmp_path, monkeypatch):
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    written, save = [], checkpoint.save_file

    def save_file(tensors, path, metadata):
        written.append(path)
        if len(written) == 3:
            path.write_bytes(b"half")
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save(tensors, path, metadata)

    monkeypatch.setattr(checkpoint, "save_file", save_file)
    full = gatewright("train", tmp_path / "tiny.yaml", "--out", tmp_path / "run", "--json")
    assert full.code == 2
    assert full.err.startswith("error: ")
    assert "No space left on device" in full.err
    assert len(full.err.splitlines()) == 1
    assert not list((tmp_path / "run").glob(".*.tmp"))
    again = gatewright("train", tmp_path / "run", "--resume", "--json")
    assert again.code == 0, again.err
    whole = gatewright("train", tmp_path / "tiny.yaml", "--out", tmp_path / "whole", "--json")
    assert again.json["test"] == whole.json["test"]


def test_model_files_have_the_mode_of_any_new_file(tmp_path):
    checkpoint.save_state(tmp_path / "s", {"n": 1}, "model")
    (tmp_path / "plain").touch()
    assert (tmp_path / "s").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_downloads_are_encrypted():
    from gatewright.data.known_files import known_files

    assert [known.source for known in known_files().values() if known.source.startswith("http:")] == []
