"""Estimators that search for their network in the time they are given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_iris

import gatewright as gw
from gatewright.errors import OptionError
from gatewright.sklearn import GatewrightClassifier, GatewrightRegressor
from gatewright.sklearn.rows import fold_weights


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
    with pytest.raises(OptionError, match="a time looks like 90s, 10m"):
        GatewrightClassifier(time="soon").fit(x, y)
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
    parts = fold_weights(labels, 5, np.random.RandomState(0), np.ones(31))
    assert np.array_equal(np.sum(parts, axis=0), np.ones(31))
    assert {float(value) for part in parts for value in part} == {0, 1}
    assert all((part[:20] > 0).sum() == 4 for part in parts)
    assert {int((part[20:] > 0).sum()) for part in parts} == {2, 3}
    assert len(fold_weights(labels[:3], 5, np.random.RandomState(0), np.ones(3))) == 3


@given(st.lists(st.floats(0.01, 30), min_size=2, max_size=40), st.integers(0, 100))
def test_rows_that_count_much_are_dealt_out_like_many(weights, seed):
    weight = np.array(weights)
    labels = np.arange(len(weight)) % 2
    parts = fold_weights(labels, 5, np.random.RandomState(seed), weight)
    assert np.allclose(np.sum(parts, axis=0), weight)
    usual = np.array([np.median(weight[labels == label]) for label in labels])
    copies = np.maximum(1, np.round(weight / usual))
    for part in parts:
        assert part.any()
        assert ((part >= 0) & (part <= weight)).all()
        assert (part <= weight * np.ceil(copies / 5) / copies + 1e-9).all(), "others like it are left"
        assert ((part == 0) | (part == weight))[copies == 1].all()


def test_weights_of_classes_split_no_row():
    labels = np.array([0] * 180 + [1] * 20)
    weight = np.where(labels == 1, 9.0, 1.0)
    parts = fold_weights(labels, 5, np.random.RandomState(0), weight)
    assert all(((part == 0) | (part == weight)).all() for part in parts)
    assert [part[labels == 1].sum() for part in parts] == [36] * 5


def test_few_rows_that_count_twice_are_rows_that_come_twice():
    rng = np.random.default_rng(0)
    x = rng.random((60, 3))
    y = np.array([*["a"] * 29, *["b"] * 30, "c"])  # folds without a row of c
    once = GatewrightClassifier(steps=20, random_state=0).fit(x, y, sample_weight=np.full(60, 2.0))
    twice = GatewrightClassifier(steps=20, random_state=0, n_jobs=2).fit(np.vstack([x, x]), [*y, *y])
    assert once.circuit_.same_as(twice.circuit_)
    assert once.validation_score_ == twice.validation_score_


def test_a_limit_holds_where_few_rows_are_compared_by_folds():
    x, y = load_iris(return_X_y=True)
    free = GatewrightClassifier(steps=50, random_state=0).fit(x, y)
    ops = gw.cost(free.circuit_).total_ops
    for limit in (ops, ops - 1, ops // 2):
        assert (
            gw.cost(GatewrightClassifier(steps=50, random_state=0, max_ops=limit).fit(x, y).circuit_).total_ops <= limit
        )
    with pytest.raises(OptionError, match="max_ops is 2, but the smallest circuit found has"):
        GatewrightClassifier(steps=50, random_state=0, max_ops=2).fit(x, y)
