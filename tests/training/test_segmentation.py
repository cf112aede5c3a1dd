"""A class for every pixel, through the whole of training: config, checkpoints, result, circuit, command line."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gatewright import data
from gatewright.engine import Engine
from gatewright.errors import OptionError
from gatewright.runs.compile import compile_run
from gatewright.runs.confusion import Confusion
from gatewright.runs.run import load_run, train
from gatewright.training import load
from support.commands import gatewright

SMALL = """
data: {name: shapes, encoder: {thresholds: 3}}
model:
  relaxation: hard
  candidates: 4
  init: residual
  layers:
    - {type: conv, channels: 8, stride: 2, channels_in: 0}
    - {type: upsample}
    - {type: conv, channels: 8, channels_in: 0}
optimizer: {lr: 0.02}
connections: {kind: fixed}
train: {steps: 30, batch: 16, eval_every: 10, checkpoint_every: 10}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    path = tmp_path_factory.mktemp("shapes") / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="module")
def run(config):
    folder = config.parent / "run"
    assert train(load.load_file(config), "small", folder) is not None
    return folder


def test_accuracy_is_that_of_pixels(run):
    shapes = data.load_dataset("shapes")
    result = json.loads((run / "result.json").read_text())
    compiled = compile_run(load_run(run), shapes)
    assert compiled.proof.equal
    assert compiled.circuit.head.places == (24, 24)
    classes = Engine(compiled.circuit).predict(shapes.test.x)
    assert compiled.accuracy == pytest.approx((classes == shapes.test.y).mean())
    assert result["test"]["hard"] == pytest.approx(compiled.accuracy)
    assert 0.1 < compiled.accuracy < 1


def test_a_stopped_run_goes_on_to_the_same_result(config, run, tmp_path):
    options = load.load_file(config)
    steps = []

    def stop():
        steps.append(1)
        return len(steps) == 17

    assert train(options, "small", tmp_path / "r", stop=stop) is None
    result = train(options, "small", tmp_path / "r", resume=True)
    assert result.test.hard == json.loads((run / "result.json").read_text())["test"]["hard"]


def test_the_command_line_reports_the_mean_iou(run, tmp_path):
    assert gatewright("compile", run, "-o", tmp_path / "s.gw", "--no-proof").code == 0
    about = gatewright("eval", tmp_path / "s.gw", "--dataset", "shapes", "--split", "validation", "--json").json
    shapes = data.load_dataset("shapes")
    circuit = compile_run(load_run(run), shapes, proof=False).circuit
    decided = Engine(circuit).predict(shapes.validation.x)
    expected = Confusion.of(shapes.validation.y, decided, 4)
    assert about["mean_iou"] == pytest.approx(expected.mean_iou)
    assert about["accuracy"] == pytest.approx(np.mean(decided == shapes.validation.y))
    assert about["samples"] == 500
    shown = gatewright("eval", tmp_path / "s.gw", "--dataset", "shapes", "--split", "validation")
    assert "mean IoU" in shown.out
    assert "of 288,000" in shown.out
    wrong = gatewright("eval", tmp_path / "s.gw", "--dataset", "digits")
    assert wrong.code == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.layers=[{type: flatten}, {type: dense, width: 8}]", "the last layer must be a convolution"),
        ("model.layers=[{type: conv, channels: 6}]", "has 6 channels, which do not divide into 4 classes; take 4 or 8"),
        (
            "model.layers=[{type: conv, channels: 8, stride: 2}]",
            r"makes images of \(12, 12\), but the labels are \(24, 24\), one per pixel",
        ),
        (
            "model.layers=[{type: flatten}, {type: upsample}, {type: conv, channels: 8}]",
            "is an upsampling but gets rows of 1728 features, not images",
        ),
        ("model.layers=[{type: upsample, scale: 0}]", "scale should be greater than 0"),
        ("data.augment.shift=1", "would move the pixels of shapes away from their labels"),
    ],
)
def test_what_does_not_fit_is_named(config, tmp_path, change, message):
    with pytest.raises(OptionError, match=message):
        train(load.load_file(config, [change]), "small", tmp_path / "r")
