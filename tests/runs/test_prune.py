"""Lossy removal of gates, as an option of the circuit: judged on validation, told about, and never silent."""

from __future__ import annotations

import numpy as np
import pytest

from gatewright import data
from gatewright.circuit import Circuit, Encoder, Head, cost
from gatewright.engine import Engine
from gatewright.errors import OptionError
from gatewright.gates import Gate
from gatewright.runs.compile import compile_run
from gatewright.runs.prune import TOLERANCES, prune
from gatewright.runs.run import load_run, train
from gatewright.training import load
from support.commands import gatewright


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prune") / "run"
    options = ["train.steps=150", "model.layers=[{type: flatten}, {type: dense, width: 400}]", "circuit.prune=true"]
    assert train(load.load_preset("digits", options), "digits", folder) is not None
    return folder


def accuracy(circuit, split):
    return np.mean(Engine(circuit).predict(split.x) == split.y)


def test_pruning_takes_gates_and_keeps_validation(run):
    digits = data.load_dataset("digits")
    whole = compile_run(load_run(run), digits, prune_too=False, proof=False)
    compiled = compile_run(load_run(run), digits, proof=False)
    pruned = compiled.pruned
    assert whole.pruned is None
    assert pruned.tolerance in TOLERANCES
    assert pruned.logic_ops_before == cost(whole.circuit).logic_ops
    assert pruned.logic_ops_after == cost(compiled.circuit).logic_ops < pruned.logic_ops_before
    assert pruned.validation_before == accuracy(whole.circuit, digits.validation)
    assert pruned.validation_after == accuracy(compiled.circuit, digits.validation) >= pruned.validation_before
    assert compiled.accuracy == accuracy(compiled.circuit, digits.test)
    differ = Engine(whole.circuit).predict(digits.test.x) != Engine(compiled.circuit).predict(digits.test.x)
    assert pruned.decided_otherwise == differ.sum()
    assert compiled.circuit.metadata["pruned"].startswith("lossy")
    assert "pruned" not in whole.circuit.metadata


def test_the_command_line_says_that_it_is_lossy(run, tmp_path):
    shown = gatewright("compile", run, "-o", tmp_path / "a.gw")
    assert shown.code == 0, shown.err
    assert "pruned (lossy)" in shown.out
    exact = gatewright("compile", run, "-o", tmp_path / "b.gw", "--no-prune", "--json").json
    assert exact["pruned"] is None
    lossy = gatewright("compile", run, "-o", tmp_path / "c.gw", "--prune", "--json").json
    assert lossy["pruned"]["logic_ops_after"] == lossy["logic_ops"] < exact["logic_ops"]
    refused = gatewright("verify", run, tmp_path / "c.gw")
    assert refused.code == 2
    assert "differ" in refused.err


def test_without_validation_it_is_refused(run, tmp_path):
    digits = data.load_dataset("digits")
    circuit = compile_run(load_run(run), digits, prune_too=False, proof=False).circuit
    empty = data.Split(digits.validation.x[:0], digits.validation.y[:0])
    with pytest.raises(OptionError, match="needs validation samples to judge by"):
        prune(circuit, digits.train, empty, digits.test)
    options = ["train.steps=5", "model.layers=[{type: flatten}, {type: dense, width: 20}]", "data.validation=none"]
    assert train(load.load_preset("digits", options), "digits", tmp_path / "run") is not None
    with pytest.raises(OptionError, match="judged on validation, but the network has learned from it"):
        compile_run(load_run(tmp_path / "run"), digits, prune_too=True)


def test_where_nothing_can_go_nothing_is_claimed():
    digits = data.load_dataset("digits")
    features = np.arange(64)
    encoder = Encoder(features, np.full(64, 8.0), (1, 8, 8), "uint8")
    circuit = Circuit(64, [Gate.XOR], [20], [30], [64], encoder, Head([3], [0] * 10))
    assert prune(circuit, digits.train, digits.validation, digits.test) == (circuit, None)
