"""The digits that come with gatewright."""

import numpy as np
import pytest

from gatewright.data import digits, load_dataset
from gatewright.errors import DataError

FIRST = """
0  0  5 13  9  1  0  0
0  0 13 15 10 15  5  0
0  3 15  2  0 11  8  0
0  4 12  0  0  8  8  0
0  5  8  0  0  9  8  0
0  4 11  0  1 12  7  0
0  2 14  5 10 12  0  0
0  0  6 13 10  0  0  0
"""


def test_they_are_the_known_1797_samples_and_need_no_files(tmp_path):
    data = load_dataset("digits", tmp_path / "nowhere", download=False)
    parts = [data.train, data.validation, data.test]
    y = np.concatenate([part.y for part in parts])
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    x = np.concatenate([part.x for part in parts])
    assert x.dtype == np.uint8
    assert x.shape == (1797, 1, 8, 8)
    assert (x.min(), x.max()) == (0, 16)
    assert int(x.sum()) == 561718
    # The first sample, a 0, is number 0 of its class and so the first of test.
    assert data.test.x[0, 0].tolist() == [[int(v) for v in row.split()] for row in FIRST.strip().splitlines()]
    assert data.test.y[0] == 0


def test_the_parts_share_no_sample_and_have_all_classes_alike():
    data = load_dataset("digits")
    assert len(data.test) >= 360
    for part, share in ((data.train, 0.7), (data.validation, 0.1), (data.test, 0.2)):
        counts = np.bincount(part.y)
        assert counts == pytest.approx(share * np.array([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]), abs=1.5)
    seen = [{image.tobytes() for image in part.x} for part in (data.train, data.validation, data.test)]
    assert sum(map(len, seen)) == 1797  # no two samples are alike, so none is in two parts
    assert len(set.union(*seen)) == 1797


def test_damage_of_the_package_is_noticed(monkeypatch):
    monkeypatch.setattr(digits, "_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"gatewright's own digits.npz is damaged: its sha256 is .* expected 0000"):
        load_dataset("digits")
