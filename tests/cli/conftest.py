"""One tiny run, trained and compiled once through the command line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from support.commands import Outcome, gatewright

TINY = """
description: Tiny
data: {name: digits, encoder: {thresholds: 2, low: 0, high: 16}}
model:
  relaxation: hard
  candidates: 4
  layers: [{type: flatten}, {type: dense, width: 60}, {type: dense, width: 40}]
optimizer: {lr: 0.05}
train: {steps: 40, batch: 32, eval_every: 10}
"""


class Trained(NamedTuple):
    config: Path
    run: Path
    circuit: Path
    trained: Outcome
    compiled: Outcome


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    config = folder / "tiny.yaml"
    config.write_text(TINY)
    run, circuit = folder / "run", folder / "out" / "tiny.gw"
    trained = gatewright("train", config, "--out", run, "--json")
    assert trained.code == 0, trained.err
    compiled = gatewright("compile", run, "-o", circuit, "--json")
    assert compiled.code == 0, compiled.err
    return Trained(config, run, circuit, trained, compiled)
