"""Splits of one's own rows: shares of each class, groups, and columns that name the parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.data.splitting import Shares, split_as_named, split_rows
from gatewright.errors import DataError, OptionError


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=4),
    st.floats(0, 0.45),
    st.floats(0, 0.45),
    st.integers(0, 2**32 - 1),
)
def test_each_row_is_in_one_part_and_each_class_in_its_share(sizes, validation, test, seed):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parts = split_rows(labels, Shares(validation, test, seed))
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(labels)))
    assert all((np.diff(part) > 0).all() for part in parts)
    again = split_rows(labels, Shares(validation, test, seed))
    assert all(np.array_equal(one, two) for one, two in zip(parts, again, strict=True))
    for label, size in enumerate(sizes):
        counts = [int((labels[part] == label).sum()) for part in parts]
        assert counts[0] >= 1  # something to learn from
        assert counts[2] == min(round(test * size), size - 1)
        assert counts[1] <= round(validation * size)


def test_groups_stay_together_in_about_their_share():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 100, 2000)
    labels = rng.integers(0, 3, 2000)
    parts = split_rows(labels, Shares(0.1, 0.2), groups.tolist())
    seen = [set(groups[part]) for part in parts]
    assert all(not seen[i] & seen[j] for i, j in ((0, 1), (0, 2), (1, 2)))
    shares = [len(part) / 2000 for part in parts]
    np.testing.assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.05)
    with pytest.raises(DataError, match="2 groups, expected at least 3"):
        split_rows(labels, Shares(), (groups % 2).tolist())


def test_a_column_names_the_parts():
    names = ["train", "Test", " train", "validation", "train"]
    labels = np.array([0, 1, 1, 0, 0])
    parts = split_as_named(names, labels, Shares(), "part")
    assert [part.tolist() for part in parts] == [[0, 2, 4], [3], [1]]
    with pytest.raises(DataError, match="column 'part', row 1: 'dev', expected one of train, validation, test"):
        split_as_named(["train", "dev"], labels[:2], Shares(), "part")
    with pytest.raises(DataError, match="names no row 'train'"):
        split_as_named(["test", "test"], labels[:2], Shares(), "part")
    drawn = split_as_named(["train"] * 40 + ["test"] * 10, np.tile([0, 1], 25), Shares(0.25), "part")
    assert [len(part) for part in drawn] == [30, 10, 10]


@pytest.mark.parametrize("shares", [(-0.1, 0.2), (0.5, 0.5), (float("nan"), 0.1)])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(OptionError, match="leave something to learn from"):
        Shares(*shares)
