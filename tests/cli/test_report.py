"""`gatewright report`, and the line that names it."""

from __future__ import annotations

import pytest

from gatewright import data
from gatewright.circuit import load_circuit, save_circuit
from support.commands import gatewright


def test_report_of_a_run(tiny, tmp_path):
    done = gatewright("report", tiny.run, "-o", tmp_path / "r.html", "--json")
    assert done.code == 0
    assert done.err == ""
    about = done.json
    assert about["file"] == str(tmp_path / "r.html")
    assert (about["title"], about["data"]) == ("tiny", "digits")
    assert about["accuracy"] == tiny.trained.json["test"]["hard"]
    assert about["logic_ops"] == tiny.compiled.json["logic_ops"]
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "equal to the trained network for every input" in text


def test_report_of_a_circuit_takes_the_data_set_that_it_notes(tiny, tmp_path):
    done = gatewright("report", tiny.circuit, "-o", tmp_path / "r.html", "--cost", "lut6")
    assert done.code == 0
    assert "test accuracy" in done.out
    assert "note: a circuit file holds no curves" in done.err
    assert "lut6" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_report_of_a_circuit_without_data(tiny, tmp_path):
    circuit = load_circuit(tiny.circuit)
    save_circuit(circuit.replace(metadata={"data": "not-listed"}), tmp_path / "c.gw")
    done = gatewright("report", tmp_path / "c.gw", "-o", tmp_path / "r.html", "--json")
    assert done.code == 0
    assert done.json["accuracy"] is None
    assert done.json["title"] == "c"


def test_report_of_a_table_of_your_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{i % 7},{i % 5},{'yes' if i % 7 > 3 else 'no'}" for i in range(200)]
    (tmp_path / "plants.csv").write_text("\n".join(["leaf,stem,good", *rows]))
    trained = gatewright("train", "plants.csv", "--target", "good", "--steps", "40", "--json")
    assert trained.code == 0
    done = gatewright("report", "runs/plants", "--json")
    assert done.code == 0
    assert done.json["accuracy"] == trained.json["test"]["hard"]
    assert "leaf" in (tmp_path / "report.html").read_text(encoding="utf-8")

    assert gatewright("compile", "runs/plants", "-o", "plants.gw").code == 0
    (tmp_path / "new.csv").write_text("leaf,stem,grown\n1,2,no\n6,0,yes\n5,4,yes")
    done = gatewright("report", "plants.gw", "--dataset", "new.csv", "--target", "grown", "--json")
    assert done.code == 0
    assert done.json["data"] == "new.csv"
    evaluated = gatewright("eval", "plants.gw", "--dataset", "new.csv", "--target", "grown", "--json")
    assert done.json["accuracy"] == evaluated.json["accuracy"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "digits"], "--dataset is for circuits"),
        (["--target", "good"], "--target is for circuits"),
        (["--cost", "lut7"], "unknown currency 'lut7'; did you mean 'lut6'?"),
    ],
)
def test_what_does_not_fit_a_run_is_refused(tiny, tmp_path, arguments, message):
    done = gatewright("report", tiny.run, "-o", tmp_path / "r.html", *arguments)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "r.html").exists()


def test_other_data_are_refused(tiny, tmp_path):
    other = next(name for name in data.names() if data.describe(name).shape != (1, 8, 8) and not data.missing(name))
    done = gatewright("report", tiny.circuit, "--dataset", other, "-o", tmp_path / "r.html")
    assert done.code == 2
    assert "takes uint8 samples of shape (1, 8, 8)" in done.err


def test_training_names_what_comes_next(tiny, tmp_path):
    folder = tmp_path / "a run"
    done = gatewright("train", tiny.config, "--out", folder, "--steps", 2)
    assert f"next: gatewright report '{folder}', or gatewright compile '{folder}' -o tiny.gw" in done.err


def test_the_first_training_says_that_kernels_are_compiled(tiny, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "empty"))
    done = gatewright("train", tiny.config, "--out", tmp_path / "r", "--steps", 2, "--device", "cpu")
    assert "compiling kernels (once) ..." in done.err
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    done = gatewright("train", tiny.config, "--out", tmp_path / "s", "--steps", 2, "--device", "cpu")
    assert "compiling" not in done.err
