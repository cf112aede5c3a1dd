"""What is known of feature types, and the one check of samples."""

import numpy as np
import pytest

from gatewright.errors import DataError, DtypeError, ShapeError
from gatewright.features import (
    FEATURE_BITS,
    FEATURE_DTYPES,
    as_array,
    check_numbers,
    check_samples,
    check_shape,
    exact_thresholds,
    feature_range,
)


@pytest.mark.parametrize("dtype", FEATURE_DTYPES)
def test_widths_and_ranges_are_those_of_numpy(dtype):
    kind = np.dtype(dtype)
    assert FEATURE_BITS[dtype] == (1 if dtype == "bool" else 8 * kind.itemsize)
    low, high = feature_range(dtype)
    assert np.array([low, high]).astype(kind).tolist() == [low, high]
    if kind.kind in "iu":
        assert (low, high) == (np.iinfo(kind).min, np.iinfo(kind).max)


def test_exact_thresholds_change_no_comparison():
    thresholds = np.array([-1.5, -0.5, 0.0, 0.1, 2.5, 254.2])
    values = np.arange(-10, 300)
    exact = exact_thresholds(thresholds, "int16")
    assert (exact == np.round(exact)).all()
    assert np.array_equal(values[:, None] >= thresholds, values[:, None] >= exact)
    assert exact_thresholds(np.array([0.1]), "float32") == np.float32(0.1)


@pytest.mark.parametrize("shape", [(5,), (1, 5), (3, 4, 5)])
def test_shaped_and_flattened_samples_are_taken(shape):
    x = np.zeros((7, *shape), np.uint8)
    assert check_samples(x, shape, "uint8") is x
    flat = x.reshape(7, -1)
    assert check_samples(flat, shape, "int32") is flat
    for other in (x[:, :-1] if len(shape) == 1 else x[..., :-1], x[None], np.uint8(1), flat[:, :-1]):
        with pytest.raises(ShapeError, match=r"expected \(n, "):
            check_samples(other, shape, "uint8")


def test_a_single_sample_gets_a_hint():
    with pytest.raises(
        ShapeError, match=r"x has shape \(3, 4, 5\), expected \(n, 3, 4, 5\) or \(n, 60\); .* x\[None\]"
    ):
        check_shape((3, 4, 5), (3, 4, 5))


def test_types_that_may_lose_values_are_refused():
    for given, dtype in (("int64", "int32"), ("float64", "float32"), ("int32", "float32"), ("uint8", "bool")):
        with pytest.raises(DtypeError, match=f"rows is {given}, which {dtype} features cannot hold .*rows.astype"):
            check_samples(np.zeros((2, 3), given), (3,), dtype, "rows")
    for given, dtype in (("bool", "uint8"), ("uint8", "float32"), ("int16", "int32"), ("float16", "float32")):
        assert check_samples(np.zeros((2, 3), given), (3,), dtype).dtype == given


def test_nan_is_named_by_sample_and_feature():
    flat = np.zeros((3, 4), np.float32)
    check_numbers(flat)
    check_numbers(np.full((3, 4), np.inf, np.float32))
    check_numbers(flat.astype(int))
    flat[1, 2] = flat[2, 0] = np.nan
    with pytest.raises(DataError, match="rows contains NaN: sample 101, feature 2"):
        check_numbers(flat, 100, "rows")


def test_what_is_no_array_of_numbers_is_refused():
    for bad in (["a"], np.zeros(2, complex), [[1], [2, 3]], object()):
        with pytest.raises(DtypeError, match="values"):
            as_array(bad, "values")
