"""UCI tables: how text becomes features, and the real files' known figures."""

import numpy as np
import pytest

from gatewright.data import uci
from gatewright.data.dataset import SPLITS
from gatewright.errors import DataError

LAYOUT = uci._Layout({"n": "number", "c": "category", "b": "bin", "y": "label", "id": "ignored"}, {"no": 0, "yes": 1})
TRAIN = b"7, red, 10-19, no, x1\n\n-3, ?, 0-4, yes, x2\n8, blue, 25-29, yes, x3\n\n"
TEST = b"|a comment\n9, green, 5-9, yes., x9\n1, blue, 10-14, no., x8\n"


def test_numbers_bins_and_categories():
    train, test = LAYOUT.parse(TRAIN, "train"), LAYOUT.parse(TEST, "test")
    names, binary = LAYOUT.names(train)
    assert names == ("n", "c=?", "c=blue", "c=red", "b")
    assert binary.tolist() == [False, True, True, True, False]
    assert LAYOUT.features(train, train, "int32", "train").tolist() == [
        [7, 0, 0, 1, 10],
        [-3, 1, 0, 0, 0],
        [8, 0, 1, 0, 25],
    ]
    # green is only in the test file
    assert LAYOUT.features(test, train, "int32", "test").tolist() == [[9, 0, 0, 0, 5], [1, 0, 1, 0, 10]]
    assert LAYOUT.targets(train, "train").tolist() == [0, 1, 1]
    assert LAYOUT.targets(test, "test").tolist() == [1, 0]


def test_bad_rows_are_named():
    with pytest.raises(DataError, match="where, row 2: 4 values, expected 5"):
        LAYOUT.parse(b"7, red, 1-2, no, x\n8, red, 1-2, no\n", "where")
    table = LAYOUT.parse(b"7, red, 1-2, maybe, x\n", "where")
    with pytest.raises(DataError, match=r"where, row 1: label 'maybe', expected one of \['no', 'yes'\]"):
        LAYOUT.targets(table, "where")
    table = LAYOUT.parse(b"seven, red, 1-2, no, x\n", "where")
    with pytest.raises(DataError, match=r"where, column n: .*'seven'"):
        LAYOUT.features(table, table, "int32", "where")


def counts(data):
    return [np.bincount(data.split(part).y, minlength=2) for part in SPLITS]


def test_real_adult(real_data):
    data = real_data("adult")
    train, validation, test = counts(data)
    assert (train + validation).tolist() == [24_720, 7_841]
    assert test.tolist() == [12_435, 3_846]
    assert data.train.x.dtype == np.int32
    at = {name: i for i, name in enumerate(data.feature_names)}
    numbers = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    assert [data.feature_names[i] for i in np.flatnonzero(~data.binary_features)] == numbers
    assert [data.types[at[name]] for name in numbers] == ["uint7", "uint21", "uint5", "uint17", "uint13", "uint7"]
    assert {data.types[i] for i in np.flatnonzero(data.binary_features)} == {"bool"}
    first = data.train.x[0]
    assert [first[at[name]] for name in numbers] == [39, 77516, 13, 2174, 0, 40]
    on = {data.feature_names[i] for i in np.flatnonzero(first) if data.binary_features[i]}
    assert on == {
        *("workclass=State-gov", "education=Bachelors", "marital-status=Never-married", "occupation=Adm-clerical"),
        *("relationship=Not-in-family", "race=White", "sex=Male", "native-country=United-States"),
    }
    # Row 9 of the file is the first validation row: 42, Private, 159449, Bachelors, ... >50K
    assert data.validation.x[0, at["fnlwgt"]] == 159449
    for part in SPLITS:
        one_hot = data.split(part).x[:, data.binary_features]
        assert set(np.unique(one_hot)) == {0, 1}
        assert (one_hot.sum(axis=1) == 8).all()  # one value for each of the eight categories, missing ones included
    missing = sum(int(data.split(part).x[:, at["workclass=?"]].sum()) for part in SPLITS)
    assert missing == 2_799


def test_real_breast_cancer(real_data):
    data = real_data("breast-cancer")
    assert sum(counts(data)).tolist() == [201, 85]
    assert [name for name, binary in zip(data.feature_names, data.binary_features, strict=True) if not binary] == [
        *("age", "tumor-size", "inv-nodes", "deg-malig"),
    ]
    x = np.concatenate([data.split(part).x for part in SPLITS])
    assert np.unique(x[:, 0]).tolist() == [20, 30, 40, 50, 60, 70]
    assert (x[:, data.binary_features].sum(axis=1) == 5).all()


RULES = {
    "monks-1": lambda a: a[1] == a[2] or a[5] == 1,
    "monks-2": lambda a: sum(value == 1 for value in a[1:]) == 2,
    "monks-3": lambda a: (a[5] == 3 and a[4] == 1) or (a[5] != 4 and a[2] != 3),
}


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("monks-1", [62, 62], [216, 216]), ("monks-2", [105, 64], [290, 142]), ("monks-3", [62, 60], [204, 228])],
)
def test_real_monks_follow_their_rules(real_data, name, train, test):
    data = real_data(name)
    found = counts(data)
    assert (found[0] + found[1]).tolist() == train
    assert found[2].tolist() == test
    assert data.binary_features.all()
    wrong = dict.fromkeys(SPLITS, 0)
    for part in SPLITS:
        for row, label in zip(data.split(part).x, data.split(part).y, strict=True):
            on = [data.feature_names[i].split("=") for i in np.flatnonzero(row)]
            attributes = [0, *(int(value) for _, value in on)]
            assert [attribute for attribute, _ in on] == ["a1", "a2", "a3", "a4", "a5", "a6"]
            wrong[part] += RULES[name](attributes) != bool(label)
    assert wrong["test"] == 0
    assert wrong["train"] + wrong["validation"] == (6 if name == "monks-3" else 0)  # 5 % of 122 labels are wrong
    assert len({row.tobytes() for row in data.test.x}) == 432
