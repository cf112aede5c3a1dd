"""Tables that others make, read as numbers: data frames of pandas and polars, tables of Arrow, NumPy's masked arrays.

Columns have names, and values can be missing; an array says nothing of either. So columns are compared with the names that
are expected, and missing values are refused with the place of the first.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.errors import DataError, DtypeError

Array = npt.NDArray[Any]


def _is_a(x: Any, module: str, *names: str) -> bool:
    """Whether x is an instance of a class of a module, which has been imported if it is."""
    found = sys.modules.get(module)
    kinds = tuple(getattr(found, name) for name in names if hasattr(found, name))
    return isinstance(x, kinds)


def column_names(x: Any) -> tuple[Any, ...] | None:
    """Names of the columns of a table; None if x is no table, or if no column is named by a text."""
    if _is_a(x, "pandas", "DataFrame") or _is_a(x, "polars", "DataFrame"):
        names = tuple(x.columns)
    elif _is_a(x, "pyarrow", "Table", "RecordBatch"):
        names = tuple(x.schema.names)
    else:
        return None
    return names if any(isinstance(name, str) for name in names) else None


def check_columns(x: Any, expected: Sequence[str], name: str = "x") -> None:
    """Check that a table, if x is one with named columns, has the expected ones in their order.

    Raises:
        DataError: It has others, or another order; the message names the first difference.
    """
    given = None if type(x) is np.ndarray else column_names(x)
    if given is None or not expected or given == tuple(expected):
        return
    lacking = [one for one in expected if one not in given]
    unknown = [one for one in given if one not in expected]
    if lacking or unknown:
        parts = [f"lacks {_listed(lacking)}"] * bool(lacking) + [f"has {_listed(unknown)}"] * bool(unknown)
        raise DataError(f"{name} {' and '.join(parts)}, but the features are {_listed(expected)}")
    at = next((i for i, pair in enumerate(zip(given, expected, strict=False)) if pair[0] != pair[1]), len(expected))
    found = repr(given[at]) if at < len(given) else "missing"
    wanted = repr(expected[at]) if at < len(expected) else "none"
    raise DataError(
        f"the columns of {name} are not in the order of the features: column {at} is {found}, expected {wanted}; "
        f"reorder them by name"
    )


def _listed(names: Sequence[Any]) -> str:
    shown = ", ".join(repr(one)[:80] for one in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def without_table(x: Any, name: str = "x") -> Any:
    """What NumPy alone would misread, as an array: masked arrays, and tables whose columns have other types than NumPy's.

    Anything else is returned as it is.

    Raises:
        DataError: A value is missing.
        DtypeError: A column does not hold numbers.
    """
    if type(x) is np.ndarray:
        return x
    if isinstance(x, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(x)
        if mask.any():
            place = ", ".join(map(str, np.argwhere(mask)[0]))
            raise DataError(f"{name} has {int(mask.sum())} masked value(s), the first at [{place}]; fill or drop them")
        return x.data
    if _is_a(x, "pandas", "Series"):
        return _pandas_column(x, name)
    if _is_a(x, "pandas", "DataFrame"):
        kinds = list(x.dtypes)
        if kinds and all(kind == kinds[0] and isinstance(kind, np.dtype) for kind in kinds):
            return x.to_numpy()
        columns = (x.iloc[:, i] for i in range(x.shape[1]))
        return _stacked([_pandas_column(one, f"column {one.name!r} of {name}") for one in columns], len(x), name)
    if _is_a(x, "pyarrow", "Table", "RecordBatch"):
        named = zip(x.schema.names, x.columns, strict=True)
        return _stacked([_arrow_column(one, f"column {called!r} of {name}") for called, one in named], len(x), name)
    if _is_a(x, "polars", "DataFrame"):
        for column in x.get_columns():
            if column.null_count():
                raise _missing(column.null_count(), f"column {column.name!r} of {name}")
        return x.to_numpy()
    return x


def numpy_frame(x: Any, name: str = "x") -> Any:
    """A data frame of pandas with NumPy's types alone; anything else as `without_table` gives it, tables left as they are.

    Raises:
        DataError: A value is missing.
        DtypeError: A column does not hold numbers.
    """
    if not _is_a(x, "pandas", "DataFrame"):
        return without_table(x, name) if isinstance(x, np.ma.MaskedArray) else x
    if all(isinstance(kind, np.dtype) for kind in x.dtypes):
        return x
    return type(x)(without_table(x, name), index=x.index, columns=x.columns)


def _missing(count: int, name: str, row: int | None = None) -> DataError:
    at = "" if row is None else f", the first in row {row}"
    return DataError(f"{name} has {count} missing value(s){at}; fill them or drop the rows")


def _pandas_column(column: Any, name: str) -> Array:
    kind = column.dtype
    if not isinstance(kind, np.dtype):
        missing = column.isna().to_numpy(bool)
        known = getattr(
            kind, "numpy_dtype", getattr(kind, "subtype", None)
        )  # of nullable and Arrow's, and sparse types
        if missing.any() and not _is_a(kind, "pandas", "SparseDtype"):
            raise _missing(int(missing.sum()), name, int(missing.argmax()))
        kind = known if isinstance(known, np.dtype) else kind
    if not isinstance(kind, np.dtype) or kind.kind not in "buif":
        raise DtypeError(f"{name} has dtype {column.dtype}, expected numbers or Booleans")
    array: Array = column.to_numpy(kind)
    return array


def _arrow_column(column: Any, name: str) -> Array:
    if column.null_count:
        raise _missing(column.null_count, name)
    array: Array = np.asarray(column)
    if array.dtype.kind not in "buif":
        raise DtypeError(f"{name} has type {column.type}, expected numbers or Booleans")
    return array


def _stacked(columns: list[Array], rows: int, name: str) -> Array:
    """Columns side by side, in the narrowest type that holds them all."""
    if not columns:
        return np.empty((rows, 0))
    kind = np.result_type(*columns)
    lossy = [str(one.dtype) for one in columns if not np.can_cast(one.dtype, kind, "safe")]
    if lossy or (kind.kind == "f" and any(one.dtype.kind in "iu" and one.dtype.itemsize == 8 for one in columns)):
        mixed = ", ".join(sorted({str(one.dtype) for one in columns}))
        raise DtypeError(
            f"the columns of {name} are {mixed}, which no one type holds without loss; convert them to one"
        )
    return np.column_stack([one.astype(kind, copy=False) for one in columns])


def is_table(x: Any) -> bool:
    """Whether x is a data frame of pandas or polars, or a table of Arrow."""
    frame = _is_a(x, "pandas", "DataFrame") or _is_a(x, "polars", "DataFrame")
    return frame or _is_a(x, "pyarrow", "Table", "RecordBatch")
