"""Searches from end to end: killed, resumed, and shared by processes."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gatewright as gw
from gatewright.budget.limits import COUNTS, Budget
from gatewright.budget.study import About, Study
from gatewright.errors import OptionError
from gatewright.runs.results import Results
from gatewright.training.load import load_file

COMMAND = [sys.executable, "-m", "gatewright", "search", "digits", "--max-total-ops", "1500", "--json"]
OPTIONS = ["--trials", "2", "--steps", "100", "--pruner", "none", "--seeds", "1"]
ABOUT = About("digits", Budget(total_ops=1500), pruner="none", steps=100)


def begin(out, *options):
    return subprocess.Popen([*COMMAND, *OPTIONS, "--out", str(out), *options], stdout=subprocess.PIPE, text=True)


def finished(process):
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0
    return json.loads(output)


def state(out, about=ABOUT):
    """What decides: each trial's state, parameters, evaluations, accuracy and cost."""
    return [
        (each.number, each.state.name, each.params, each.intermediate_values, each.value, each.user_attrs["figures"])
        for each in Study(about, out).trials()
    ]


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.stdout.close()
    process.wait()


def until(condition, process):
    deadline = time.monotonic() + 600
    while not condition():
        assert process.poll() is None, "it ended early"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_search_needs_an_end_and_a_budget(tmp_path):
    with pytest.raises(OptionError, match="needs an end"):
        gw.search("digits", tmp_path, max_total_ops=1000)
    with pytest.raises(OptionError, match="needs a budget"):
        gw.search("digits", tmp_path, trials=1)
    with pytest.raises(OptionError, match="seeds is 0, expected at least 1"):
        gw.search("digits", tmp_path, max_total_ops=1000, trials=1, seeds=0)
    with pytest.raises(OptionError, match="the smallest that is known"):
        gw.search("digits", tmp_path / "nothing", max_total_ops=9, trials=1)
    assert not (tmp_path / "nothing").exists()


@pytest.mark.slow
def test_a_killed_search_goes_on_as_if_nothing_had_happened(tmp_path):
    whole = finished(begin(tmp_path / "whole"))
    killed = tmp_path / "killed"
    process = begin(killed)
    until((killed / "trials" / "0001" / "checkpoint.safetensors").exists, process)
    kill(process)
    process = begin(killed)
    until((killed / "final").exists, process)
    kill(process)
    again = finished(begin(killed))
    assert state(killed) == state(tmp_path / "whole")
    assert {key: again[key] for key in ("trial", "validation", "test", "figures")} == {
        key: whole[key] for key in ("trial", "validation", "test", "figures")
    }
    for out in (killed, tmp_path / "whole"):
        assert gw.cost(gw.load_circuit(out / "best.gw")).total_ops == again["figures"]["total_ops"] <= 1500
        front = json.loads((out / "front.json").read_text())
        assert [row["trial"] for row in front["trials"]] == [0, 1]
        assert front["front"]
    preset = load_file(killed / "preset.yaml")
    assert preset == load_file(tmp_path / "whole" / "preset.yaml")
    result = gw.train(killed / "preset.yaml", out=tmp_path / "reproduced")
    assert (result.test.hard, result.total_ops) == (again["test"], again["figures"]["total_ops"])


@pytest.mark.slow
def test_processes_share_a_study(tmp_path):
    one, two = begin(tmp_path / "found"), begin(tmp_path / "found")
    first, second = finished(one), finished(two)
    assert first | {"seconds": 0} == second | {"seconds": 0}
    trials = Study(ABOUT, tmp_path / "found").trials()
    assert [trial.number for trial in trials] == [0, 1]
    assert all(trial.state.name == "COMPLETE" for trial in trials)
    assert first["trial"] == Study(ABOUT, tmp_path / "found").winner().number


@pytest.mark.slow
def test_jobs_share_the_trials_and_a_killed_one_loses_none(tmp_path):
    out = tmp_path / "found"
    process = begin(out, "--trials", "4", "--jobs", "2", "--steps", "400")
    until(lambda: len(list(out.glob("trials/*/checkpoint.safetensors"))) > 1, process)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 2
    os.kill(int(workers[0]), signal.SIGKILL)
    process.communicate(timeout=900)
    assert process.returncode == 2  # it says so; the other worker goes on until then
    found = finished(begin(out, "--trials", "4", "--jobs", "2", "--steps", "400", "--seeds", "3"))
    assert len(Results(out / "results.json").entries()) == 3, "each seed was trained once, by one of two processes"
    assert set(found["seeds"]) <= {0, 1, 2}
    about = dataclasses.replace(ABOUT, steps=400)
    assert [(number, kind) for number, kind, *_ in state(out, about)] == [(i, "COMPLETE") for i in range(4)]
    assert found["trial"] == Study(about, out).winner().number
    alone = tmp_path / "alone"  # the first trial is drawn from no other, so one job finds the same one
    finished(begin(alone, "--steps", "400", "--trials", "1"))
    assert state(alone, about) == state(out, about)[:1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "limit", "name"),
    [("--max-nand", 4000, "nand"), ("--max-lut6", 700, "lut6"), ("--max-flash", 16_000, "flash")],
)
def test_whole_searches_in_other_currencies(tmp_path, option, limit, name):
    command = [sys.executable, "-m", "gatewright", "search", "digits", option, str(limit), "--json"]
    process = subprocess.Popen([*command, *OPTIONS, "--out", str(tmp_path)], stdout=subprocess.PIPE, text=True)
    found = finished(process)
    assert 0 < found["figures"][name] <= limit
    assert COUNTS[name](gw.load_circuit(tmp_path / "best.gw")) == found["figures"][name]
    assert found["test"] > 0.5


def test_a_table_of_your_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{i},{i % 7},{i % 5},{'yes' if i % 7 > 3 else 'no'}" for i in range(300)]
    Path("plants.csv").write_text("\n".join(["id,leaf,stem,good", *rows]))
    wanted = {"target": "good", "drop": ["id"], "max_total_ops": 400, "trials": 2, "steps": 40, "seeds": 1}
    found = gw.search("plants.csv", "found", **wanted)
    assert found.figures["total_ops"] <= 400
    circuit = gw.load_circuit("found/best.gw")
    assert [column.name for column in circuit.encoder.columns] == ["leaf", "stem"]
    assert circuit.metadata["target"] == "good"
    again = gw.train("found/preset.yaml", out="again")
    assert again.test.hard == found.test
    over = gw.search("plants.csv", "found", **wanted)
    assert dataclasses.replace(over, seconds=found.seconds) == found, "a search that is over is read"
    with pytest.raises(OptionError, match="this study was begun with own = "):
        gw.search("plants.csv", "found", **(wanted | {"drop": []}))
    # Where the table lies is no matter, even before the winner is trained; what it holds is.
    for name in ("final.json", "preset.yaml", "best.gw", "results.json", "search.json"):
        (tmp_path / "found" / name).unlink()
    shutil.rmtree("found/final")
    Path("elsewhere").mkdir()
    Path("plants.csv").rename("elsewhere/plants.csv")
    assert gw.search("elsewhere/plants.csv", "found", **wanted).test == found.test
    Path("plants.csv").write_text("\n".join(["id,leaf,stem,good", *rows[:-1], "299,6,0,no"]))
    with pytest.raises(OptionError, match="sha256"):
        gw.search("plants.csv", "found", **wanted)
    with pytest.raises(OptionError, match="columns are of tables, and 'digits' is none; leave target out"):
        gw.search("digits", "other", max_total_ops=1500, trials=1, target="good")
