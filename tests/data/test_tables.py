"""Tables in files, and what a data frame is to learn from."""

import numpy as np
import pandas as pd
import pytest

from gatewright.data import Dataset, Shares
from gatewright.data.tables import labels_of, read_table, write_table
from gatewright.errors import DataError, FormatError, OptionError

FRAME = pd.DataFrame(
    {
        "id": [10**18 + 1, 10**18 + 2, 10**18 + 3, 10**18 + 4] * 10,
        "n": pd.array([1, None, 3, 4] * 10, "Int64"),
        "t": ["a", "b", None, "a"] * 10,
        "y": ["no", "yes", "no", "yes"] * 10,
    }
)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".arrow", ".feather"])
def test_tables_are_read_exactly(suffix, tmp_path):
    path = tmp_path / f"table{suffix}"
    write_table(FRAME, path, suffix)
    found = read_table(path)
    assert found.id.tolist() == FRAME.id.tolist()  # beyond what floats hold
    assert found.n.isna().tolist() == FRAME.n.isna().tolist()
    one, two = (Dataset.from_frame(frame, "y", drop=["id"]) for frame in (found, FRAME))
    assert (one.columns, one.types, one.class_names) == (two.columns, two.types, ("no", "yes"))
    np.testing.assert_array_equal(one.train.x, two.train.x)


def test_files_that_are_no_tables_are_named(tmp_path):
    with pytest.raises(FormatError, match=r"table\.xlsx is no table"):
        read_table(tmp_path / "table.xlsx")
    with pytest.raises(FileNotFoundError):
        read_table(tmp_path / "none.csv")
    for suffix in (".parquet", ".arrow", ".csv"):
        (tmp_path / f"bad{suffix}").write_bytes(b"" if suffix == ".csv" else b"no")
        with pytest.raises(FormatError, match=f"bad{suffix} cannot be read"):
            read_table(tmp_path / f"bad{suffix}")


def test_types_hold_training_rows_and_clamp_the_others():
    frame = pd.DataFrame(
        {"x": [*range(100), 5000], "part": ["train"] * 80 + ["validation"] * 10 + ["test"] * 11, "y": [0, 1] * 50 + [0]}
    )
    data = Dataset.from_frame(frame, "y", split="part")
    assert data.types == ("uint7",)
    assert data.test.x[-1, 0] == 127
    assert data.train.x[:, 0].tolist() == list(range(80))


@pytest.mark.parametrize(
    ("change", "options", "error", "message"),
    [
        (lambda f: f, {"target": "z"}, OptionError, "unknown column 'z'"),
        (lambda f: f, {"drop": ["w"]}, OptionError, "unknown column 'w'"),
        (lambda f: f.assign(y=None), {}, DataError, "column 'y' is missing in row 0"),
        (lambda f: f.assign(y="one"), {}, DataError, "column 'y' has 1 different labels"),
        (lambda f: f.assign(y=np.linspace(0, 1, 40)), {}, DataError, "column 'y' holds fractions"),
    ],
)
def test_tables_that_cannot_be_learned_from_are_named(change, options, error, message):
    with pytest.raises(error, match=message):
        Dataset.from_frame(change(FRAME), **({"target": "y"} | options))


def test_labels_of_known_classes():
    assert labels_of(["b", "a"], ("a", "b"), "y").tolist() == [1, 0]
    assert labels_of([1.0, 0.0], ("0", "1"), "y").tolist() == [1, 0]
    with pytest.raises(DataError, match="y, row 1: label 'c'"):
        labels_of(["a", "c"], ("a", "b"), "y")


def test_arrays_of_any_shape_are_data_sets():
    x = np.zeros((40, 2, 3, 3), np.int16)
    data = Dataset.from_arrays(x, np.repeat([7, 9], 20), class_names=("seven", "nine"), shares=Shares(0.1, 0.1))
    assert (data.shape, data.dtype, data.class_names) == ((2, 3, 3), "int16", ("seven", "nine"))
    assert [len(data.split(name)) for name in ("train", "validation", "test")] == [32, 4, 4]
