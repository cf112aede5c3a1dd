"""Folders that version 0.1 wrote: runs load, checkpoints resume to the same bits, results stay valid."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from gatewright import data, zoo
from gatewright.errors import OptionError
from gatewright.runs.compile import compile_run
from gatewright.runs.result import RunResult
from gatewright.runs.results import Results
from gatewright.runs.run import load_run, train
from gatewright.runs.sweep import digest
from gatewright.training import load
from gatewright.training.checkpoint import load_state
from gatewright.training.metrics import read_lines

ROOT = Path(__file__).parents[2]
FILES = ROOT / "tests" / "data_files"
FINISHED, STOPPED = FILES / "run-0.1-finished", FILES / "run-0.1-stopped"


@pytest.fixture
def stopped(tmp_path):
    shutil.copytree(STOPPED, tmp_path / "run")
    return tmp_path / "run"


def test_a_finished_run_loads_and_compiles():
    run = load_run(FINISHED)
    result = RunResult.load(FINISHED)
    assert run.config.model.layers[0].kernel_size == 3
    compiled = compile_run(run, data.load_dataset("digits"))
    assert compiled.accuracy == pytest.approx(result.test.hard)


def test_a_checkpoint_resumes_to_the_same_bits(stopped):
    before = load_state(stopped / "checkpoint.safetensors", "checkpoint")
    assert before["step"] == 17
    config = load.load_file(stopped / "config.yaml")
    result = train(config, "old", stopped, resume=True)
    expected = RunResult.load(FINISHED)
    changing = {"seconds", "versions", "machine"}
    assert result.model_dump(exclude=changing) == expected.model_dump(exclude=changing)
    one, two = (load_state(folder / "model.safetensors", "model")["model"] for folder in (FINISHED, stopped))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name
    logs = [read_lines(folder / "metrics.jsonl") for folder in (FINISHED, stopped)]
    for line in (*logs[0], *logs[1]):
        line.pop("seconds")
        if line["step"] == 20:  # the mean of all losses since the line before, or since the start
            line.pop("loss")
    assert logs[0] == logs[1]


def test_checkpoints_have_the_same_entries(stopped, tmp_path):
    seen = []
    config = load.load_file(stopped / "config.yaml")
    train(config, "new", tmp_path / "new", watch=lambda *_: seen.append(1), stop=lambda: len(seen) >= 16)
    one, two = (load_state(f / "checkpoint.safetensors", "checkpoint") for f in (stopped, tmp_path / "new"))
    for state in (one, two):
        state.pop("config")
        state.pop("seconds")
    assert _shapes(one) == _shapes(two)
    # Kernels of this version round otherwise, so values differ in the last bits; what was drawn and chosen is the same.
    torch.testing.assert_close(two, one, rtol=0, atol=1e-3, equal_nan=True)


def _shapes(state):
    if isinstance(state, torch.Tensor):
        return state.dtype, tuple(state.shape)
    if isinstance(state, dict):
        return {key: _shapes(value) for key, value in state.items()}
    return [_shapes(value) for value in state] if isinstance(state, list | tuple) else type(state)


def test_no_row_of_results_is_obsolete():
    for entry in Results(ROOT / "benchmarks" / "pareto.json").entries():
        assert entry.digest == digest(load.load_preset(entry.preset, entry.changes)), entry.name


@pytest.mark.parametrize("name", zoo.names())
def test_cards_have_the_options_of_their_digests(name):
    card = zoo.card(name)
    assert digest(load.from_dict(card.options)) == card.measured.digest


def test_a_kernel_has_one_name():
    conv = {"type": "conv", "channels": 10, "kernel": 5}
    tree = {"data": {"name": "digits"}, "model": {"layers": [conv]}, "train": {"steps": 1}}
    assert load.from_dict(tree).model.layers[0].kernel_size == 5
    conv["kernel_size"] = 3
    with pytest.raises(
        OptionError, match=r"unknown key 'model.layers.0.kernel'; did you mean 'model.layers.0.kernel_size'"
    ):
        load.from_dict(tree)


def test_the_files_are_small():
    assert sum(file.stat().st_size for file in FILES.glob("run-0.1-*/*") if file.is_file()) < 100_000
    assert json.loads((FINISHED / "result.json").read_text())["versions"]["gatewright"] == "0.1.0"
