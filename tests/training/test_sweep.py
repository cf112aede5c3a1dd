"""A job array's tasks, with the index in the environment as Slurm sets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SWEEP = Path(__file__).parents[2] / "script" / "sweep"
TINY = """
data: {name: digits, encoder: {thresholds: 1, low: 0, high: 16}}
model: {relaxation: hard, candidates: 2, layers: [{type: flatten}, {type: dense, width: 20}]}
train: {steps: 4, batch: 32, eval_every: 4}
"""


@pytest.fixture
def sweep(tmp_path):
    # The program as it is found on a PATH, whatever this interpreter's own scripts are.
    program = tmp_path / "bin" / "gatewright"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m gatewright "$@"\n')
    program.chmod(0o755)

    def run(index, *arguments):
        environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
        environment.pop("SLURM_ARRAY_TASK_ID", None)
        if index is not None:
            environment["SLURM_ARRAY_TASK_ID"] = str(index)
        return subprocess.run(
            [SWEEP, *map(str, arguments)], env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.slow
def test_each_index_is_one_run_and_a_finished_one_ends_at_once(sweep, tmp_path):
    presets = []
    for name in ("one", "two"):
        presets.append(tmp_path / f"{name}.yaml")
        presets[-1].write_text(TINY)
    arguments = (tmp_path / "runs", " ".join(map(str, presets)), "5 6", "--json")
    for index in (1, 2):  # one with seed 6, two with seed 5
        done = sweep(index, *arguments)
        assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["one-6", "two-5"]
    result = json.loads((tmp_path / "runs" / "two-5" / "result.json").read_text())
    assert (result["name"], result["seed"]) == ("two", 5)
    again = sweep(2, *arguments)
    assert json.loads(again.stdout)["seconds"] == result["seconds"]


def test_mistakes_are_explained(sweep, tmp_path):
    assert "SLURM_ARRAY_TASK_ID is not set" in sweep(None, tmp_path, "digits", "1").stderr
    last = sweep(6, tmp_path, "digits monks-1", "1 2 3")
    assert last.returncode == 2
    assert "there are 6 runs, so the last index is 5, got 6" in last.stderr
    assert "got 1 arguments" in sweep(0, tmp_path).stderr
