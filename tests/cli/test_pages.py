"""Web pages made on the command line: their options, and the page of the demo."""

import json

import numpy as np
import pytest

from gatewright import data
from support.commands import gatewright
from support.page import Page


def test_every_option_of_a_page_can_be_set(tiny, tmp_path):
    x = data.load_dataset("digits").test.x[:2]
    np.save(tmp_path / "two.npy", x)
    (tmp_path / "bad.npy").write_bytes(b"")
    done = gatewright(
        "export", tiny.circuit, "--to", "html", "-o", tmp_path, "--set", "title=007", "--set", "white=8.5",
        "--set", f"samples={tmp_path / 'two.npy'}", "--set", "labels=one, two", "--set", "data=digits", "--set", "name=p",
    )  # fmt: skip
    assert done.code == 0, done.err
    page = Page((tmp_path / "p.html").read_text(encoding="utf-8"))
    assert "007" in page.text
    model = json.loads(page.scripts["model"])
    assert model["samples"] == x.reshape(2, -1).tolist()
    assert (model["view"]["labels"], model["view"]["white"]) == (["one", "two"], 8.5)
    for setting, message in (
        ("white=bright", "white is 'bright'"),
        ("labels=[1, 2]", "labels are [1, 2]"),
        (f"samples={tmp_path / 'bad.npy'}", "is no NumPy file of numbers"),
        (f"samples={tmp_path / 'none.npy'}", "No such file"),
        ("data=digit", "did you mean 'digits'?"),
    ):
        wrong = gatewright("export", tiny.circuit, "--to", "html", "-o", tmp_path, "--set", setting)
        assert wrong.code == 2
        assert message in " ".join(wrong.err.split())


@pytest.mark.slow
@pytest.mark.parametrize("proof", [True, False])
def test_the_demo_writes_a_page_and_needs_no_engine_for_proofs(tmp_path, monkeypatch, proof):
    if not proof:
        monkeypatch.setattr("gatewright.circuit.proof.can_prove", lambda: False)
    done = gatewright("demo", "--out", tmp_path, "--steps", "60")
    assert done.code == 0, done.err
    assert f"open {tmp_path / 'export' / 'digits.html'} in a browser" in done.err
    assert ("skipped" in done.out) != proof
    assert ("pip install" in done.err) != proof
