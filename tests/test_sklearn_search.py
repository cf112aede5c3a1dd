"""Estimators that search for their network in the time they are given."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.utils.estimator_checks import parametrize_with_checks

import gatewright as gw
from gatewright.errors import OptionError
from gatewright.sklearn import GatewrightClassifier, GatewrightRegressor
from gatewright.sklearn.rows import fold_weights


@parametrize_with_checks([GatewrightClassifier(time="0s", steps=60, random_state=0)])
def test_estimator(estimator, check):
    check(estimator)


def test_the_limit_holds_and_the_same_trials_give_the_same_circuit():
    x, y = load_iris(return_X_y=True)
    options = {"time": "0s", "steps": 100, "random_state": 0}  # one trial, however slow the machine is
    free = GatewrightClassifier(**options).fit(x, y)
    assert free.score(x, y) > 0.9
    assert 0.85 < free.validation_score_ < 1
    assert free.circuit_.same_as(GatewrightClassifier(**options, n_jobs=2).fit(x, y).circuit_)
    ops = gw.cost(free.circuit_).total_ops
    limited = GatewrightClassifier(**options | {"time": "12s", "max_ops": ops // 2}).fit(x, y)
    assert gw.cost(limited.circuit_).total_ops <= ops // 2
    with pytest.raises(OptionError, match="max_ops is 3, but the smallest"):
        GatewrightClassifier(**options, max_ops=3).fit(x, y)


def test_many_rows_are_held_out_once(capsys):
    rng = np.random.default_rng(0)
    x = rng.random((2000, 3))
    y = x[:, 0] > x[:, 1]
    model = GatewrightClassifier(time="4s", steps=100, random_state=0, verbose=True).fit(x, y)
    assert model.score(x, y) > 0.85
    assert "trial 1: accuracy" in capsys.readouterr().out
    assert {line["width"] for line in model.history_} == {model.width_}


def test_numbers_are_searched_too():
    x, y = load_diabetes(return_X_y=True)
    model = GatewrightRegressor(time="0s", steps=60, random_state=0).fit(x, y)
    assert 0.2 < model.validation_score_ < 0.7
    assert model.score(x, y) > 0.3


def test_folds_hold_out_each_row_once_and_classes_alike():
    labels = np.array([0] * 20 + [1] * 11)
    weight = np.linspace(1, 2, 31)
    parts = fold_weights(labels, 5, np.random.RandomState(0), weight)
    assert np.allclose(np.sum(parts, axis=0), weight)
    assert all((part[:20] > 0).sum() == 4 for part in parts)
    assert {int((part[20:] > 0).sum()) for part in parts} == {2, 3}
    assert len(fold_weights(labels[:3], 5, np.random.RandomState(0), weight[:3])) == 3
