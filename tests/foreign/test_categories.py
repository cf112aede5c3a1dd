"""Splits by category, against the libraries' own decisions: known categories, others, fractions and negative numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier

import gatewright as gw
from gatewright.circuit.evaluate import classify, encode
from gatewright.errors import FormatError, UnsupportedError
from gatewright.foreign.categories import flips
from gatewright.foreign.forest import forest_circuit
from gatewright.foreign.lightgbm_json import from_lightgbm
from gatewright.foreign.scikit import from_scikit
from gatewright.foreign.xgboost_json import from_xgboost

FILES = Path(__file__).parent.parent / "data_files" / "foreign"
READ = {"xgboost": from_xgboost, "lightgbm": from_lightgbm}


def agrees(forest, x, scores, dtype):
    """Scores are the library's, and so are the circuit's decisions wherever rounding leaves no doubt."""
    assert forest.flips
    own = forest.scores(x)[:, 1]
    assert np.allclose(own, scores, atol=1e-6)
    circuit = forest_circuit(forest, dtype=dtype, quantize=10)
    decided = classify(circuit, encode(circuit, x.astype(dtype)))
    clear = np.abs(own) > len(forest.root) / circuit.head.tau
    assert clear.mean() > 0.9
    assert (decided == (scores > 0))[clear].all()
    small = gw.simplify(circuit)
    assert gw.prove(circuit, small).equal
    return circuit


@pytest.mark.parametrize("library", READ)
def test_files_of_boosting_libraries(library):
    """Written by XGBoost 3.2.0 and LightGBM 4.7.0 (make_boost_files.py)."""
    forest = READ[library](json.loads((FILES / f"{library}-categories.json").read_text()))
    with np.load(FILES / "boost-categories.npz") as saved:
        x, scores = saved["x"], saved[library]
    assert (x % 1 != 0).any()
    assert (x < 0).any()
    agrees(forest, x, scores, "float32")
    whole = (x % 1 == 0).all(1)
    agrees(forest, x[whole], scores[whole], "int16")


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "int16"])
def test_histograms_of_scikit_learn(dtype, missing):
    rng = np.random.default_rng(0)
    known = np.array([-3, -1, 2, 3, 7, 8, 11])

    def rows(n, values):
        table = [
            rng.integers(0, 40, n) / (4 if dtype == "float32" else 1),
            rng.choice(values, n),
            rng.integers(0, 4, n),
        ]
        return np.stack(table, 1).astype(dtype)

    x = rows(500, known)
    y = np.isin(x[:, 1], [-1, 2, 8]) ^ (x[:, 0] > 5) & (x[:, 2] != 2)
    given_x = np.where(missing & (rng.random(x.shape) < 0.1), np.nan, x) if missing else x
    model = HistGradientBoostingClassifier(max_iter=4, categorical_features=[1, 2], random_state=0).fit(given_x, y)
    others = [0.25, 2.5] if dtype == "float32" else []
    fresh = rows(900, [*known, -9, 0, 4, 99, *others])
    agrees(from_scikit(model), fresh, model.decision_function(fresh), dtype)


def test_categories_that_are_no_numbers_are_refused():
    x = np.array([["a", 1], ["b", 2], ["c", 3]] * 20, dtype=object)
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]).fit(x, [0, 1, 1] * 20)
    with pytest.raises(UnsupportedError, match=r"no numbers \('a', \.\.\.\).*fit it on codes"):
        gw.import_network(model, quantize=4)


@given(st.sets(st.integers(0, 12)), st.booleans(), st.integers(-3, 15))
def test_flips_are_where_the_answer_changes(chosen, inside_right, x):
    values = flips([(c, c + 1) for c in chosen], inside_right=inside_right)
    assert (np.count_nonzero(x >= values) % 2 == 1) == ((x in chosen) == inside_right)
    assert (np.diff(values) > 0).all()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("xgboost", {"categories_nodes": []}, "ask for categories are not those"),
        ("xgboost", {"categories_sizes": []}, "not XGBoost's model"),
        ("xgboost", {"categories": [-1] * 99}, "category -1"),
        ("lightgbm", {"threshold": "1||-2"}, "category -2"),
        ("lightgbm", {"threshold": "1||x"}, "not LightGBM's model"),
        ("lightgbm", {"decision_type": "!="}, "decides by '!='"),
    ],
)
def test_damaged_categories_are_refused_by_name(tmp_path, name, change, message):
    tree = json.loads((FILES / f"{name}-categories.json").read_text())
    if name == "xgboost":
        trees = tree["learner"]["gradient_booster"]["model"]["trees"]
        next(each for each in trees if each["categories"]).update(change)
    else:
        asking = [tree["tree_info"][0]["tree_structure"]]
        while asking[-1]["decision_type"] != "==":
            node = asking.pop()
            asking += [node[side] for side in ("left_child", "right_child") if "split_feature" in node[side]]
        asking[-1].update(change)
    file = tmp_path / "model.json"
    file.write_text(json.dumps(tree))
    with pytest.raises((FormatError, UnsupportedError), match=message):
        gw.import_network(file, quantize=8)
