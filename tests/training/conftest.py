"""Tiny runs on the digits, with every mechanism of training at work."""

from __future__ import annotations

import pytest

from gatewright.training import load

PAPER_LIKE = """
data:
  name: digits
  encoder: {kind: quantile, thresholds: 2}
  augment: {shift: 1, rotation: 10}
model:
  k: 4
  candidates: 4
  init: residual
  layers:
    - {type: conv, channels: k, stride: 2}
    - {type: flatten}
    - {type: dense, width: 10 * k, repeat: 2}
optimizer: {schedule: cosine, clip: 1.0, warmup: 5}
connections: {kind: resample, patience: 2, tolerance: 0.5, strong: 0.3, weak: 0.29, stop: 0.8}
discretization: {kind: adaptive, start: 0.5, patience: 2, tolerance: 0.5}
train: {steps: 60, batch: 32, eval_every: 10, checkpoint_every: 7, log_every: 5, seed: 3}
"""

HARD = """
data: {name: digits, encoder: {thresholds: 3, low: 0, high: 16}}
model:
  relaxation: hard
  candidates: 4
  tau: measured
  layers: [{type: flatten}, {type: dense, width: 60}, {type: dense, width: 40}]
optimizer: {schedule: one-cycle}
connections: {kind: guided, every: 4, trials: 4}
discretization: {kind: adaptive, start: 0.7, patience: 2, tolerance: 0.5}
train: {steps: 60, batch: 32, eval_every: 10, checkpoint_every: 7, log_every: 5, seed: 4}
"""

HARD_CONVOLUTION = HARD.replace(
    "[{type: flatten}, ", "[{type: conv, channels: 6, stride: 2}, {type: flatten}, "
).replace("model:", "model:\n  unshare: 0.4")

CONFIGS = {
    "paper-like": PAPER_LIKE,
    "hard": HARD,
    "paper-like, unshared": PAPER_LIKE.replace("model:", "model:\n  unshare: 25"),
    "hard, unshared": HARD_CONVOLUTION,
}


@pytest.fixture(params=CONFIGS)
def any_config_file(request, tmp_path):
    path = tmp_path / f"{request.param}.yaml"
    path.write_text(CONFIGS[request.param])
    return path


@pytest.fixture
def hard_config(tmp_path):
    path = tmp_path / "hard.yaml"
    path.write_text(HARD)
    return load.load_file(path)


@pytest.fixture
def unshared_config(tmp_path):
    path = tmp_path / "unshared.yaml"
    path.write_text(HARD_CONVOLUTION)
    return load.load_file(path)


@pytest.fixture
def paper_like_file(tmp_path):
    path = tmp_path / "paper-like.yaml"
    path.write_text(PAPER_LIKE)
    return path
