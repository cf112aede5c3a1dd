"""Forests as circuits: every decision is the library's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import gatewright as gw
from gatewright.circuit.evaluate import classify, counts, encode
from gatewright.errors import FormatError, NotFittedError, OptionError, UnsupportedError
from gatewright.features import feature_range
from gatewright.foreign.forest import Forest, forest_circuit
from gatewright.foreign.lightgbm_json import from_lightgbm
from gatewright.foreign.scikit import from_scikit
from gatewright.foreign.thresholds import first_above
from gatewright.foreign.xgboost_json import from_xgboost

FILES = Path(__file__).parent.parent / "data_files" / "foreign"


def classes(circuit, x):
    return classify(circuit, encode(circuit, x))


def table(seed, classes, *, dtype="float32", n=300):
    """Rows with repeated values, so that samples lie on thresholds, and noisy labels."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-8, 8, (n, 5)) if dtype != "uint8" else rng.integers(0, 256, (n, 5))
    y = (x[:, 0] + x[:, 1] * (x[:, 2] > 3) + rng.integers(0, 4, n)) % classes
    return (x / 2 if dtype == "float32" else x).astype(dtype), y


EXACT = [
    DecisionTreeClassifier(max_depth=3, random_state=0),
    DecisionTreeClassifier(splitter="random", class_weight="balanced", random_state=1),
    RandomForestClassifier(6, random_state=0),
    ExtraTreesClassifier(6, random_state=0),
]


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int16"])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", EXACT, ids=lambda m: type(m).__name__)
def test_votes_are_exact_ties_included(model, n_classes, dtype):
    x, y = table(0, n_classes, dtype=dtype)
    model.fit(x, y)
    circuit = gw.import_network(model, dtype=dtype)
    fresh, _ = table(1, n_classes, dtype=dtype, n=2000)
    assert (classes(circuit, fresh) == model.predict(fresh)).all()
    small = gw.simplify(circuit)
    assert (classes(small, fresh) == model.predict(fresh)).all()
    if dtype == "uint8":
        assert gw.prove(circuit, small).equal


def test_scores_of_three_classes_are_the_mean_of_votes():
    x, y = table(0, 3)
    model = RandomForestClassifier(8, random_state=0).fit(x, y)
    circuit = gw.import_network(model)
    scores = counts(circuit, encode(circuit, x)) / circuit.head.tau
    assert np.allclose(scores, model.predict_proba(x))


ROUNDED = [
    RandomForestClassifier(6, max_depth=3, random_state=0),
    GradientBoostingClassifier(n_estimators=4, random_state=0),
    GradientBoostingClassifier(n_estimators=4, init="zero", random_state=0),
    HistGradientBoostingClassifier(max_iter=4, random_state=0),
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", ROUNDED, ids=lambda m: type(m).__name__)
def test_fractions_are_rounded_on_request_alone(model, n_classes):
    x, y = table(0, n_classes)
    model.fit(x, y)
    with pytest.raises(UnsupportedError, match=r"leaf values are fractions.*quantize=BITS"):
        gw.import_network(model)
    circuit = gw.import_network(model, quantize=10, samples=(x, y))
    forest = from_scikit(model)
    assert (forest.classify(x) == model.predict(x)).all()
    # Whatever rounding changes, it changes no decision that is not close.
    scores = np.sort(forest.scores(x), axis=1)
    clear = scores[:, -1] - scores[:, -2] > 2 * len(forest.root) / circuit.head.tau
    assert clear.mean() > 0.5
    assert (classes(circuit, x) == model.predict(x))[clear].all()
    changed = int((classes(circuit, x) != model.predict(x)).sum())
    assert circuit.metadata["quantized"].startswith("leaf values to 10 bits: accuracy ")
    assert circuit.metadata["quantized"].endswith(f"on 300 samples, {changed} decisions changed")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 4), st.integers(0, 40), st.booleans())
def test_random_forests_of_whole_numbers(seed, trees, n_classes, splits, at_threshold_left):
    """Trees of any shape, with many ties, against a walk from the root of each tree."""
    rng = np.random.default_rng(seed)
    feature, threshold, left, right = (
        list(values) for values in ([-1] * trees, [0.0] * trees, [-1] * trees, [-1] * trees)
    )
    for _ in range(splits):
        node = int(rng.choice(np.flatnonzero(np.array(feature) < 0)))
        feature[node], threshold[node] = int(rng.integers(0, 3)), float(rng.choice([-np.inf, -1, 0, 0.5, 1, np.inf]))
        left[node], right[node] = len(feature), len(feature) + 1
        for values, value in ((feature, -1), (threshold, 0.0), (left, -1), (right, -1)):
            values += [value, value]
    forest = Forest(
        root=np.arange(trees),
        feature=np.array(feature),
        threshold=np.array(threshold),
        left=np.array(left),
        right=np.array(right),
        value=rng.integers(-3, 4, (len(feature), n_classes)).astype(float),
        base=rng.integers(-2, 3, n_classes).astype(float),
        n_features=3,
        library="test",
        at_threshold_left=at_threshold_left,
        ties_to_last=n_classes == 2 and bool(rng.integers(0, 2)),
    )
    circuit = forest_circuit(forest, dtype="int16")
    x = rng.integers(-2, 3, (200, 3)).astype(np.int16)
    wanted = np.array([forest.base + sum(forest.value[leaf_of(forest, r, row)] for r in forest.root) for row in x])
    assert np.array_equal(forest.scores(x), wanted)
    assert (classes(circuit, x) == forest.classify(x)).all()
    if n_classes > 2:
        assert np.array_equal(counts(circuit, encode(circuit, x)), wanted)


def leaf_of(forest, node, row):
    while forest.feature[node] >= 0:
        value, threshold = row[forest.feature[node]], forest.threshold[node]
        right = value > threshold if forest.at_threshold_left else value >= threshold
        node = forest.right[node] if right else forest.left[node]
    return node


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-3e9, 3e9) | st.integers(-(2**31), 2**31).map(float),
    st.sampled_from(["bool", "uint8", "int16", "int32", "float32"]),
    st.booleans(),
    st.booleans(),
)
def test_the_least_value_above_a_threshold(t, dtype, inclusive, float32):
    first = float(first_above(t, dtype, inclusive=inclusive, float32=float32))
    low, high = feature_range(dtype)
    if dtype == "float32":
        near = np.array([first, np.nextafter(np.float32(first), np.float32(-np.inf)), t], np.float32)
    else:
        near = np.clip(np.floor(first) + np.arange(-200, 201), low, high).astype(dtype)
    seen = near.astype(np.float32).astype(float) if float32 or dtype == "float32" else near.astype(float)
    assert np.array_equal(near.astype(float) >= first, seen >= t if inclusive else seen > t)


@pytest.mark.parametrize("kind", ["two", "three"])
@pytest.mark.parametrize(("library", "read"), [("xgboost", from_xgboost), ("lightgbm", from_lightgbm)])
def test_files_of_boosting_libraries(library, read, kind):
    """The files, and the scores beside them, were written by XGBoost 3.2.0 and LightGBM 4.7.0."""
    path = FILES / f"{library}-{kind}.json"
    with np.load(FILES / f"boost-{kind}.npz") as saved:
        x, wanted = saved["x"], saved[library]
    scores = read(json.loads(path.read_text())).scores(x)
    assert np.allclose(scores if kind == "three" else scores[:, 1], wanted, atol=1e-5)
    circuit = gw.import_network(path, quantize=10, dtype="uint8")
    decided = wanted.argmax(1) if kind == "three" else (wanted > 0).astype(int)
    assert (classes(circuit, x.astype(np.uint8)) == decided).mean() > 0.99


def change(tree, path, value):
    *above, last = path
    for key in above:
        tree = tree[key]
    tree[last] = value


DAMAGED = {
    "xgboost-two.json": [
        (("learner", "gradient_booster", "name"), "gblinear", "expected gbtree"),
        (("learner", "objective", "name"), "reg:squarederror", "no classification"),
        (("learner", "learner_model_param", "num_target"), "2", "several things"),
        (("learner", "gradient_booster", "model", "trees", 0, "split_type"), [1] * 13, "ask for categories"),
        (("learner", "gradient_booster", "model", "trees", 0, "left_children", 0), 0, "do not form trees"),
        (("learner", "gradient_booster", "model", "trees", 0, "left_children"), [1], "not XGBoost's model"),
        (("learner", "gradient_booster", "model", "trees", 0, "split_indices", 0), 99, "no feature of 0..5"),
        (("learner", "gradient_booster", "model", "trees", 0, "split_indices", 0), -1, "negative number"),
        (("learner", "gradient_booster", "model", "trees", 0, "left_children", 0), 1.5, "no whole numbers"),
        (("learner", "gradient_booster", "model", "tree_info", 0), -1, "do not serve"),
        (("learner", "learner_model_param", "num_class"), "1000000000", "1000000000 classes, but 5 trees"),
        (("learner", "learner_model_param"), {}, "not XGBoost's model"),
    ],
    "lightgbm-three.json": [
        (("objective",), "regression", "no classification"),
        (("tree_info", 0, "tree_structure", "decision_type"), "in", "decides by"),
        (("tree_info", 0, "tree_structure", "missing_type"), "Zero", "zero_as_missing"),
        (("tree_info", 0, "tree_structure", "left_child"), {}, "not LightGBM's model"),
        (("tree_info", 0, "tree_structure", "threshold"), "1||2", "not LightGBM's model"),
        (("num_tree_per_iteration",), 2, "whole rounds"),
        (("num_tree_per_iteration",), 10**9, "whole rounds"),
        (("tree_info", 0, "tree_structure", "split_feature"), -1, "compares feature -1"),
        (("tree_info", 0, "tree_structure", "split_feature"), 1.5, "compares feature 1.5"),
    ],
}


@pytest.mark.parametrize(
    ("name", "path", "value", "message"), [(name, *case) for name, cases in DAMAGED.items() for case in cases]
)
def test_damaged_and_other_models_are_refused_by_name(tmp_path, name, path, value, message):
    tree = json.loads((FILES / name).read_text())
    change(tree, path, value)
    file = tmp_path / name
    file.write_text(json.dumps(tree))
    with pytest.raises((FormatError, UnsupportedError), match=message):
        gw.import_network(file, quantize=8)


def test_truncated_and_foreign_files_are_refused_by_name(tmp_path):
    whole = (FILES / "xgboost-two.json").read_bytes()
    file = tmp_path / "model.json"
    for content in (whole[: len(whole) // 2], b"", b"\x80\x04."):
        file.write_bytes(content)
        with pytest.raises(FormatError, match=r"model\.json"):
            gw.import_network(file, quantize=8)
    file.write_text('{"a": 1}')
    with pytest.raises(FormatError, match="JSON of another kind"):
        gw.import_network(file, quantize=8)


def test_what_is_no_forest_is_refused_by_name():
    x, y = table(0, 2)
    with pytest.raises(UnsupportedError, match="LogisticRegression of scikit-learn is no circuit"):
        gw.import_network(LogisticRegression().fit(x, y))
    with pytest.raises(UnsupportedError, match=r"pipeline\[-1\]"):
        gw.import_network(make_pipeline(StandardScaler(), DecisionTreeClassifier()).fit(x, y))
    with pytest.raises(NotFittedError, match="not fitted"):
        gw.import_network(DecisionTreeClassifier())
    with pytest.raises(UnsupportedError, match="several things"):
        gw.import_network(DecisionTreeClassifier().fit(x, np.stack([y, y], 1)))
    with pytest.raises(UnsupportedError, match="starts from a LogisticRegression"):
        gw.import_network(GradientBoostingClassifier(n_estimators=2, init=LogisticRegression()).fit(x, y), quantize=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": 0}, "1 to 10"),
        ({"quantize": True}, "1 to 10"),
        ({"shape": (2, 2)}, "5 features"),
        ({"dtype": "float64"}, "unknown feature dtype"),
        ({"like": None}, "unknown option for networks of sklearn 'like'"),
    ],
)
def test_options_out_of_range(options, message):
    x, y = table(0, 2)
    with pytest.raises(OptionError, match=message):
        gw.import_network(DecisionTreeClassifier().fit(x, y), **options)


def test_names_are_those_of_the_classifier():
    x, y = table(0, 2)
    model = DecisionTreeClassifier(max_depth=2).fit(x, np.array(["no", "yes"])[y])
    assert gw.import_network(model).head.class_names == ("no", "yes")
    assert gw.import_network(model, class_names=("A", "B")).head.class_names == ("A", "B")
