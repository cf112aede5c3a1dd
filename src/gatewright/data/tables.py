"""Tables in files: CSV, Parquet, Arrow; and what a data frame is to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewright.columns import Column, learn_columns, score_of_labels, values_of
from gatewright.data.splitting import Rows, Shares, split_as_named, split_rows
from gatewright.errors import DataError, FormatError, require_extra, shown, unknown_name

SUFFIXES = (".csv", ".tsv", ".parquet", ".arrow", ".feather")
"""Endings of the names of files with tables."""

MISSING = ("", "?", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
"""Texts of a CSV file that mean a missing value."""

_MOST_CLASSES = 1000


def read_table(path: str | Path, texts: Sequence[str] = ()) -> Any:
    """Read a file as a data frame of pandas; whole numbers stay exact, also where values are missing.

    Args:
        path: A file named as one of `SUFFIXES`; `.csv` and `.tsv` have names of columns in their first line.
        texts: Columns of a CSV file that are texts even where all of them look like numbers.

    Raises:
        FormatError: The file is of another kind, or damaged.
        MissingExtraError: pandas or pyarrow is not installed.
        OSError: It cannot be read.
    """
    source = Path(path)
    pandas = require_extra("pandas", "data")
    if source.suffix not in SUFFIXES:
        raise FormatError(f"{source} is no table: expected a name that ends with one of {', '.join(SUFFIXES)}")
    with source.open("rb"):  # so that a file that is not there is not called damaged
        pass
    try:
        if source.suffix in {".csv", ".tsv"}:
            return pandas.read_csv(
                source,
                sep="\t" if source.suffix == ".tsv" else ",",
                skipinitialspace=True,
                na_values=list(MISSING),
                keep_default_na=False,
                dtype_backend="numpy_nullable",
                dtype=dict.fromkeys(texts, "string"),
            )
        require_extra("pyarrow", "data")
        if source.suffix == ".parquet":
            return pandas.read_parquet(source, dtype_backend="numpy_nullable")
        return pandas.read_feather(source, dtype_backend="numpy_nullable")
    except (ValueError, OSError) as error:  # those of pandas and Arrow are ValueErrors
        raise FormatError(f"{source} cannot be read as {source.suffix[1:]}: {str(error)[:300]}") from error


def write_table(frame: Any, path: Path, suffix: str) -> None:
    """Write a data frame as a file of the kind that one of `SUFFIXES` names."""
    if suffix in {".csv", ".tsv"}:
        frame.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    elif suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.reset_index(drop=True).to_feather(path)


def column_of(frame: Any, name: str) -> Any:
    """A column of a data frame.

    Raises:
        OptionError: There is none of this name.
    """
    names = [str(each) for each in frame.columns]
    if name not in names:
        raise unknown_name("column", name, names)
    return frame.iloc[:, names.index(name)]


class Table(NamedTuple):
    """A table as numbers.

    Attributes:
        x: Features [rows, features].
        y: int64 [rows], classes; float64 [rows], numbers.
        parts: Rows of train, validation and test.
        class_names: One name per class; none for numbers.
        columns: What the columns are.
        types: Types of the features.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    parts: tuple[Rows, Rows, Rows]
    class_names: tuple[str, ...]
    columns: tuple[Column, ...]
    types: tuple[str, ...]


def classes_of(target: Any, name: str) -> tuple[npt.NDArray[np.int64], tuple[str, ...]]:
    """Labels of any kind as classes int64 [rows] and their names, numbers in their order and texts alphabetically.

    Raises:
        DataError: A label is missing, there is only one, or they are not classes.
    """
    texts = _texts_of(target, name)
    classes, labels = np.unique(texts, return_inverse=True)
    if not 2 <= len(classes) <= _MOST_CLASSES:
        raise DataError(f"{name} has {len(classes)} different labels, expected 2 to {_MOST_CLASSES:,} classes")
    return labels.astype(np.int64), tuple(str(label) for label in classes)


def labels_of(target: Any, class_names: Sequence[str], name: str) -> npt.NDArray[np.int64]:
    """Labels as classes that are known already, int64 [rows].

    Raises:
        DataError: A label is missing, or none of them.
    """
    place = {text: k for k, text in enumerate(class_names)}
    texts = [str(text) for text in _texts_of(target, name)]
    row = next((i for i, text in enumerate(texts) if text not in place), None)
    if row is not None:
        raise DataError(f"{name}, row {row}: label {shown(texts[row])}, expected one of {shown(list(class_names))}")
    return np.array([place[text] for text in texts], np.int64)


def numbers_of(target: Any, name: str) -> npt.NDArray[np.float64]:
    """Labels as numbers, float64 [rows].

    Raises:
        DataError: A label is missing, or no finite number.
    """
    values = _values_of(target, name)
    if values.dtype.kind not in "biuf":
        raise DataError(f"{name} holds texts, such as {shown(values[0])}, expected numbers to predict")
    numbers = values.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise DataError(f"{name} is {values[~np.isfinite(numbers)][0]} in a row, expected finite numbers")
    return numbers


def _texts_of(target: Any, name: str) -> npt.NDArray[Any]:
    """Labels, none of them missing: whole numbers, Booleans or texts."""
    values = _values_of(target, name)
    if values.dtype.kind != "f":
        return values
    if not (values == np.floor(values)).all():
        raise DataError(
            f"{name} holds fractions, expected classes; numbers are predicted by `gatewright train --number` "
            "(data.predict=number)"
        )
    return values.astype(np.int64)


def _values_of(target: Any, name: str) -> npt.NDArray[Any]:
    """Labels as they are, none of them missing."""
    table = target.to_frame() if hasattr(target, "to_frame") else np.array(list(target), object)[:, None]
    ((_, values, missing),) = values_of(table, name)
    if missing.any():
        raise DataError(f"{name} is missing in row {int(missing.argmax())}; drop rows without a label")
    return values


def table_of(
    frame: Any,
    target: str,
    shares: Shares,
    *,
    drop: Sequence[str] = (),
    split: str = "",
    groups: str = "",
    numbers: bool = False,
) -> Table:
    """A data frame as numbers to learn from; `Dataset.from_frame` describes the arguments."""
    names = [str(name) for name in frame.columns]
    for name in (*drop, *filter(None, (split, groups))):
        column_of(frame, name)
    labels = column_of(frame, target)
    if numbers:
        y: npt.NDArray[Any] = numbers_of(labels, f"column {target!r}")
        strata, class_names = np.zeros(len(y), np.int64), tuple[str, ...]()
    else:
        y, class_names = classes_of(labels, f"column {target!r}")
        strata = y
    if split:
        parts = split_as_named(list(frame[split]), strata, shares, split)
    else:
        parts = split_rows(strata, shares, list(frame[groups]) if groups else None)
    used = [name for name in names if name not in {target, split, groups, *drop}]
    values = values_of(frame[used], "the table")
    training = np.zeros(len(y), np.bool_)
    training[parts[0]] = True
    weight = np.ones(len(parts[0]))
    score = y[training] if numbers else score_of_labels(y[training], weight)
    columns, types, x = learn_columns(values, score, weight, training, "the table")
    return Table(x, y, parts, class_names, columns, types)
