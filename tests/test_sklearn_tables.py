"""GatewrightClassifier on tables as they are: texts, missing values, 64-bit numbers, weights, limits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, recall_score
from sklearn.multioutput import MultiOutputClassifier

from gatewright import circuit as circuits
from gatewright.engine import Engine
from gatewright.errors import DataError, OptionError
from gatewright.sklearn import GatewrightClassifier, GatewrightRegressor, comparing, learning, network
from gatewright.sklearn.calibration import fitted_temperature
from gatewright.sklearn.comparing import smallest_of_the_best
from gatewright.sklearn.network import Learned
from gatewright.sklearn.rows import merged_rows
from gatewright.sklearn.tasks import Classes
from support.circuits import random_circuit

SMALL = {"width": 20, "steps": 200, "random_state": 0}


def people(n=400, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": pd.array(rng.integers(0, 90, n), "Int64"),
            "city": pd.Categorical(rng.choice(["Ulm", "Bonn", "Kiel"], n)),
            "account": rng.integers(0, 1000, n) + 3 * 10**9,
            "noise": rng.normal(size=n),
        }
    )
    y = np.where((frame.city == "Ulm") ^ (frame.account > 3 * 10**9 + 500), "late", "on time")
    frame["age"] = frame.age.mask(rng.random(n) < 0.2)
    return frame, y


@pytest.fixture(scope="module")
def fitted():
    return GatewrightClassifier(**SMALL | {"steps": 500}).fit(*people())


def test_columns_are_learned_as_they_are(fitted, tmp_path):
    fresh, y = people(seed=1)
    assert fitted.score(fresh, y) > 0.9
    encoder = fitted.circuit_.encoder
    assert encoder.types == ("uint7", "bool", "uint2", "uint32", "float32")
    assert encoder.feature_names == ("age", "age is missing", "city", "account", "noise")
    circuits.save_circuit(fitted.circuit_, tmp_path / "people.gw")
    engine = Engine(circuits.load_circuit(tmp_path / "people.gw"))
    np.testing.assert_array_equal(fitted.classes_[engine.predict(fresh)], fitted.predict(fresh))
    np.testing.assert_array_equal(fitted.classes_[engine.predict(fresh[fresh.columns[::-1]])], fitted.predict(fresh))


def test_importances_say_what_matters(fitted):
    importances = dict(zip(fitted.feature_names_in_, fitted.feature_importances_, strict=True))
    assert sum(importances.values()) == pytest.approx(1)
    assert min(importances["city"], importances["account"]) > 5 * max(importances["age"], importances["noise"])


def test_scores_agree(fitted):
    fresh, _ = people(seed=2)
    decision = fitted.decision_function(fresh)
    assert decision.shape == (len(fresh),)
    np.testing.assert_array_equal(fitted.classes_[(decision > 0).astype(int)], fitted.predict(fresh))
    np.testing.assert_allclose(np.exp(fitted.predict_log_proba(fresh)), fitted.predict_proba(fresh), rtol=1e-5)
    three = GatewrightClassifier(**SMALL).fit(fresh[["account"]], np.arange(len(fresh)) % 3)
    assert three.decision_function(fresh[["account"]]).shape == (len(fresh), 3)


def test_history_and_verbosity(capsys):
    model = GatewrightClassifier(**SMALL | {"verbose": True, "width": 21}).fit(*people())
    assert model.width_ == 22  # a multiple of the classes
    assert [line["step"] for line in model.history_ if "validation" in line][-1] == 200
    assert "width 22, step 200 of 200: held-out accuracy" in capsys.readouterr().out


@pytest.mark.parametrize("offset", [0, 2**31, 2**52, -(2**40)])
def test_whole_numbers_are_exact(offset):
    x = np.arange(200, dtype=np.int64)[:, None] + offset
    y = x[:, 0] % 200 >= 100 if offset == 0 else x[:, 0] >= offset + 100
    for table in (x, pd.DataFrame({"x": x[:, 0], "half": np.linspace(0, 0.5, 200) * 0 + 0.5})):
        model = GatewrightClassifier(**SMALL | {"thresholds": 199}).fit(table, y)
        assert model.score(table, y) == 1


def test_a_row_of_weight_two_is_a_row_that_comes_twice():
    frame, y = people(120)
    weight = np.arange(120) % 3
    weighted = GatewrightClassifier(**SMALL).fit(frame, y, sample_weight=weight)
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(120), weight))
    repeated = GatewrightClassifier(**SMALL).fit(frame.iloc[order], y[order])
    assert weighted.circuit_.same_as(repeated.circuit_)
    assert weighted.validation_score_ == repeated.validation_score_


def test_classes_count_what_they_weigh():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 1))
    y = (x[:, 0] + rng.normal(size=1000) > 2).astype(int)  # few, and hard to tell
    plain, balanced, heavy = (
        GatewrightClassifier(**SMALL, class_weight=weight).fit(x, y) for weight in (None, "balanced", {0: 1, 1: 30})
    )
    found = [model.predict(x)[y == 1].mean() for model in (plain, balanced, heavy)]
    assert found[0] < 0.6
    assert min(found[1:]) > found[0] + 0.15
    with pytest.raises(OptionError, match="class_weight"):
        GatewrightClassifier(**SMALL, class_weight={0: 0, 1: 1}).fit(x, y)
    with pytest.raises(DataError, match="y has one class only"):
        GatewrightClassifier(**SMALL).fit(x, y, sample_weight=y)


def test_the_smallest_good_circuit_is_kept_and_limits_hold():
    frame, y = people()
    options = {"steps": 60, "random_state": 0}
    model = GatewrightClassifier(**options).fit(frame, y)
    assert {line["width"] for line in model.history_} == {model.width_}
    ops = circuits.cost(GatewrightClassifier(**options, width=20).fit(frame, y).circuit_).total_ops
    limited = GatewrightClassifier(**options, max_ops=ops // 2).fit(frame, y)
    assert circuits.cost(limited.circuit_).total_ops <= ops // 2
    with pytest.raises(OptionError, match="max_ops is 1, but the smallest circuit found has"):
        GatewrightClassifier(**options | {"steps": 5}, width=20, max_ops=1).fit(frame, y)


def test_the_best_must_have_more_right_than_chance_would_give_it():
    def learned(gates, right):
        right = np.array(right, bool)
        return Learned(random_circuit(0, 10, gates, gates // 5), float(right.mean()), 1.0 - right)

    even, task = np.ones(8), Classes(("no", "yes"))
    small, large = learned(20, [1, 1, 1, 1, 1, 0, 0, 0]), learned(200, [1, 1, 1, 0, 1, 1, 1, 0])
    assert smallest_of_the_best([small, large], task, even) is small  # two rows against one
    assert smallest_of_the_best([small, learned(200, [1] * 8)], task, even) is not small  # three rows against none
    assert smallest_of_the_best([large, small], task, even) is small
    assert smallest_of_the_best([small, large], task, np.array([1, 1, 1, 1, 1, 4, 4, 1])) is large
    assert smallest_of_the_best([small, large], task, np.zeros(0)) is large  # nothing to choose on


@pytest.fixture
def trained(monkeypatch):
    """What was held out of each network that is trained, its width, and the multiple of the temperature."""
    seen, train = [], network.train_network

    def recorded(encoder, rows, held, features, task, options, width, seed, **choose):
        seen.append((held.sum(), width, options.temperature))
        return train(encoder, rows, held, features, task, options, width, seed, **choose)

    for module in (learning, comparing):
        monkeypatch.setattr(module, "train_network", recorded)
    return seen


def test_few_rows_are_held_out_in_turn_and_all_learned_from_in_the_end(trained):
    model = GatewrightClassifier(steps=20, random_state=0).fit(*people(200))
    assert [held for held, *_ in trained] == [pytest.approx(40)] * 10 + [0]
    assert [(width, temperature) for _, width, temperature in trained[:10]] == [(100, 1)] * 5 + [(100, 3)] * 5
    assert trained[-1][1:] in {(100, 1), (100, 3)}
    assert 0.5 < model.validation_score_ < 1


def test_of_many_rows_a_share_is_held_out(trained):
    model = GatewrightClassifier(steps=20, random_state=0).fit(*people(1200))
    assert trained == [(pytest.approx(120, abs=1), width, 1) for width in (40, 100, 250)]
    assert model.validation_score_ is not None


def test_steps_follow_from_the_rows():
    frame, y = people()
    given = {"width": 20, "random_state": 0}
    for batch, steps in ((64, 563), (1024, 500)):  # 360 rows, 100 times, by 64
        assert GatewrightClassifier(**given, batch=batch).fit(frame, y).history_[-1]["step"] == steps
    with pytest.raises(OptionError, match="steps is 0, expected a whole number of at least 1, or None"):
        GatewrightClassifier(steps=0).fit(frame, y)


def test_what_fit_did_not_see_is_named(fitted):
    fresh, _ = people(10, seed=3)
    with pytest.raises(DataError, match="row 0: 'Rom' is no category that training had"):
        fitted.predict(fresh.assign(city="Rom"))
    with pytest.raises(DataError, match="column 'account' of X has 10 missing"):
        fitted.predict(fresh.assign(account=np.nan))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(fresh.drop(columns="age"))
    with pytest.raises(ValueError, match="'noise' of X has dtype datetime64"):
        GatewrightClassifier(**SMALL).fit(fresh.assign(noise=pd.Timestamp(0)), np.arange(10) % 2)


def test_equal_rows_are_put_together():
    x = np.array([[1.0, 0.0], [2, 0], [1, -0.0], [1, 0]], np.float32)
    rows = merged_rows(x, np.array([0, 1, 0, 1]), np.array([0.5, 1, 0.25, 2]))
    assert rows.x.tolist() == [[1, 0], [1, 0], [2, 0]]
    assert rows.y.tolist() == [0, 1, 1]
    assert rows.weight.tolist() == [1, 2 / 0.75, 1 / 0.75]  # the lightest row counts one


def rare(n=3000, seed=0):
    """Rows of which 2 % are of a class that two columns give away, if not for sure."""
    rng = np.random.default_rng(seed)
    y = rng.random(n) < 0.02
    x = rng.normal(size=(n, 5))
    x[:, 0] += 1.5 * y
    x[:, 1] -= 1.5 * y
    return x, y


def test_balanced_weights_find_a_class_of_two_percent():
    (x, y), (fresh, truth) = rare(), rare(seed=1)
    options = {"width": 40, "steps": 600, "random_state": 0}
    plain = GatewrightClassifier(**options).fit(x, y).predict(fresh)
    balanced = GatewrightClassifier(**options, class_weight="balanced").fit(x, y).predict(fresh)
    assert recall_score(truth, balanced) > recall_score(truth, plain) + 0.3
    assert balanced_accuracy_score(truth, balanced) > balanced_accuracy_score(truth, plain) + 0.1


def test_probabilities_are_calibrated_on_held_out_rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 6))
    y = (x[:, 0] + x[:, 1] + 1.5 * rng.normal(size=2000)) > 0  # what can be known is far from sure
    model = GatewrightClassifier(width=100, steps=600, random_state=0).fit(x[:1000], y[:1000])
    by_rule = model.circuit_.replace(head=replace(model.circuit_.head, tau=np.sqrt(50) / 2))

    def loss(probabilities):
        return -np.log(probabilities[np.arange(1000), y[1000:].astype(int)]).mean()

    fresh = x[1000:].astype(np.float32)
    assert loss(model.predict_proba(fresh)) < loss(Engine(by_rule).predict_proba(fresh)) - 0.01
    share = np.average(model.predict_proba(x[1000:]).max(axis=1))
    assert share == pytest.approx(model.score(x[1000:], y[1000:]), abs=0.05)


@given(st.integers(0, 2**31), st.integers(2, 5), st.floats(0.3, 30))
def test_the_fitted_temperature_has_the_least_loss(seed, classes, start):
    rng = np.random.default_rng(seed)
    counts, labels = rng.integers(0, 30, (200, classes)), rng.integers(0, classes, 200)
    labels = np.where(rng.random(200) < 0.6, counts.argmax(axis=1), labels)
    weight = rng.uniform(1, 3, 200)

    def loss(tau):
        scores = counts / tau
        top = scores.max(axis=1)
        logs = top + np.log(np.exp(scores - top[:, None]).sum(axis=1)) - scores[np.arange(200), labels]
        return weight @ logs + (np.log(tau / start) / np.log(2)) ** 2 / 2

    found = fitted_temperature(counts, labels, weight, start)
    assert loss(found) <= min(loss(start), loss(found * 0.97), loss(found * 1.03)) + 1e-9


def test_temperatures_without_rows_or_differences_stay():
    none = np.zeros((0, 3), np.int64)
    assert fitted_temperature(none, none[:, 0], none[:, 0].astype(float), 2.5) == 2.5
    same = np.full((5, 3), 4)
    assert fitted_temperature(same, np.zeros(5, np.int64), np.ones(5), 2.5) == 2.5
    sure = np.array([[9, 0]] * 50)  # all right: the prior alone keeps the temperature from zero
    assert 0.5 < fitted_temperature(sure, np.zeros(50, np.int64), np.ones(50), 2.0) < 2


@pytest.mark.slow
def test_processes_find_the_same_circuit():
    frame, y = people()
    options = {"steps": 40, "random_state": 0}
    alone = GatewrightClassifier(**options).fit(frame, y)
    assert GatewrightClassifier(**options, n_jobs=2).fit(frame, y).circuit_.same_as(alone.circuit_)


def test_several_labels_and_ordered_ones_take_scikit_learns_wrappers():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 100, (400, 3))
    labels = np.column_stack([x[:, 0] > 50, x[:, 1] > x[:, 2]])
    options = {"width": 20, "steps": 300, "random_state": 0}
    several = MultiOutputClassifier(GatewrightClassifier(**options)).fit(x, labels)
    assert (several.predict(x) == labels).mean() > 0.9
    assert [each.circuit_.n_inputs > 0 for each in several.estimators_] == [True, True]  # a circuit a label
    grades = np.clip((x[:, 0] + x[:, 1]) // 40, 0, 4)
    found = GatewrightRegressor(width=40, steps=300, random_state=0).fit(x, grades).predict(x)
    assert np.abs(np.clip(np.rint(found), 0, 4) - grades).mean() < 0.4
