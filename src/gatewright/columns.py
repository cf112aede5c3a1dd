"""`Column`: what a column of a table is, and how its values become numbers that a circuit compares.

A column of numbers makes one feature, its value; where values were missing in training, a second one says that the value
is missing, and the value is then 0. A category is the number of its text in `categories`; one that is missing, or not
among them, is the number after the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewright.errors import DataError, DtypeError, FormatError, OptionError, ShapeError, shown
from gatewright.features import COARSE, EXACT, feature_range, holding_type, narrowest_type
from gatewright.runtime.tables import column_names, is_table, without_table

Array = npt.NDArray[Any]

KINDS = ("integer", "float", "boolean", "category")

MOST_CATEGORIES = 4096
"""Different texts of one column; more are no categories."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its name.
        kind: One of `KINDS`.
        categories: Of a category, its texts; the position of one is its code.
        missing: Whether a value may be missing.

    Raises:
        FormatError: The parts do not describe a column.

    >>> Column("size", "category", ("small", "large")).n_features, Column("age", "integer", missing=True).feature_names
    (1, ('age', 'age is missing'))
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    missing: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "categories", tuple(self.categories))
        if self.kind not in KINDS:
            raise FormatError(f"column {shown(self.name)} is of kind {shown(self.kind)}, expected one of {KINDS}")
        if bool(self.categories) != (self.kind == "category") or len(set(self.categories)) != len(self.categories):
            raise FormatError(f"column {shown(self.name)} is a {self.kind} with {len(set(self.categories))} categories")

    @property
    def has_flag(self) -> bool:
        """Whether a feature of its own says that the value is missing."""
        return self.missing and self.kind != "category"

    @property
    def n_features(self) -> int:
        """Features that the column makes."""
        return 1 + self.has_flag

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of its features."""
        return (self.name, f"{self.name} is missing") if self.has_flag else (self.name,)


class Values(NamedTuple):
    """The values of a column as they came.

    Attributes:
        name: Its name.
        values: [rows]: bool, a type of whole numbers or floats, or objects that are texts.
        missing: Bool [rows]; a value that is missing means nothing.
    """

    name: str
    values: Array
    missing: npt.NDArray[np.bool_]


def values_of(x: Any, name: str = "x") -> list[Values]:
    """The columns of a data frame, of a table of Arrow, or of an array [rows, columns].

    Raises:
        DtypeError: A column holds neither numbers nor Booleans nor texts.
        DataError: Two columns have one name, or a number is infinite.
        ShapeError: An array has another number of axes.
    """
    if is_table(x):
        frame = x.to_pandas() if hasattr(x, "to_pandas") else x  # of Arrow and polars
        names = [str(each) for each in frame.columns]
        twice = next((each for each in names if names.count(each) > 1), None)
        if twice is not None:
            raise DataError(f"{name} has two columns {twice!r}; give each a name of its own")
        return [_of_series(frame.iloc[:, i], called, name) for i, called in enumerate(names)]
    array = np.asarray(without_table(x, name))
    if array.ndim != 2:
        raise ShapeError(f"{name} has shape {array.shape}, expected a table (rows, columns)")
    return [_typed(f"x{i}", column, np.zeros(len(array), np.bool_), name) for i, column in enumerate(array.T)]


def _of_series(series: Any, called: str, name: str) -> Values:
    missing = series.isna().to_numpy(np.bool_)
    kind = series.dtype
    plain = kind if isinstance(kind, np.dtype) else getattr(kind, "numpy_dtype", None)
    if isinstance(plain, np.dtype) and plain.kind in "buif":
        filled = series.fillna(plain.type(0)) if missing.any() and not isinstance(kind, np.dtype) else series
        return _typed(called, filled.to_numpy(plain), missing, name)
    if isinstance(plain, np.dtype) and plain.kind in "mMcV":
        raise DtypeError(_no_column(called, name, str(kind)))
    objects = series.astype(object).to_numpy(object, copy=True)
    objects[missing] = None  # pandas' NA compares with nothing
    return _typed(called, objects, missing, name)


def _typed(called: str, values: Array, missing: npt.NDArray[np.bool_], name: str) -> Values:
    if values.dtype.kind in "US":
        values = values.astype(object)
    if values.dtype.kind == "O":
        missing = missing | np.array([_is_missing(each) for each in values], np.bool_)
        values = _of_objects(called, values, missing, name)
    if values.dtype.kind == "f":
        missing = missing | np.isnan(values)
        if np.isinf(values[~missing]).any():
            at = int(np.argmax(np.isinf(values) & ~missing))
            raise DataError(
                f"column {called!r} of {name} contains infinity, in row {at}; replace it, or make it missing"
            )
    elif values.dtype.kind not in "biuO":
        raise DtypeError(_no_column(called, name, str(values.dtype)))
    return Values(called, values, missing)


def _is_missing(value: Any) -> bool:
    """Whether a value is None, NaN, or what pandas has for it, which compares with nothing."""
    return (
        value is None or type(value).__name__ in {"NAType", "NaTType"} or (isinstance(value, float) and np.isnan(value))
    )


def _of_objects(called: str, values: Array, missing: npt.NDArray[np.bool_], name: str) -> Array:
    present = list(values[~missing])
    kinds = {
        "boolean" if isinstance(each, (bool, np.bool_)) else "text" if isinstance(each, str) else "number"
        for each in present
    }
    other = next((each for each in present if not isinstance(each, (str, bool, int, float, np.generic))), None)
    if other is not None:
        raise DtypeError(
            f"column {called!r} of {name} holds a {type(other).__name__}: the argument must be a string or a number; "
            "convert the column, or leave it out"
        )
    if len(kinds) > 1:
        raise DtypeError(
            f"column {called!r} of {name} mixes {'s and '.join(sorted(kinds))}s; make all of them one kind"
        )
    if kinds == {"text"}:
        return values
    filled = np.array([0 if gone else each for each, gone in zip(values, missing, strict=True)])
    return filled.astype(np.bool_) if kinds == {"boolean"} else filled


def _no_column(called: str, name: str, kind: str) -> str:
    return (
        f"column {called!r} of {name} has dtype {kind}, expected numbers, Booleans or texts; convert it (a time to "
        "seconds, say), or leave it out"
    )


def describe_columns(
    table: Sequence[Values], training: npt.NDArray[np.bool_] | None = None
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The columns of a table, and the types of their features: the narrowest that hold its values.

    Whole numbers are integers, also where an array of floats holds them. Categories are in alphabetical order.

    Args:
        table: The columns.
        training: Bool [rows]: the rows whose numbers the types are to hold; None for all. What a column is, which
            categories it has, and whether values are missing is found in all rows.

    Raises:
        DataError: A column has too many different texts to be a category, or numbers beyond float32 or 64 bits.
    """
    columns: list[Column] = []
    types: list[str] = []
    for name, values, missing in table:
        present, gone = values[~missing], bool(missing.any())
        held = present if training is None else values[~missing & training]
        if values.dtype.kind == "O":
            texts = tuple(sorted(set(present)))
            if len(texts) > MOST_CATEGORIES:
                raise DataError(
                    f"column {name!r} has {len(texts):,} different texts, expected at most {MOST_CATEGORIES:,} categories; "
                    "leave it out, or group them"
                )
            column = Column(name, "category", texts or ("",), missing=gone or not texts)
            kind = narrowest_type(0, len(column.categories))
        elif values.dtype.kind == "b":
            column, kind = Column(name, "boolean", missing=gone), "bool"
        elif values.dtype.kind == "f" and not _whole(present):
            if len(present) and float(np.abs(present.astype(np.float64)).max()) > float(np.finfo(np.float32).max):
                raise DataError(
                    f"column {name!r} has numbers too large for float32; scale them, into -3.4e38 .. 3.4e38"
                )
            column, kind = Column(name, "float", missing=gone), "float32"
        else:
            column = Column(name, "integer", missing=gone)
            low, high = (int(held.min()), int(held.max())) if len(held) else (0, 0)
            kind = narrowest_type(min(low, 0) if gone else low, high)
        columns.append(column)
        types += [kind, "bool"][: column.n_features]
    return tuple(columns), tuple(types)


def _whole(values: Array) -> bool:
    wide = values.astype(np.float64)
    return bool((np.abs(wide) <= EXACT).all() and (wide == np.floor(wide)).all())


def order_categories(
    columns: Sequence[Column], table: Sequence[Values], score: npt.NDArray[np.float64], weight: npt.NDArray[np.float64]
) -> tuple[Column, ...]:
    """Categories in the order of their mean score, so that few comparisons of codes separate what matters.

    Args:
        columns: The columns.
        table: Their values in the training rows.
        score: A number for each row: for two classes, 0 or 1.
        weight: What each row counts.

    Returns:
        The columns; categories without rows stand where the mean of all rows would.
    """
    ordered = []
    for column, (_, values, missing) in zip(columns, table, strict=True):
        if column.kind != "category":
            ordered.append(column)
            continue
        code = _codes(column, values, missing)
        k = len(column.categories)
        sums = np.bincount(code, score * weight, k + 1)[:k]
        sizes = np.bincount(code, weight, k + 1)[:k]
        mean = (sums + float(np.average(score, weights=weight))) / (sizes + 1)
        order = np.argsort(mean, kind="stable")
        ordered.append(Column(column.name, "category", tuple(column.categories[i] for i in order), column.missing))
    return tuple(ordered)


def _codes(column: Column, values: Array, missing: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    place = {text: code for code, text in enumerate(column.categories)}
    other = len(place)
    return np.array(
        [other if gone else place.get(text, other) for text, gone in zip(values.tolist(), missing, strict=True)],
        np.int64,
    )


def read_columns(columns: Sequence[Column], types: Sequence[str], x: Any, dtype: str, name: str = "x") -> Array:
    """A table as features.

    Numbers beyond the range of their type count as its nearest end, floats of integer columns as the whole number below.

    Args:
        columns: What the columns are.
        types: Types of their features.
        x: A data frame, whose columns are found by name and may be more; or an array [rows, columns], or what
            `values_of` gives.
        dtype: Type of the array to return; see `features.holding_type`.
        name: What to call the table in messages.

    Returns:
        [rows, features].

    Raises:
        DataError: A column is missing, or a value that was never missing in training, or a text is no known category.
        DtypeError: A column holds something else than in training.
        ShapeError: An array has another number of columns.
    """
    if is_table(x):
        known = column_names(x) or ()
        lacking = [column.name for column in columns if column.name not in known]
        if lacking:
            raise DataError(f"{name} lacks the column(s) {', '.join(map(repr, lacking[:5]))}, which the model needs")
        x = x.select([column.name for column in columns]) if hasattr(x, "select") else x[[c.name for c in columns]]
    table = x if isinstance(x, list) and all(isinstance(each, Values) for each in x) else values_of(x, name)
    if len(table) != len(columns):
        raise ShapeError(f"{name} has {len(table)} columns, expected {len(columns)}")
    kinds = iter(types)
    parts: list[Array] = []
    for column, each in zip(columns, table, strict=True):
        parts.append(_numbers(column, each, next(kinds), dtype, name))
        if column.has_flag:
            next(kinds)
            parts.append(each.missing.astype(dtype))
    return np.column_stack(parts) if parts else np.zeros((0, 0), dtype)


def _numbers(column: Column, table: Values, kind: str, dtype: str, name: str) -> Array:
    called, values, missing = column.name, table.values, table.missing
    text = values.dtype.kind == "O" and not missing.all()
    if text != (column.kind == "category") and not missing.all():
        found = "texts" if text else "numbers"
        raise DtypeError(f"column {called!r} of {name} holds {found}, expected a column of kind {column.kind}")
    if missing.any() and not column.missing:
        raise DataError(
            f"{name} contains NaN: column {called!r} of {name} has {int(missing.sum())} missing value(s), the first in row "
            f"{int(missing.argmax())}, but none of it was missing in training"
        )
    if column.kind == "category":
        code = _codes(column, values, missing)
        unknown = (code == len(column.categories)) & ~missing
        if unknown.any() and not column.missing:
            row = int(unknown.argmax())
            raise DataError(
                f"column {called!r} of {name}, row {row}: {shown(values[row])} is no category that training had (it had no "
                f"missing values either); expected one of {shown(list(column.categories))}"
            )
        return code.astype(dtype)
    values = np.where(missing, values.dtype.type(0), values) if values.dtype.kind != "O" else np.zeros(len(values))
    if kind == "float32":
        with np.errstate(over="ignore"):  # to infinity, which compares as the number would
            return values.astype(np.float32).astype(dtype)
    low, high = feature_range(kind)
    if values.dtype.kind == "f":
        whole = np.clip(np.floor(values.astype(np.float64)), low, high)
    elif values.dtype.kind == "b":
        whole = values
    else:
        # The ends of the type of the values themselves, so that no comparison leaves whole numbers.
        ends = np.iinfo(values.dtype)
        top = ends.max if high >= float(ends.max) else int(high)
        whole = np.clip(values, max(ends.min, int(low)), top)
    return rounded_down(whole, dtype)


def rounded_down(whole: Array, dtype: str) -> Array:
    """Whole numbers in a type that holds them, but for those of float64 beyond 2^53: these are cut to a multiple below."""
    if whole.dtype.kind in "iu" and whole.dtype.itemsize == 8 and dtype == "float64":
        wide = (whole > EXACT) | (whole < -EXACT) if whole.dtype.kind == "i" else whole > EXACT
        whole = np.where(wide, whole - whole % whole.dtype.type(COARSE), whole)
    return whole.astype(dtype)


def array_type(types: Sequence[str], table: Sequence[Values]) -> str:
    """The type of arrays for features of these types: that of the table's own columns where it holds them.

    Arrays of a narrow type stay of that type, so that a circuit takes what the model was trained on.
    """
    if not table:
        raise OptionError("the table has no columns to learn from")
    kinds = {each.values.dtype for each in table}
    needed = holding_type(types, floats=any(kind.kind == "f" for kind in kinds))
    if "float" in needed or not all(kind.kind in "bui" for kind in kinds):
        return needed
    own = np.result_type(*kinds)
    for name in ("uint8", "int16", "int32"):
        if np.can_cast(own, name) and np.can_cast(needed, name):
            return name
    return "int32" if np.can_cast(needed, "int32") else needed


def score_of_labels(labels: npt.NDArray[np.int64], weight: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """float64 [rows]: 1 where a row is not of the most frequent class."""
    return np.asarray(labels != int(np.bincount(labels, weight).argmax()), np.float64)


def learn_columns(
    table: Sequence[Values],
    score: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    training: npt.NDArray[np.bool_] | None = None,
    name: str = "x",
) -> tuple[tuple[Column, ...], tuple[str, ...], Array]:
    """What a table's columns are, the types of their features, and the features [rows, features]; see `describe_columns`.

    Args:
        table: The columns.
        score: float64 [training rows]; categories are ordered by its mean. Of classes `score_of_labels`, of numbers these.
        weight: What each training row counts.
        training: Bool [rows]: the rows to learn from; None for all.
        name: What to call the table in messages.
    """
    columns, types = describe_columns(table, training)
    seen = table
    if training is not None:
        seen = [Values(called, values[training], missing[training]) for called, values, missing in table]
    columns = order_categories(columns, seen, score, weight)
    return columns, types, read_columns(columns, types, table, array_type(types, table), name)
