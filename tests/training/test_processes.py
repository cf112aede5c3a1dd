"""Two processes (gloo, on the CPU) that share each batch end where one that has it all ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import torch

from gatewright.data import Augment
from gatewright.errors import OptionError
from gatewright.runs.run import train
from gatewright.training import load
from gatewright.training.checkpoint import load_state
from gatewright.training.metrics import read_lines
from gatewright.training.processes import Ranks

COMMAND = [sys.executable, "-m", "gatewright"]


def gatewright(*arguments, **options):
    done = subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def weights(folder):
    return load_state(folder / "model.safetensors", "model")["model"]


def same_network(one, two):
    assert one.keys() == two.keys()
    for name, value in one.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, two[name], rtol=1e-3, atol=1e-4)
        else:
            assert torch.equal(value, two[name]), name


def test_two_processes_with_half_a_batch_are_one_with_all_of_it(paper_like_file, tmp_path):
    alone = train(load.load_file(paper_like_file), "test", tmp_path / "one")
    done = gatewright("train", paper_like_file, "--out", tmp_path / "two", "--devices", 2, "--json")
    result = json.loads(done.stdout)
    lines = [read_lines(tmp_path / folder / "metrics.jsonl") for folder in ("one", "two")]
    last = lines[1][-1]
    assert sum(map(sum, (last["connections"][key] for key in ("strong_redraws", "weak_redraws")))) > 0
    assert last["frozen"] >= 1
    # The same redraws of the same neurons and the same freezes, at the same steps, and logits within rounding.
    same_network(weights(tmp_path / "one"), weights(tmp_path / "two"))
    for key in ("connections", "discretization"):
        for one, two in zip(*lines, strict=True):
            for name, value in one[key].items():
                assert value == (pytest.approx(two[key][name], rel=1e-3) if name == "entropy" else two[key][name])
    assert [line["loss"] for line in lines[0]] == pytest.approx([line["loss"] for line in lines[1]], rel=1e-3)
    assert result["test"]["hard"] == pytest.approx(alone.test.hard, abs=1e-9)


# Ends with what each process holds: {folder}/rank-N.safetensors.
HOLDING = """
import sys
from pathlib import Path
from gatewright.training import checkpoint
from gatewright.training import load
from gatewright.runs import run
from gatewright.training import trainer

def fit(self, original=trainer.Trainer.fit, **options):
    done = original(self, **options)
    state = {"model": self.model.state_dict(), "generator": self._generator.get_state()}
    checkpoint.save_state(Path(sys.argv[2]) / f"rank-{self._processes.rank}.safetensors", state, "rank")
    return done

trainer.Trainer.fit = fit
run.train(load.load_file(Path(sys.argv[1])), "test", Path(sys.argv[2]))
"""


@pytest.mark.parametrize(("fixture", "frozen"), [("hard_config", 1), ("unshared_config", 2)])
def test_all_processes_hold_the_same_bits(fixture, frozen, request, tmp_path):
    config = request.getfixturevalue(fixture)
    # Which of two candidates that are equal on all samples wins is a matter of rounding, so hard networks with guided
    # connections need not end alike in one and in two processes; but the two must never part from each other.
    path, folder = tmp_path / "hard.yaml", tmp_path / "run"
    path.write_text(load.dump(config))
    children = pair("-c", HOLDING, path, folder, program=[sys.executable])
    for child in children:
        _, errors = child.communicate(timeout=300)
        assert child.returncode == 0, errors
    states = [load_state(folder / f"rank-{i}.safetensors", "rank") for i in range(2)]
    assert torch.equal(states[0]["generator"], states[1]["generator"])
    for name, value in states[0]["model"].items():
        assert torch.equal(value, states[1]["model"][name]), name
    last = read_lines(folder / "metrics.jsonl")[-1]
    assert sum(last["connections"]["proposed"]) > 0
    assert last["frozen"] == frozen
    # It learns as one process does.
    alone = train(config, "test", tmp_path / "alone")
    assert last["validation"]["hard"] == pytest.approx(alone.validation.hard, abs=0.1)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pair(*arguments, program=COMMAND):
    """Two processes as torchrun starts them, here by hand."""
    port = str(free_port())
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [*program, *map(str, arguments)],
            env={**os.environ, **shared, "RANK": str(i), "LOCAL_RANK": str(i)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(2)
    ]


@pytest.mark.slow
def test_a_killed_pair_resumes_to_the_same_network(paper_like_file, tmp_path):
    gatewright("train", paper_like_file, "--out", tmp_path / "whole", "--devices", 2)
    folder = tmp_path / "parts"
    slow = ["--set=train.log_every=1", "--set=train.checkpoint_every=7"]
    children = pair("train", paper_like_file, "--out", folder, *slow)
    while len(read_lines(folder / "metrics.jsonl")) < 16 and children[0].poll() is None:
        time.sleep(0.01)
    for child in children:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    if not (folder / "result.json").exists():
        assert load_state(folder / "checkpoint.safetensors", "checkpoint")["step"] in range(7, 60, 7)
    gatewright("train", paper_like_file, "--out", folder, "--devices", 2, "--resume", *slow)
    same_network(weights(tmp_path / "whole"), weights(folder))
    for rank in (0, 1):
        assert children[rank].returncode in {-signal.SIGKILL, 0}


@pytest.mark.slow
def test_ctrl_c_stops_all_with_a_checkpoint(hard_config, tmp_path):
    path = tmp_path / "long.yaml"
    path.write_text(load.dump(hard_config))
    folder = tmp_path / "run"
    command = [*COMMAND, "train", path, "--out", folder, "--devices", "2", "--steps", "1000000"]
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while len(read_lines(folder / "metrics.jsonl")) < 2 and child.poll() is None:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=120)
    assert child.returncode == 130, errors
    assert errors.count("stopped with a checkpoint") == 1
    assert load_state(folder / "checkpoint.safetensors", "checkpoint")["step"] > 0


def test_a_mistake_ends_all(hard_config, tmp_path):
    path = tmp_path / "odd.yaml"
    path.write_text(load.dump(hard_config))
    command = [*COMMAND, "train", path, "--out", tmp_path / "run", "--devices", "2", "--set=train.batch=33"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "a batch of 33 samples does not divide into 2 equal shares" in done.stderr


def test_shares_cover_a_batch():
    parts = [Ranks(i, 4).share(12) for i in range(4)]
    assert [list(range(12))[part] for part in parts] == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert Ranks().share(7) == slice(0, 7)
    with pytest.raises(OptionError, match="7 samples does not divide into 2 equal shares"):
        Ranks(0, 2).share(7)


@pytest.mark.parametrize("options", [{"rotation": 10.0, "shift": 1}, {"flip": True, "shift": 2, "crop": 1}])
def test_parts_of_a_batch_are_augmented_as_the_batch_is(options):
    images = torch.randint(0, 256, (12, 2, 7, 9), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    augment = Augment(**options)
    whole = augment(images, torch.Generator().manual_seed(2))
    parts = [augment(images[4 * i : 4 * i + 4], torch.Generator().manual_seed(2), rank=i, size=3) for i in range(3)]
    assert torch.equal(torch.cat(parts), whole)
