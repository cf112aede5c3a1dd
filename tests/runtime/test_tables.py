"""Tables are read by their columns' names, with nothing missing."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import gatewright as gw
from gatewright.circuit import Circuit, Encoder, Head
from gatewright.circuit.evaluate import encode
from gatewright.errors import DataError, DtypeError
from gatewright.runtime.tables import column_names

NAMES = ("age", "weight")
X = np.array([[20, 200], [5, 30], [90, 3], [1, 250]], np.int32)


def circuit(dtype="int32", names=NAMES):
    encoder = Encoder([0, 1], [10, 100], shape=(2,), dtype=dtype, feature_names=names)
    return Circuit(2, [2], [0], [1], outputs=[2, 1], encoder=encoder, head=Head([0, 1], [0, 0]))  # age and not weight


def frame(dtype="int32"):
    return pd.DataFrame(X, columns=NAMES).astype(dtype)


FRAMES = {
    "numpy": frame,
    "nullable": lambda: frame("Int32"),
    "arrow": lambda: frame("int32[pyarrow]"),
    "mixed": lambda: frame().astype({"age": "Int16", "weight": "uint8[pyarrow]"}),
    "Arrow's table": lambda: pa.table(frame()),
    "Arrow's batch": lambda: pa.RecordBatch.from_pandas(frame()),
    "without names": lambda: frame().set_axis([0, 1], axis=1),
    "unmasked": lambda: np.ma.masked_array(X),
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_tables_give_what_arrays_give(make):
    engine = gw.Engine(circuit(), threads=1)
    expected = engine.predict(X)
    assert engine.predict(make()).tolist() == expected.tolist()
    assert gw.Model(circuit()).predict(make()).tolist() == expected.tolist()
    assert np.array_equal(encode(circuit(), make()), encode(circuit(), X))
    assert np.concatenate(list(engine.predict_stream([make(), make()]))).tolist() == [*expected, *expected]


WRONG = {
    "swapped": (lambda table: table[["weight", "age"]], "column 0 is 'weight', expected 'age'"),
    "others": (lambda table: table.rename(columns={"age": "height"}), "lacks 'age' and has 'height'"),
    "more": (lambda table: table.assign(height=1), "has 'height'"),
    "fewer": (lambda table: table[["age"]], "lacks 'weight'"),
    "twice": (lambda table: table[["age", "weight", "weight"]], "column 2 is 'weight', expected none"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_other_columns_are_refused_by_name(wrong, kind):
    change, message = WRONG[wrong]
    table = change(frame())
    if kind == "arrow":
        table = pa.Table.from_arrays([pa.array(table.iloc[:, i]) for i in range(table.shape[1])], list(table.columns))
    for call in (gw.Engine(circuit(), threads=1).predict, gw.Model(circuit()).predict_proba):
        with pytest.raises(DataError, match=message):
            call(table)


def test_circuits_without_names_go_by_position():
    engine = gw.Engine(circuit(names=()), threads=1)
    assert engine.predict(frame()).tolist() == engine.predict(X).tolist()


def masked():
    return np.ma.masked_array(X, [[False, False], [False, True], [False, False], [False, False]])


MISSING = {
    "nullable": (lambda: frame("Int32").mask(frame() == 30), "column 'weight' of x has 1 missing .* row 1"),
    "arrow": (lambda: frame("int32[pyarrow]").mask(frame() == 30), "column 'weight' of x has 1 missing .* row 1"),
    "Arrow's table": (lambda: pa.table({"age": [1, 2], "weight": [1, None]}), "column 'weight' of x has 1 missing"),
    "masked": (masked, r"1 masked value\(s\), the first at \[1, 1\]"),
}


@pytest.mark.parametrize("kind", MISSING)
def test_missing_values_are_refused_by_name(kind):
    make, message = MISSING[kind]
    with pytest.raises(DataError, match=message):
        gw.Engine(circuit(), threads=1).predict(make())
    with pytest.raises(DataError, match=message):
        gw.Thermometer(2).fit(make())


def test_nan_names_the_feature():
    table = frame("float32")
    table.loc[2, "weight"] = np.nan
    with pytest.raises(DataError, match=r"sample 2, feature 1 \('weight'\)"):
        gw.Engine(circuit("float32"), threads=1).predict(table)


def test_columns_that_are_no_numbers_are_named():
    table = frame().astype({"weight": "category"})
    with pytest.raises(DtypeError, match="column 'weight' of x has dtype category"):
        gw.Engine(circuit(), threads=1).predict(table)
    with pytest.raises(DtypeError, match="column 'age' of x has dtype object"):
        gw.Engine(circuit(), threads=1).predict(frame().astype({"age": object}))
    wide = frame().astype({"age": "int64", "weight": "uint64"})
    with pytest.raises(DtypeError, match="int64, uint64, which no one type holds"):
        gw.Engine(circuit(), threads=1).predict(wide)


def test_names_of_columns():
    assert column_names(frame()) == NAMES
    assert column_names(X) is None
    assert column_names(pd.DataFrame(X)) is None
