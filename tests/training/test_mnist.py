"""The whole way on real MNIST: at least 96 % within minutes, and one answer from network, engine, C and Verilog."""

from __future__ import annotations

import os
import shutil
import subprocess

import numpy as np
import pytest
import torch

from gatewright import data
from gatewright.formats import to_c, to_verilog
from gatewright.runs.compile import compile_run
from gatewright.runs.run import load_run, train
from gatewright.training import load
from gatewright.training.objective import predict

CHANGES = [
    "train.steps=2000",
    "train.batch=128",
    "model.layers=[{type: flatten}, {type: dense, width: 4000, repeat: 2}]",
]


def needed(there, what):
    if not there and os.environ.get("CI", "").lower() == "true":
        pytest.fail(f"{what} is needed")
    if not there:
        pytest.skip(f"{what} is needed")


def run(*command, cwd, stdin=None):
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout.decode()


@pytest.mark.slow
def test_mnist_from_training_to_verilog(tmp_path):
    needed(not data.missing("mnist"), "MNIST in GATEWRIGHT_DATA")
    for tool in ("gcc", "verilator"):
        needed(shutil.which(tool), tool)
    result = train(load.load_preset("mnist-fast", CHANGES), "mnist", tmp_path / "run")
    assert result.test.hard >= 0.96
    assert result.seconds < 300

    trained, test = load_run(tmp_path / "run"), data.load_dataset("mnist").test
    compiled = compile_run(trained, data.load_dataset("mnist"))
    assert compiled.proof is not None
    assert compiled.proof.equal
    assert compiled.samples == 10_000
    assert compiled.accuracy == result.test.hard

    with torch.no_grad():
        scores = torch.cat([trained.model(part) for part in torch.from_numpy(test.x).split(1000)])
    classes = predict(scores).numpy()
    ties = int(((scores == scores.amax(1, keepdim=True)).sum(1) > 1).sum())
    assert ties > 0, "without ties this would not show that they go to the lowest class everywhere"

    to_c(compiled.circuit, tmp_path / "c", driver=True)
    run("gcc", "-O1", "-o", "program", *(path.name for path in (tmp_path / "c").glob("*.c")), cwd=tmp_path / "c")
    lines = run(str(tmp_path / "c" / "program"), cwd=tmp_path, stdin=test.x.tobytes()).splitlines()
    assert np.array_equal([int(line.split()[0]) for line in lines], classes)

    # The testbench compares each of the simulated module's classes with the circuit's.
    to_verilog(compiled.circuit, tmp_path / "v", samples=test.x)
    flags = ["--binary", "--timing", "-MAKEFLAGS", "OPT_FAST=-O0", "--output-split", "5000", "-j", "2"]
    run("verilator", *flags, "--top-module", "model_tb", "model_tb.v", "model.v", cwd=tmp_path / "v")
    assert "PASS 10000 samples" in run(str(tmp_path / "v" / "obj_dir" / "Vmodel_tb"), cwd=tmp_path / "v")
