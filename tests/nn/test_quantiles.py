"""Thresholds of tables: where they are, and how cheap."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gatewright.features import exact_thresholds, feature_range, narrowest_type
from gatewright.nn.quantiles import table_thresholds


@given(st.lists(st.integers(-1000, 1000), min_size=2, max_size=60), st.integers(1, 9))
def test_thresholds_of_whole_numbers_are_within_the_type_and_separate_rows(values, most):
    x = np.array(values, np.int32)[:, None]
    kind = narrowest_type(min(values), max(values))
    (found,) = table_thresholds(most, x, [kind])
    different = len(set(values))
    if different == 1:
        assert found.tolist() == [feature_range(kind)[1]]  # an encoder has at least one
        return
    assert 1 <= len(found) <= most
    assert (np.diff(found) > 0).all()
    assert (found > min(values)).all()
    assert (found <= max(values)).all()
    if different - 1 <= most:
        assert len(set(np.searchsorted(found, values, side="right"))) == different


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=60), st.integers(1, 9))
def test_thresholds_of_floats_are_exact_and_separate_rows(values, most):
    x = np.array(values, np.float32)[:, None]
    (found,) = table_thresholds(most, x, ["float32"])
    np.testing.assert_array_equal(exact_thresholds(found, "float32"), found)
    different = len(np.unique(x))
    if 1 < different <= most + 1:
        assert len(set(np.searchsorted(found, x[:, 0], side="right"))) == different


def test_thresholds_end_with_zeros():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 1_000_000, (5000, 1))
    (cheap,) = table_thresholds(15, x, ["uint20"])
    share = np.searchsorted(np.sort(x[:, 0]), cheap) / len(x)
    np.testing.assert_allclose(share, np.arange(1, 16) / 16, atol=0.25 / 16 + 1e-3)
    (plain,) = table_thresholds(15, x, ["uint20"], slack=0.0)

    def digits(thresholds):
        return sum(int(t).bit_length() - ((int(t) & -int(t)).bit_length() - 1) for t in thresholds)

    assert digits(cheap) * 2 < digits(plain)


def test_rows_count_what_they_weigh():
    x = np.arange(100)[:, None]
    weight = np.where(np.arange(100) < 50, 3.0, 0.0)
    (found,) = table_thresholds(3, x, ["uint7"], weight=weight)
    assert found.max() <= 49
    (twice,) = table_thresholds(3, np.repeat(x[:50], 3, axis=0), ["uint7"])
    assert found.tolist() == twice.tolist()
