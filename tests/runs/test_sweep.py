"""`gatewright pareto`, on small trainings of the digits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from gatewright import zoo
from gatewright.circuit import cost, load_circuit
from gatewright.errors import OptionError
from gatewright.runs.sweep import digest, jobs
from gatewright.training.load import load_preset
from support.commands import gatewright

SMALL = ["--set", "train.steps=40", "--set", "model.layers=[{type: flatten}, {type: dense, width: 60}]"]


def sweep(folder, *more):
    return gatewright(
        "pareto", "--results", folder / "pareto.json", "--runs", folder / "runs", "--presets", "digits", *SMALL, *more
    )


def test_measures_once_and_shows(tmp_path):
    first = sweep(tmp_path, "--seeds", "1,2", "--keep-circuits", tmp_path / "kept", "--json")
    assert first.code == 0, first.err
    (row,) = first.json["rows"]
    assert row["seeds"] == [1, 2]
    assert row["name"].startswith("digits train.steps=40 model.layers=")
    entries = json.loads((tmp_path / "pareto.json").read_text())["entries"]
    assert row["accuracy"] == pytest.approx((entries[0]["test"] + entries[1]["test"]) / 2, abs=1e-6)
    kept = sorted((tmp_path / "kept").glob("*.gw"))
    assert [cost(load_circuit(path)).logic_ops for path in kept] == [e["logic_ops"] for e in entries]
    result = json.loads(next((tmp_path / "runs").glob("*-1-*/result.json")).read_text())
    assert entries[0]["test"] == pytest.approx(result["test"]["hard"])
    assert entries[0]["proof"] in {"abc", "sat", "structure"}

    before = (tmp_path / "pareto.json").read_text()
    again = sweep(tmp_path, "--seeds", "1,2")
    assert again.code == 0
    assert again.err.count("already measured") == 2
    assert (tmp_path / "pareto.json").read_text() == before


def test_without_presets_it_only_shows(tmp_path):
    done = gatewright("pareto", "--results", tmp_path / "none.json", "--json")
    assert done.code == 0
    assert done.json == {"rows": [], "drawn": [], "failures": []}
    assert not (tmp_path / "none.json").exists()


def test_a_failure_is_told_and_the_rest_is_measured(tmp_path):
    gates = "model.layers=[{type: flatten}, {type: dense, width: 60, gates: logic}]"
    done = sweep(tmp_path, "--presets", "digits,digits-narrow", "--set", gates, "--seeds", "1", "--json")
    assert done.code == 2
    assert "1 of 2 runs failed: digits-narrow" in done.err
    assert "residual initialisation starts neurons as wires (gate A), which gates does not allow" in done.err
    assert [row["name"].split()[0] for row in done.json["rows"]] == ["digits"]
    assert len(done.json["failures"]) == 1


def test_a_run_that_another_process_is_at_is_left_to_it(tmp_path):
    (job,) = jobs(["digits"], [1], SMALL[1::2])
    folder = job.folder(tmp_path / "runs")
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        done = sweep(tmp_path, "--seeds", "1")
    assert done.code == 0
    assert "another process is measuring it" in done.err
    assert not (tmp_path / "pareto.json").exists()


def test_options_make_the_digest_and_the_seed_does_not():
    base = load_preset("digits")
    same = ["train.seed=9", "description=x", "train.log_every=7", "train.checkpoint_every=3", "optimizer.clip=null"]
    assert digest(load_preset("digits", same)) == digest(base)
    assert digest(load_preset("digits", ["train.steps=999"])) != digest(base)


def test_bad_requests_are_explained(tmp_path):
    assert "unknown preset 'digts'; did you mean 'digits'?" in gatewright("pareto", "--presets", "digts").err
    assert "--seeds takes whole numbers separated by commas, got 'a'" in sweep(tmp_path, "--seeds", "a").err
    with pytest.raises(OptionError, match="give the seeds with --seeds"):
        jobs(["digits"], [1], ["train.seed=3"])


def test_a_killed_sweep_goes_on_to_the_same_result(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    options = ["--set", "train.steps=400", "--set", "train.checkpoint_every=5", "--seeds", "3"]
    assert sweep(straight, *options, "--json").code == 0
    program = [sys.executable, "-m", "gatewright"]
    where = ["--results", killed / "pareto.json", "--runs", killed / "runs"]
    command = [*program, "pareto", "--presets", "digits", *where, *SMALL, *options]
    process = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, text=True, env=os.environ)
    deadline = time.monotonic() + 120
    while not list(killed.glob("runs/*/checkpoint.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (killed / "pareto.json").exists()
    assert sweep(killed, *options, "--json").code == 0

    def measured(folder):
        text = (folder / "pareto.json").read_text()
        return re.sub(r'"(train|compile)_seconds": [\d.]+', "", text)

    assert measured(killed) == measured(straight)


def test_the_zoo_gets_the_best_circuit_on_validation(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "gatewright.runs.sweep.load_preset", lambda name, changes: load_preset(name, [*changes, *SMALL[1::2]])
    )
    where = ["--results", tmp_path / "pareto.json", "--runs", tmp_path / "runs", "--zoo", tmp_path / "zoo"]
    assert gatewright("pareto", "--presets", "digits", "--seeds", "1", *where, "--json").code == 0
    done = gatewright("pareto", "--presets", "digits", "--seeds", "1,2,3", *where, "--json")
    assert done.code == 0, done.err
    entries = json.loads((tmp_path / "pareto.json").read_text())["entries"]
    best = max(entries, key=lambda entry: (entry["validation"], -entry["seed"]))
    card = zoo.card("digits", tmp_path / "zoo")
    assert card.measured.model_dump(mode="json") == best
    assert card.over_seeds.seeds == [1, 2, 3]
    assert card.over_seeds.accuracy == done.json["rows"][0]["accuracy"]
    circuit = load_circuit(tmp_path / "zoo" / card.file)
    assert cost(circuit).logic_ops == best["logic_ops"]
    assert circuit.metadata["seed"] == str(best["seed"])


def test_only_presets_go_into_the_zoo(tmp_path):
    done = sweep(tmp_path, "--seeds", "1", "--zoo", tmp_path / "zoo")
    assert done.code == 2
    assert "make a preset of it to put it into the zoo" in done.err
