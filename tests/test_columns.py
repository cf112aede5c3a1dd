"""Columns of tables: what they are found to be, and their values as numbers."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.columns import Column, array_type, describe_columns, order_categories, read_columns, values_of
from gatewright.errors import DataError, DtypeError, FormatError, ShapeError

FRAME = pd.DataFrame(
    {
        "age": pd.array([17, 90, None, 40], "Int64"),
        "id": np.array([10**12, 10**12 + 1, 10**12 + 2, 5], np.int64),
        "share": [0.25, 0.5, np.nan, 1.5],
        "member": [True, False, True, True],
        "city": ["Ulm", None, "Bonn", "Ulm"],
        "whole": [1.0, 2.0, 3.0, 300.0],
    }
)


def described(frame):
    values = values_of(frame)
    columns, types = describe_columns(values)
    return columns, types, array_type(types, values)


def test_columns_are_what_they_are():
    columns, types, dtype = described(FRAME)
    assert [column.kind for column in columns] == ["integer", "integer", "float", "boolean", "category", "integer"]
    assert [column.missing for column in columns] == [True, False, True, False, True, False]
    assert columns[4].categories == ("Bonn", "Ulm")
    assert types == ("uint7", "bool", "uint40", "float32", "bool", "bool", "uint2", "uint9")
    assert dtype == "float64"
    assert read_columns(columns, types, FRAME, dtype).tolist() == [
        [17, 0, 10**12, 0.25, 0, 1, 1, 1],
        [90, 0, 10**12 + 1, 0.5, 0, 0, 2, 2],
        [0, 1, 10**12 + 2, 0, 1, 1, 0, 3],
        [40, 0, 5, 1.5, 0, 1, 1, 300],
    ]


def test_arrow_and_arrays_read_alike():
    columns, types, dtype = described(FRAME)
    wanted = read_columns(columns, types, FRAME, dtype)
    arrow = pa.Table.from_pandas(FRAME)
    np.testing.assert_array_equal(read_columns(columns, types, arrow, dtype), wanted)
    np.testing.assert_array_equal(read_columns(columns, types, FRAME[FRAME.columns[::-1]], dtype), wanted)
    plain = FRAME.astype(object).where(FRAME.notna(), None).to_numpy()
    np.testing.assert_array_equal(read_columns(columns, types, plain, dtype), wanted)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=2), st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_of_64_bits_compare_exactly(values, threshold):
    threshold = threshold if abs(threshold) <= 2**53 else threshold - threshold % 2048
    frame = pd.DataFrame({"x": np.array([*values, -(2**63), 2**63 - 1], np.int64)})
    columns, types, dtype = described(frame)
    assert (types, dtype) == (("int64",), "float64")
    read = read_columns(columns, types, frame, dtype)[:, 0]
    assert [x >= float(threshold) for x in read] == [int(x) >= threshold for x in frame.x]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda f: f.drop(columns="age"), DataError, r"x lacks the column\(s\) 'age'"),
        (lambda f: f.assign(member=[True, None, True, True]), DataError, "column 'member' of x has 1 missing"),
        (lambda f: f.assign(age=["a", "b", "c", "d"]), DtypeError, "column 'age' of x holds texts"),
        (lambda f: f.assign(city=[1, 2, 3, 4]), DtypeError, "column 'city' of x holds numbers"),
        (lambda f: f.assign(share=[np.inf, 0, 0, 0]), DataError, "column 'share' of x contains infinity, in row 0"),
        (
            lambda f: f.assign(share=pd.Timestamp("2026-01-01")),
            DtypeError,
            "'share' of x has dtype datetime64.*leave it out",
        ),
        (lambda f: f.assign(age=[1, "b", 2, 3]), DtypeError, "'age' of x mixes numbers and texts"),
        (lambda f: f.assign(age=[{}, 1, 2, 3]), DtypeError, "'age' of x holds a dict"),
        (lambda f: f.to_numpy()[:, :2], ShapeError, "x has 2 columns, expected 6"),
        (lambda f: pd.concat([f, f[["age"]]], axis=1), DataError, "two columns 'age'"),
    ],
)
def test_what_does_not_fit_is_named(change, error, message):
    columns, types, dtype = described(FRAME)
    with pytest.raises(error, match=message):
        read_columns(columns, types, change(FRAME), dtype)


def test_numbers_beyond_the_range_count_as_its_end():
    columns, types, dtype = described(FRAME)
    far = FRAME.assign(age=[-5, 128, 10**15, 3], whole=[-1.5, 2.9, 1e300, 7])
    read = read_columns(columns, types, far, dtype)
    assert read[:, 0].tolist() == [0, 127, 127, 3]
    assert read[:, -1].tolist() == [0, 2, 511, 7]


def test_unknown_categories_are_missing_or_refused():
    frame = pd.DataFrame({"a": ["x", "y", None], "b": ["x", "y", "y"]})
    columns, types, dtype = described(frame)
    assert read_columns(columns, types, frame.assign(a=["y", "z", None]), dtype)[:, 0].tolist() == [1, 2, 2]
    with pytest.raises(DataError, match="column 'b' of x, row 1: 'z' is no category that training had"):
        read_columns(columns, types, frame.assign(b=["y", "z", "x"]), dtype)


def test_categories_are_ordered_by_their_score():
    values = values_of(pd.DataFrame({"c": ["u", "v", "w", "u", "v", "w"]}))
    columns, _ = describe_columns(values)
    (ordered,) = order_categories(columns, values, np.array([1.0, 0, 1, 1, 0, 0]), np.ones(6))
    assert ordered.categories == ("v", "w", "u")


def test_too_many_texts_are_no_categories():
    with pytest.raises(DataError, match="column 'name' has 5,000 different texts"):
        describe_columns(values_of(pd.DataFrame({"name": [f"n{i}" for i in range(5000)]})))


def test_columns_that_are_none_are_refused():
    for parts in ({"kind": "number"}, {"kind": "category"}, {"kind": "category", "categories": ("a", "a")}):
        with pytest.raises(FormatError):
            Column("c", **parts)
