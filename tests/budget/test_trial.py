"""Single trials: stopped and resumed to the same bits, stopped when behind, pruned down to the budget."""

import numpy as np
import pytest
from optuna.trial import TrialState

import gatewright as gw
from gatewright.budget.clock import Clock
from gatewright.budget.front import rows, write_front
from gatewright.budget.limits import Budget
from gatewright.budget.space import Space
from gatewright.budget.study import About, Study
from gatewright.budget.trial import Worker
from gatewright.training.load import from_dict

ABOUT = About("digits", Budget(total_ops=1500), steps=40)


@pytest.fixture(scope="module")
def space():
    return Space(gw.load_dataset("digits"), ABOUT.budget)


def worker(space, out, *, limit=1, halt=lambda: False, about=ABOUT):
    study = Study(about, out)
    return Worker(study, space, Clock(out / "clock.json"), limit=limit, halt=halt)


def outcome(worker):
    (trial,) = worker.study.trials()
    return trial.state, trial.params, trial.intermediate_values, trial.value, trial.user_attrs["figures"]


def test_a_stopped_trial_is_resumed_to_the_same_bits(space, tmp_path):
    whole = worker(space, tmp_path / "whole")
    whole.run()
    asked = iter(range(17))
    first = worker(space, tmp_path / "stopped", halt=lambda: next(asked, None) is None)
    first.run()
    (running,) = first.study.trials()
    assert running.state is TrialState.RUNNING
    assert (first.study.folder(0) / "checkpoint.safetensors").exists()
    worker(space, tmp_path / "stopped").run()
    assert outcome(first) == outcome(whole)
    assert not (first.study.folder(0) / "checkpoint.safetensors").exists()
    one, two = (gw.load_circuit(each.study.folder(0) / "circuit.gw") for each in (first, whole))
    assert all(np.array_equal(getattr(one, part), getattr(two, part)) for part in ("gate", "a", "b", "outputs"))
    (row,) = rows(first.study)
    assert row["fits"] is (row["figures"]["total_ops"] <= 1500)
    assert {path.name for path in write_front(first.study)} >= {"front.json"}


def test_a_circuit_over_the_budget_loses_what_no_sample_needs(space, tmp_path):
    made = worker(space, tmp_path / "made")
    made.run()
    circuit = gw.load_circuit(made.study.folder(0) / "circuit.gw")
    (trial,) = made.study.trials()
    config = from_dict(trial.user_attrs["config"])
    tight = About("digits", Budget(total_ops=gw.cost(circuit).total_ops - 1), steps=40)
    judge = worker(space, tmp_path / "tight", about=tight)
    with judge.study.claim(1, ()) as open_trial:
        smaller, figures = judge._counted(open_trial, config, circuit)
        if figures["total_ops"] <= tight.budget.total_ops:
            assert from_dict(open_trial.user_attrs["final"]).circuit.prune
            assert gw.cost(smaller).total_ops == figures["total_ops"]
        else:
            assert "final" not in open_trial.user_attrs
            assert smaller is circuit


def test_what_cannot_be_trained_fails_alone(space, tmp_path, monkeypatch):
    def fail(circuit):
        raise gw.GatewrightError("no tool")

    monkeypatch.setattr(Budget, "count", lambda self, circuit: fail(circuit))
    one = worker(space, tmp_path)
    one.run()
    (trial,) = one.study.trials()
    assert trial.state is TrialState.FAIL
    assert trial.user_attrs["why"] == "no tool"
    assert one.study.winner() is None
