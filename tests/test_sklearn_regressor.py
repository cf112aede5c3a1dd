"""GatewrightRegressor: scikit-learn's own checks, its circuit, and exports that give the same numbers to the last bit."""

import pickle
import subprocess

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.dummy import DummyRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

import gatewright as gw
from gatewright.circuit.evaluate import counts, encode
from gatewright.errors import DataError, OptionError, UnsupportedError
from gatewright.sklearn import GatewrightRegressor
from gatewright.sklearn.rows import Rows
from gatewright.sklearn.tasks import Numbers

ARRAY_API = "check_array_api_input"  # runs only where SCIPY_ARRAY_API is set, for estimators with array API support
SMALL = {"width": 40, "steps": 300, "random_state": 0}


@parametrize_with_checks([GatewrightRegressor(width=20, steps=60, random_state=0)])
def test_estimator(estimator, check):
    if getattr(check.func, "__name__", "") == ARRAY_API:
        assert not estimator.__sklearn_tags__().array_api_support
        return
    check(estimator)


def houses(n=600, seed=0):
    """A table with texts, missing values, 64-bit numbers, and prices that depend on them."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "rooms": pd.array(rng.integers(1, 9, n), "Int64"),
            "city": pd.Categorical(rng.choice(["Ulm", "Bonn", "Kiel"], n)),
            "account": rng.integers(0, 1000, n) + 3 * 10**9,
            "area": rng.lognormal(4, 0.4, n),
        }
    )
    prices = 1e5 + 2000 * frame.area.to_numpy() + 30000 * (frame.city == "Ulm") * frame.rooms.to_numpy(float)
    frame["rooms"] = frame.rooms.mask(rng.random(n) < 0.1)
    return frame, prices.to_numpy(float)


@pytest.fixture(scope="module")
def fitted():
    return GatewrightRegressor(**SMALL | {"steps": 600}).fit(*houses())


def test_predictions_are_those_of_the_circuit(fitted, tmp_path):
    fresh, prices = houses(seed=1)
    assert fitted.score(fresh, prices) > 0.8
    assert fitted.validation_score_ > 0.8
    circuit = fitted.circuit_
    assert gw.simplify(circuit).same_as(circuit)
    base, scale = circuit.head.number
    whole = counts(circuit, encode(circuit, fresh))[:, 0]
    assert (whole >= 0).all()
    np.testing.assert_array_equal(fitted.predict(fresh), base + scale * whole)
    gw.save_circuit(circuit, tmp_path / "houses.gw")
    np.testing.assert_array_equal(gw.load(tmp_path / "houses.gw").predict(fresh), fitted.predict(fresh))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(fresh), fitted.predict(fresh))


def test_the_exported_function_gives_the_same_bits_on_rows_never_seen(fitted, tmp_path):
    fresh, _ = houses(seed=2)
    predicted = fitted.predict(fresh)
    features = fitted.circuit_.encoder.samples(fresh)
    for word, flags in ((8, "-std=c99 -O1"), (64, "-O3 -march=native -ffp-contract=fast")):
        gw.export(fitted.circuit_, "c", tmp_path, name="price", word=word, driver=True)
        files = ["price.c", "price_main.c"]
        strict = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror"]
        subprocess.run(["gcc", *flags.split(), *strict, *files, "-o", "price"], cwd=tmp_path, check=True)
        run = subprocess.run([tmp_path / "price"], input=features.tobytes(), capture_output=True, check=True)
        numbers = np.array(run.stdout.split()).reshape(-1, 2)
        np.testing.assert_array_equal(numbers[:, 0].astype(float), predicted)
    (tmp_path / "row.c").write_text(
        '#include <stdio.h>\n#include "price.h"\n'
        "int main(void) {\n"
        "  static price_workspace work;\n"
        "  const price_row row = {.rooms = 3, .city = PRICE_CITY_ULM, .account = INT64_C(3000000007), .area = 55.5f};\n"
        '  printf("%.17g", price_predict_row(&row, 0, &work));\n}\n'
    )
    subprocess.run(["gcc", "-O1", "row.c", "price.c", "-o", "row"], cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "row"], capture_output=True, text=True, check=True).stdout
    row = pd.DataFrame({"rooms": [3], "city": ["Ulm"], "account": [3 * 10**9 + 7], "area": [np.float32(55.5)]})
    assert float(printed) == fitted.predict(row)[0]


def test_the_count_is_proven_and_simulated(fitted, tmp_path):
    fresh, _ = houses(64, seed=3)
    features = fitted.circuit_.encoder.samples(fresh)
    gw.export(fitted.circuit_, "verilog", tmp_path, name="price", pipeline=2, samples=features)
    text = (tmp_path / "price.v").read_text()
    base, scale = fitted.circuit_.head.number
    assert f"The result is the number {base!r} + {scale!r} * count" in text
    subprocess.run(["iverilog", "-Wall", "-o", "tb", "price.v", "price_tb.v"], cwd=tmp_path, check=True)
    printed = subprocess.run(["vvp", "tb"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "PASS 64 samples" in printed
    gw.export(fitted.circuit_, "aiger", tmp_path, name="price", encoder=True, head=True)
    assert gw.verify(fitted.circuit_, tmp_path / "price.aig").equal
    worse = fitted.circuit_.replace(outputs=np.roll(fitted.circuit_.outputs, 1) * 0 + fitted.circuit_.outputs[0])
    assert gw.verify(worse, tmp_path / "price.aig").equal is False


def test_what_needs_classes_refuses_numbers(fitted, tmp_path):
    fresh, _ = houses(5)
    engine = gw.Engine(fitted.circuit_)
    for call in (engine.scores, engine.predict_proba):
        with pytest.raises(UnsupportedError, match="gives a number"):
            call(fresh)
    with pytest.raises(OptionError, match="gives a number"):
        gw.export(fitted.circuit_, "verilog", tmp_path, scores=True)


def test_weights_are_rows_that_come_more_often():
    x, y = load_diabetes(return_X_y=True)
    x, y = x[:100], y[:100]
    weight = np.random.default_rng(0).integers(0, 3, 100)
    options = {"width": 10, "steps": 50, "random_state": 0}
    weighted = GatewrightRegressor(**options).fit(x, y, sample_weight=weight)
    repeated = GatewrightRegressor(**options).fit(np.repeat(x, weight, axis=0), np.repeat(y, weight))
    assert weighted.circuit_.same_as(repeated.circuit_)


def test_a_table_that_says_nothing_gives_the_mean():
    x, y = np.zeros((50, 2)), np.arange(50.0)
    model = GatewrightRegressor(width=10, steps=20, validation_fraction=0, random_state=0).fit(x, y)
    assert model.predict(x).tolist() == [24.5] * 50
    assert gw.cost(model.circuit_).total_ops == 0
    assert GatewrightRegressor(width=10, steps=20, random_state=0).fit(x, y * 0 + 7).predict(x[:2]).tolist() == [7, 7]


def test_bad_targets_and_parameters_are_named():
    x = np.arange(40.0).reshape(-1, 1)
    with pytest.raises(OptionError, match="width"):
        GatewrightRegressor(width=0).fit(x, x[:, 0])
    with pytest.raises(DataError, match="scale it"):
        GatewrightRegressor(**SMALL).fit(x, x[:, 0] * 1e300)
    with pytest.raises(DataError, match="scale it"):
        GatewrightRegressor(**SMALL).fit(x, x[:, 0] * 1e-40)
    with pytest.raises((ValueError, DataError), match=r"nothing to learn|non-zero"):
        GatewrightRegressor(**SMALL).fit(x, x[:, 0], sample_weight=np.zeros(40))
    with pytest.raises(ValueError, match="NaN"):
        GatewrightRegressor(**SMALL).fit(x, np.full(40, np.nan))
    assert clone(GatewrightRegressor(**SMALL)).get_params() == GatewrightRegressor(**SMALL).get_params()


def test_r2_and_slack_are_those_of_the_rows():
    y, weight = np.array([1.0, 2, 5, 9]), np.array([1.0, 2, 1, 3])
    task = Numbers.of(y, weight)
    rows = Rows(np.zeros((4, 1)), y, weight)
    predicted = np.array([1.5, 2, 4, 8])
    dummy = DummyRegressor(strategy="constant", constant=0).fit(rows.x, y)
    dummy.predict = lambda _: predicted
    errors = ((predicted - y) / task.scale.deviation) ** 2
    assert task.score(errors, rows, weight) == pytest.approx(dummy.score(rows.x, y, weight))
    assert task.slack(errors, errors, weight) == 0
    assert task.slack(errors + 1, errors, weight) == pytest.approx(0)


@pytest.mark.slow
def test_learns_what_lines_cannot():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 4))
    y = np.where(x[:, 0] > 0, 3.0, -1.0) * (x[:, 1] > 0.5) + 0.1 * rng.normal(size=2000)
    model = GatewrightRegressor(random_state=0).fit(x[:1500], y[:1500])
    assert model.score(x[1500:], y[1500:]) > 0.9
    assert model.feature_importances_[:2].sum() > 0.95
