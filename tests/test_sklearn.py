"""GatewrightClassifier: scikit-learn's own checks, and what they do not look at."""

import copy
import importlib
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from gatewright import circuit as circuits
from gatewright.circuit.evaluate import classify, encode
from gatewright.columns import Column, read_columns
from gatewright.errors import DataError, MissingExtraError, OptionError
from gatewright.sklearn import GatewrightClassifier
from gatewright.sklearn.rows import held_out_weight

ARRAY_API = "check_array_api_input"  # runs only where SCIPY_ARRAY_API is set, for estimators with array API support


def small(**changes):
    return GatewrightClassifier(**({"width": 100, "steps": 150, "random_state": 0} | changes))


@parametrize_with_checks([small(steps=100), small(width=None, steps=60, time="0s")])
def test_estimator(estimator, check):
    if getattr(check.func, "__name__", "") == ARRAY_API:
        assert not estimator.__sklearn_tags__().array_api_support
        return
    check(estimator)


def reference(circuit, x):
    """Classes by the slow evaluation."""
    return classify(circuit, encode(circuit, x))


@pytest.fixture(scope="module")
def cancer():
    return load_breast_cancer(return_X_y=True)


@pytest.fixture(scope="module")
def fitted(cancer):
    x, y = cancer
    return small().fit(x, np.array(["malignant", "benign"])[y])


def test_learns_a_table(cancer):
    scores = cross_val_score(GatewrightClassifier(width=300, steps=500, random_state=0), *cancer, cv=3)
    assert scores.mean() > 0.95


def test_layers_and_the_soft_relaxation_learn(cancer):
    for changes in ({"layers": 3}, {"relaxation": "soft", "steps": 300}):
        model = small(**changes).fit(*cancer)
        assert model.score(*cancer) > 0.9
        assert model.circuit_.n_outputs <= 100


def test_predictions_are_those_of_the_circuit(cancer, fitted):
    x = cancer[0].astype(np.float32)
    assert set(fitted.predict(x)) == {"benign", "malignant"}
    np.testing.assert_array_equal(fitted.predict(x), fitted.classes_[reference(fitted.circuit_, x)])
    np.testing.assert_array_equal(fitted.predict(cancer[0]), fitted.predict(x))  # float64 is compared as float32
    shares = fitted.predict_proba(x)
    np.testing.assert_array_equal(fitted.classes_[shares.argmax(axis=1)], fitted.predict(x))
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)


def test_the_circuit_is_simplified_and_named(fitted, tmp_path):
    circuit = fitted.circuit_
    assert circuit.head.class_names == ("benign", "malignant")
    assert circuits.simplify(circuit).same_as(circuit)
    circuits.save_circuit(circuit, tmp_path / "cancer.gw")
    assert circuits.load_circuit(tmp_path / "cancer.gw").same_as(circuit)


def test_width_is_rounded_up_to_the_classes():
    x, y = load_iris(return_X_y=True)
    circuit = small(width=100, steps=5, validation_fraction=0).fit(x, y).circuit_
    # Simplification moves constant outputs to the offsets but never changes the temperature, sqrt(group size) / 2.
    # (It is fitted to held-out rows where there are any.)
    assert circuit.head.tau == pytest.approx(np.sqrt(102 / 3) / 2)


def test_held_out_rows_are_not_learned_from():
    random = np.random.RandomState(0)
    x, y = random.rand(300, 10), random.randint(0, 2, 300)  # nothing to learn, only to remember
    model = small(steps=1000, validation_fraction=0.5).fit(x, y)
    assert model.score(x, y) > 0.6
    assert model.validation_score_ < 0.65  # the best of 20 evaluations on coin flips
    assert 2 * model.score(x, y) - model.validation_score_ > 0.7  # the half that was learned from


@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.floats(0, 1, exclude_max=True))
def test_a_share_of_each_class_is_held_out(sizes, share):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    held_out = held_out_weight(labels, share, np.random.RandomState(0))
    for label, size in enumerate(sizes):
        assert held_out[labels == label].sum() == min(round(share * size), size - 1)


def test_no_held_out_rows_no_validation_score():
    x = np.repeat(np.eye(2), 50, axis=0)
    y = np.repeat([0, 1], 50)
    model = small().fit(x, y)
    assert model.validation_score_ == model.score(x, y) == 1
    without = small(validation_fraction=0).fit(x, y)
    assert without.validation_score_ is None
    assert without.score(x, y) == 1
    few = np.r_[0:2, 50:52]
    assert small().fit(x[few], y[few]).validation_score_ is None  # a tenth of two rows is none


def test_same_seed_same_circuit(cancer):
    one, two, other = (small(steps=40, random_state=seed).fit(*cancer).circuit_ for seed in (3, 3, 4))
    assert one.same_as(two)
    assert not one.same_as(other)


@pytest.mark.parametrize(
    ("given_dtype", "wanted"),
    [
        ("bool", "uint8"),
        ("int8", "int16"),
        ("uint8", "uint8"),
        ("int16", "int16"),
        ("uint16", "int32"),
        ("int32", "int32"),
        (">i4", "int32"),
        ("int64", "float64"),
        ("float16", "float32"),
        ("float64", "float32"),
    ],
)
def test_feature_types(given_dtype, wanted):
    kind = np.dtype(given_dtype)
    top = np.iinfo(kind).max if kind.kind in "iu" else 1
    binary = np.arange(80) % 2
    x = np.stack([binary, np.full(80, top), np.full(80, top) - (np.arange(80) % 3 == 0)], axis=1).astype(kind)
    model = small(width=20).fit(x, binary)
    encoder = model.circuit_.encoder
    assert encoder.dtype == wanted
    assert encoder.threshold[encoder.feature == 0].tolist() == [1.0]
    raw = x.astype(wanted)
    np.testing.assert_array_equal(model.predict(x), reference(model.circuit_, raw))
    for other in ("int64", "float64", "uint64") if kind.kind in "biu" else ("float32",):
        if other != "uint64" or x.min() >= 0:
            np.testing.assert_array_equal(model.predict(x.astype(other)), model.predict(x))


@given(
    st.sampled_from(["uint8", "int16", "int32"]),
    st.lists(st.floats(-1e12, 1e12) | st.floats(-300, 300), min_size=1),
    st.integers(-(2**31), 2**31 - 1),
)
def test_conversion_keeps_comparisons_with_whole_thresholds(dtype, values, threshold):
    ends = np.iinfo(dtype)
    threshold = int(np.clip(threshold, ends.min + 1, ends.max))
    x = np.array(values)[:, None]
    read = read_columns([Column("x0", "integer")], [dtype], x, dtype)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read >= threshold, x >= threshold)


def test_numbers_beyond_float32_are_refused_in_fit_and_great_in_predict():
    x = np.array([[1e300], [0.0]] * 20)
    with pytest.raises(DataError, match="float32"):
        small().fit(x, np.arange(40) % 2)
    model = small().fit(np.minimum(x, 1), np.arange(40) % 2)
    assert model.predict([[1e300], [-1e300]]).tolist() == model.predict([[1.0], [0.0]]).tolist() == [0, 1]


def test_nan_is_refused_where_none_was_learned_from_and_infinity_always(cancer, fitted):
    x, y = cancer[0].copy(), cancer[1]
    x[3, 4] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        fitted.predict(x)
    x[3, 4] = np.inf
    with pytest.raises(ValueError, match=r"column 'x4' of X contains infinity, in row 3"):
        small().fit(x, y)


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"width": 10.0},
        {"layers": 0},
        {"thresholds": -1},
        {"candidates": True},
        {"steps": "many"},
        {"batch": 0},
        {"relaxation": "sotf"},
        {"validation_fraction": 1.0},
        {"validation_fraction": -0.1},
        {"validation_fraction": np.nan},
        {"validation_fraction": "all"},
        {"n_jobs": 0},
        {"time": 60},
        {"time": "60s"},
        {"n_jobs": "all"},
    ],
)
def test_bad_parameters_are_named(changes, cancer):
    ((name, _),) = changes.items()
    with pytest.raises(OptionError, match=name):
        small(**changes).fit(*cancer)


def test_numpy_parameters_are_welcome(cancer):
    model = small(width=np.int64(50), steps=np.int32(20), validation_fraction=np.float32(0.2))
    assert len(model.fit(*cancer).classes_) == 2


def test_one_class_is_refused(cancer):
    with pytest.raises(DataError, match="one class only"):
        small().fit(cancer[0], ["a"] * len(cancer[0]))
    model = small()
    with pytest.raises(DataError):
        model.fit(cancer[0], [1] * len(cancer[0]))
    with pytest.raises(NotFittedError):
        model.predict(cancer[0])


def test_feature_names_reach_the_circuit(cancer):
    frame = pd.DataFrame(cancer[0][:, :3], columns=["radius", "texture", "perimeter"])
    model = small().fit(frame, pd.Series(cancer[1]))
    assert model.feature_names_in_.tolist() == ["radius", "texture", "perimeter"]
    assert model.circuit_.encoder.feature_names == ("radius", "texture", "perimeter")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.rename(columns={"radius": "area"}))
    assert small(steps=5).fit(*cancer).circuit_.encoder.feature_names == ()


def test_pipeline_and_grid_search(cancer):
    x, y = cancer
    pipeline = make_pipeline(StandardScaler(), small())
    search = GridSearchCV(pipeline, {"gatewrightclassifier__width": [2, 100]}, cv=2, error_score="raise").fit(x, y)
    assert search.best_params_ == {"gatewrightclassifier__width": 100}
    assert search.score(x, y) > 0.9


def test_clones_are_unfitted(fitted):
    with pytest.raises(NotFittedError):
        clone(fitted).predict([[0.0] * 30])
    assert clone(fitted).get_params() == fitted.get_params()


@pytest.mark.parametrize("copied", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
def test_copies_predict_the_same(copied, cancer, fitted):
    again = copied(fitted)
    assert again.circuit_.same_as(fitted.circuit_)
    np.testing.assert_array_equal(again.predict_proba(cancer[0]), fitted.predict_proba(cancer[0]))
    assert copied(small(width=7)).width == 7


def test_prediction_never_imports_torch(cancer, fitted, tmp_path):
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(fitted))
    np.save(tmp_path / "x.npy", cancer[0])
    code = (
        "import pickle, sys, numpy as np\n"
        "model = pickle.load(open('model.pickle', 'rb'))\n"
        "print(*model.predict(np.load('x.npy')))\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == fitted.predict(cancer[0]).tolist()


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    def no_sklearn(name, *args, **kwargs):
        if name.split(".")[0] == "sklearn":
            raise ModuleNotFoundError(f"No module named {name!r}", name="sklearn")
        return real(name, *args, **kwargs)

    real = importlib.import_module
    monkeypatch.delitem(sys.modules, "gatewright.sklearn")
    monkeypatch.setattr("gatewright.errors.importlib.import_module", no_sklearn)
    with pytest.raises(MissingExtraError, match=r"pip install .scikit-learn.*\[sklearn\]"):
        real("gatewright.sklearn")


@pytest.mark.parametrize("dtype", ["Int32", "int32[pyarrow]"])
def test_nullable_tables_learn_as_arrays_do(dtype):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2**30, (60, 3), np.int32)
    y = x[:, 0] > 2**29
    frame = pd.DataFrame(x, columns=["a", "b", "c"]).astype(dtype)
    options = {"width": 20, "steps": 30, "random_state": 0}
    plain = GatewrightClassifier(**options).fit(x, y)
    model = GatewrightClassifier(**options).fit(frame, y)
    assert model.circuit_.encoder.dtype == "int32"
    assert model.circuit_.encoder.feature_names == ("a", "b", "c")
    assert model.predict(frame).tolist() == plain.predict(x).tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a", "c"]])
    gone = frame.mask(pd.DataFrame(x, columns=["a", "b", "c"]) == x[4, 1])
    learned = GatewrightClassifier(**options).fit(gone, y)
    assert learned.circuit_.encoder.feature_names == ("a", "b", "b is missing", "c")
    assert learned.predict(gone).tolist() == learned.predict(gone.astype("float64")).tolist()
    for call in (model.predict, model.predict_proba):
        with pytest.raises(DataError, match="column 'b' of X has 1 missing"):
            call(gone)
    for call in (model.predict, model.predict_proba, lambda table: GatewrightClassifier(**options).fit(table, y)):
        with pytest.raises(DataError, match=r"X has 1 masked value\(s\), the first at \[4, 1\]"):
            call(np.ma.masked_array(x, x == x[4, 1]))
