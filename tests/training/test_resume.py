"""A run that is killed at any moment and resumed ends with the same bits as one that never stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
import torch

from gatewright.errors import FormatError, OptionError
from gatewright.runs.run import train
from gatewright.training import load
from gatewright.training.checkpoint import load_state, save_state
from gatewright.training.metrics import read_lines

# Trains, and dies by SIGKILL: after a step, in the middle of writing the n-th state file, or just before that file is put
# in its place.
SCRIPT = """
import os, signal, sys
from pathlib import Path
from gatewright.training import checkpoint
from gatewright.training import load
from gatewright.runs import run

config, folder, how, when = load.load_file(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
written = 0

def save_file(tensors, path, metadata, original=checkpoint.save_file):
    global written
    written += 1
    original(tensors, path, metadata)
    if written == when and how == "writing":
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    if written == when and how in ("writing", "placing"):
        die()

checkpoint.save_file = save_file
run.train(config, "test", folder, resume=True, watch=lambda step, _: die() if how == "step" and step == when else None)
"""


def killed(config_file, folder, how, when):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, config_file, folder, how, str(when)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def same(one, two):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[key], two[key]) for key in one)
    return one == two


def without_times(lines):
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_killed_and_resumed_equals_never_stopped(any_config_file, tmp_path):
    config = load.load_file(any_config_file)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = train(config, "test", whole)
    killed(any_config_file, parts, "step", 17)
    assert load_state(parts / "checkpoint.safetensors", "checkpoint")["step"] == 14
    killed(any_config_file, parts, "writing", 3)
    killed(any_config_file, parts, "placing", 4)
    result = train(config, "test", parts, resume=True)

    models = [load_state(folder / "model.safetensors", "model") for folder in (whole, parts)]
    assert same(*models)
    logs = [without_times(read_lines(folder / "metrics.jsonl")) for folder in (whole, parts)]
    assert logs[0] == logs[1]
    changing = {"seconds"}
    assert result.model_dump(exclude=changing) == expected.model_dump(exclude=changing)
    # Else the run would be too tame to prove anything.
    last = logs[0][-1]
    assert sum(sum(last["connections"].get(key, [])) for key in ("strong_redraws", "weak_redraws", "proposed")) > 0
    assert last["frozen"] >= 1


def stopped_at(config, folder, step):
    seen = []
    assert (
        train(config, "test", folder, watch=lambda now, _: seen.append(now), stop=lambda: len(seen) >= step - 1) is None
    )


def test_a_polite_stop_keeps_everything(hard_config, tmp_path):
    stopped_at(hard_config, tmp_path / "run", 9)
    assert load_state(tmp_path / "run" / "checkpoint.safetensors", "checkpoint")["step"] == 9
    result = train(hard_config, "test", tmp_path / "run", resume=True)
    whole = train(hard_config, "test", tmp_path / "whole")
    assert result.test == whole.test
    assert same(*(load_state(tmp_path / f / "model.safetensors", "model") for f in ("run", "whole")))


def test_a_folder_with_a_run_is_not_overwritten(hard_config, tmp_path):
    stopped_at(hard_config, tmp_path / "run", 9)
    with pytest.raises(OptionError, match=r"holds a run already; resume it with --resume"):
        train(hard_config, "test", tmp_path / "run")


def test_resuming_with_other_options_names_them(hard_config, tmp_path):
    stopped_at(hard_config, tmp_path / "run", 9)
    other = load.from_dict({**hard_config.as_dict(), "train": {**hard_config.as_dict()["train"], "batch": 33}})
    with pytest.raises(FormatError, match=r"of a run with train.batch = 32, but 33 is asked for now"):
        train(other, "test", tmp_path / "run", resume=True)


def test_a_finished_run_is_returned_as_it_is(hard_config, tmp_path):
    first = train(hard_config, "test", tmp_path / "run")
    again = train(hard_config, "test", tmp_path / "run", resume=True, watch=lambda *_: pytest.fail("it trained again"))
    assert again == first
    assert not list((tmp_path / "run").glob("*.tmp"))
    assert not (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_what_a_killed_process_could_not_remove_is_removed(hard_config, tmp_path):
    first = train(hard_config, "test", tmp_path / "run")
    for name in ("checkpoint.safetensors", "best-00000010.safetensors"):  # killed right after it wrote the result
        (tmp_path / "run" / name).touch()
    assert train(hard_config, "test", tmp_path / "run", resume=True) == first
    assert {path.suffix for path in (tmp_path / "run").iterdir()} == {".json", ".jsonl", ".safetensors", ".yaml"}
    assert len(list((tmp_path / "run").glob("*.safetensors"))) == 1


@pytest.mark.parametrize("keep", [0, 10, 1000])
def test_a_truncated_checkpoint_is_named(hard_config, tmp_path, keep):
    stopped_at(hard_config, tmp_path / "run", 9)
    path = tmp_path / "run" / "checkpoint.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match=r"checkpoint.safetensors is no checkpoint, or truncated or damaged"):
        train(hard_config, "test", tmp_path / "run", resume=True)


def change(state, path, value):
    *parents, last = path
    for key in parents:
        state = state[key]
    if value is None:
        del state[last]
    else:
        state[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["model", "2.candidates.logits"], torch.zeros(3, 4), r"2.candidates.logits"),
        (["model", "2.candidates.a"], None, r"2.candidates.a"),
        (["order"], None, r"has no entry 'order'"),
        (["learners", "connections"], None, r"has no entry 'connections'"),
        (["order", "order"], torch.arange(5), r"the data order is of 5 samples"),
        (["generator"], torch.zeros(3, dtype=torch.uint8), r"does not fit this run"),
    ],
)
def test_checkpoints_that_do_not_fit_name_the_entry(hard_config, tmp_path, path, value, message):
    stopped_at(hard_config, tmp_path / "run", 9)
    file = tmp_path / "run" / "checkpoint.safetensors"
    state = load_state(file, "checkpoint")
    change(state, path, value)
    save_state(file, state, "checkpoint")
    with pytest.raises(FormatError, match=message):
        train(hard_config, "test", tmp_path / "run", resume=True)


def test_missing_best_weights_are_named(hard_config, tmp_path):
    stopped_at(hard_config, tmp_path / "run", 15)
    best = list((tmp_path / "run").glob("best-*.safetensors"))
    assert len(best) == 1
    best[0].unlink()
    with pytest.raises(FormatError, match=r"the best weights so far are missing: .*best-00000010"):
        train(hard_config, "test", tmp_path / "run", resume=True)


def test_half_a_line_of_metrics_is_forgotten(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps({"step": 1}) + "\n" + '{"step": 2, "lo')
    assert read_lines(path) == [{"step": 1}]


@pytest.mark.parametrize("step", [-1, 61, -(2**63), 2.0, True, "7", None])
def test_a_step_that_is_no_step_of_the_run_is_refused(step, hard_config, tmp_path):
    assert train(hard_config, "test", tmp_path, stop=lambda: True) is None
    path = tmp_path / "checkpoint.safetensors"
    state = load_state(path, "checkpoint")
    save_state(path, {**state, "step": step}, "checkpoint")
    with pytest.raises(FormatError, match="step"):
        train(hard_config, "test", tmp_path, resume=True)


def test_two_processes_do_not_train_into_one_folder(hard_config, tmp_path):
    def second(step, _):
        if step == 3:
            with pytest.raises(OptionError, match="another process trains into"):
                train(hard_config, "test", tmp_path, resume=True)

    assert train(hard_config, "test", tmp_path, watch=second) is not None
    assert train(hard_config, "test", tmp_path, resume=True) is not None
