"""The types that raw features can have, and the one check of samples.

Arrays of samples are of one of five types. What the rest of gatewright needs to know of a type stands here: its width, its
values, which thresholds compare exactly with it, and which other types convert to it without loss.

Each feature of a table may have a narrower type of its own: `bool`, `uint1` to `uint63`, `int2` to `int64`, `float32`. It
says how many bits the feature has in hardware, and which values those bits hold; the array that samples come in is of a
type that holds all of them.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.errors import DataError, DtypeError, ShapeError, unknown_name
from gatewright.runtime.tables import check_columns, without_table

Array = npt.NDArray[Any]

FEATURE_BITS: Mapping[str, int] = MappingProxyType({"bool": 1, "uint8": 8, "int16": 16, "int32": 32, "float32": 32})
"""Width of a feature in bits: two's complement for signed integers, IEEE 754 for float32."""

FEATURE_DTYPES = tuple(FEATURE_BITS)
"""NumPy names of the types a feature can have."""

INTEGER_DTYPES = tuple(name for name in FEATURE_DTYPES if "int" in name)
"""The integer types among them, narrowest first."""


WIDE = "float64"
"""Type of arrays of samples whose features have types of their own that no type of `FEATURE_DTYPES` holds together."""

EXACT = 1 << 53
"""Whole numbers up to here are exact in `WIDE`; thresholds beyond are multiples of `COARSE`."""

COARSE = 1 << 11

_OWN_TYPE = re.compile(r"(u?)int([1-9][0-9]?)\Z")
_LONGEST = {"u": 63, "": 64}


def type_bits(kind: str) -> int:
    """Bits of a feature of a type, one of `FEATURE_DTYPES` or narrower: 7 for uint7.

    Raises:
        OptionError: There is no such type.
    """
    if kind in FEATURE_BITS:
        return FEATURE_BITS[kind]
    found = _OWN_TYPE.match(kind) if isinstance(kind, str) else None
    if found is None or int(found[2]) > _LONGEST[found[1]] or kind == "int1":
        raise unknown_name("feature type", str(kind), (*FEATURE_DTYPES, "uint1 to uint63", "int2 to int64"))
    return int(found[2])


def is_signed(kind: str) -> bool:
    """Whether a type is one of whole numbers in two's complement."""
    return kind.startswith("int")


def narrowest_type(low: int, high: int) -> str:
    """The narrowest type of whole numbers that holds those from low to high.

    Raises:
        DataError: None does: 64 bits with a sign are the widest.

    >>> narrowest_type(17, 90), narrowest_type(-1, 90), narrowest_type(0, 1)
    ('uint7', 'int8', 'bool')
    """
    if low >= 0 and high < 1 << 63:
        return "bool" if high <= 1 else f"uint{int(high).bit_length()}"
    width = max(max(int(high), 0).bit_length(), int(-1 - low).bit_length()) + 1
    if width > 64 or low >= 0:
        raise DataError(f"there are whole numbers from {low} to {high}, expected -2^63 .. 2^63 - 1; subtract a base")
    return f"int{max(2, width)}"


def holding_type(types: Sequence[str], floats: bool = False) -> str:
    """The type of arrays that hold features of these types exactly.

    Args:
        types: Types of the features.
        floats: Whether the array is to be of floats in any case.

    >>> holding_type(["uint7", "bool"]), holding_type(["uint17", "float32"]), holding_type(["uint40"])
    ('uint8', 'float32', 'float64')
    """
    whole = [kind for kind in types if kind != "float32"]
    widest = max((type_bits(kind) + (not is_signed(kind)) for kind in whole), default=1)  # with a sign
    if floats or len(whole) < len(types):
        return "float32" if widest <= 25 else WIDE
    low = min((feature_range(kind)[0] for kind in whole), default=0.0)
    if low >= 0 and widest <= 9:
        return "uint8"
    return "int16" if widest <= 16 else "int32" if widest <= 32 else WIDE


def feature_range(dtype: str) -> tuple[float, float]:
    """Least and greatest value of a feature type: 0 and 255 for uint8, minus and plus infinity for float32.

    Of types of more than 53 bits, the greatest is the multiple of `COARSE` with which the greatest values compare alike.
    """
    if dtype == "float32":
        return -math.inf, math.inf
    if dtype == "bool":
        return 0.0, 1.0
    bits = type_bits(dtype) - is_signed(dtype)
    top = (1 << bits) - (1 if bits <= 53 else COARSE)
    return float(-(1 << bits) if is_signed(dtype) else 0), float(top)


def exact_thresholds(thresholds: npt.NDArray[np.float64], dtype: str) -> npt.NDArray[np.float64]:
    """Round thresholds to values that compare exactly with features of a type.

    For integer and Boolean features they are rounded up to whole numbers, which changes no `x >= threshold`; for float32
    features to the nearest float32.
    """
    return thresholds.astype(np.float32).astype(np.float64) if dtype == "float32" else np.ceil(thresholds)


def as_array(x: Any, name: str) -> Array:
    """NumPy view of anything that offers `__array__` or `__dlpack__`: torch's CPU tensors, Arrow, but not CuPy.

    Tables with columns of several types, and of pandas' and Arrow's own types, are read column by column.

    Raises:
        DtypeError: It cannot be viewed as an array of numbers.
        DataError: A value of a table or of a masked array is missing.
    """
    x = _without_lists(without_table(x, name), name)
    try:
        if not hasattr(x, "__array__") and hasattr(x, "__dlpack__"):
            return np.from_dlpack(x)
        array = np.asarray(x)
    except (TypeError, ValueError, RuntimeError, BufferError) as error:
        raise DtypeError(
            f"{name} of type {type(x).__name__} cannot be read as a NumPy array ({error}); "
            "give an array in CPU memory, detached from any gradient"
        ) from error
    if array.dtype.kind not in "buif":
        raise DtypeError(f"{name} has dtype {array.dtype}, expected numbers or Booleans")
    return array


def check_shape(given: Sequence[int], shape: tuple[int, ...], name: str = "x") -> None:
    """Check that samples are shaped [n, *shape] or flattened [n, features].

    Raises:
        ShapeError: They have another shape.
    """
    given, flat = tuple(given), math.prod(shape)
    if given and given[1:] in {shape, (flat,)}:
        return
    sides = ", ".join(map(str, shape))
    wanted = f"(n, {sides})" + (f" or (n, {flat})" if len(shape) > 1 else "")
    hint = f"; a single sample is x[None], shape (1, {sides})" if given == shape else ""
    raise ShapeError(f"{name} has shape {given}, expected {wanted}{hint}")


def check_samples(
    x: Any, shape: tuple[int, ...], dtype: str, name: str = "x", feature_names: Sequence[str] = ()
) -> Array:
    """Check raw samples: their shape, and that their type converts to the features' type without loss.

    Values are not looked at; `check_numbers` does that.

    Args:
        x: Array-like [n, *shape] or flattened [n, features]; see `as_array`.
        shape: Shape of one sample.
        dtype: Type of the features, one of `FEATURE_DTYPES`.
        name: What to call the samples in messages.
        feature_names: Names that the columns of a table must have, in this order; empty if the features have no names.

    Returns:
        The samples as they came: shape, type and strides of `x`, without a copy.

    Raises:
        ShapeError: The samples have another shape.
        DtypeError: Their type can hold values that `dtype` cannot.
        DataError: A table has other columns, or a value is missing.

    >>> check_samples(np.zeros((5, 784), np.uint8), (1, 28, 28), "int16").shape
    (5, 784)
    """
    check_columns(x, feature_names, name)
    array = as_array(x, name)
    check_shape(array.shape, shape, name)
    if not np.can_cast(array.dtype, dtype, "safe"):
        raise DtypeError(
            f"{name} is {array.dtype}, which {dtype} features cannot hold without loss; convert it the way the training "
            f"data were, for example {name}.astype({dtype!r})"
        )
    return array


def check_numbers(flat: Array, first: int = 0, name: str = "x", feature_names: Sequence[str] = ()) -> None:
    """Refuse NaN, which no threshold compares with, in samples [n, features] numbered from `first` on.

    Raises:
        DataError: A feature is NaN; the message names the first such sample and feature.
    """
    if flat.dtype.kind == "f" and np.isnan(flat).any():
        sample, feature = np.argwhere(np.isnan(flat))[0]
        called = f" ({feature_names[feature]!r})" if feature_names else ""
        raise DataError(
            f"{name} contains NaN: sample {first + sample}, feature {feature}{called}; fill missing values or drop the "
            "sample"
        )


def _without_lists(x: Any, name: str) -> Any:
    """View Arrow's lists of one size, nested or not, and its tensors of one shape as arrays; return anything else as is.

    NumPy itself would make Python objects of them.
    """
    arrow = sys.modules.get("pyarrow")  # whoever has an Arrow array has imported it
    if arrow is None or not isinstance(x, (arrow.Array, arrow.ChunkedArray)):
        return x
    x = x.combine_chunks() if isinstance(x, arrow.ChunkedArray) else x
    if isinstance(x, arrow.FixedShapeTensorArray) and not x.null_count:
        return x.to_numpy_ndarray()
    shape = [len(x)]
    while not x.null_count and isinstance(x, arrow.FixedSizeListArray):
        shape.append(x.type.list_size)
        x = x.flatten()
    if x.null_count:
        raise DtypeError(f"{name} has {x.null_count} null(s) in Arrow's array, expected a number everywhere")
    return np.asarray(x).reshape(shape)
