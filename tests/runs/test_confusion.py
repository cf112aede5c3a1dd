import numpy as np
import pytest

from gatewright.errors import DataError, ShapeError
from gatewright.runs.confusion import Confusion

TRUTH = [0, 0, 0, 1, 1, 2]
DECIDED = [0, 0, 1, 1, 0, 0]


def test_figures_by_hand():
    c = Confusion.of(TRUTH, DECIDED, 4)
    assert c.counts.tolist() == [[2, 1, 0, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert (c.correct, c.total, c.accuracy) == (3, 6, 0.5)
    nan = float("nan")
    np.testing.assert_array_equal(c.sensitivity, [2 / 3, 1 / 2, 0, nan])
    np.testing.assert_array_equal(c.precision, [2 / 4, 1 / 2, nan, nan])
    np.testing.assert_array_equal(c.f1, [2 / 3.5, 1 / 2, 0, nan])
    np.testing.assert_array_equal(c.iou, [2 / 5, 1 / 3, 0, nan])
    assert c.mean_iou == pytest.approx((2 / 5 + 1 / 3) / 3)


def test_by_class_has_no_nan():
    table = Confusion.of(TRUTH, DECIDED, 4).by_class("abcd")
    assert table["c"] == {"samples": 1, "sensitivity": 0.0, "precision": None, "f1": 0.0}
    assert table["d"] == {"samples": 0, "sensitivity": None, "precision": None, "f1": None}


def test_pixels_count_one_by_one():
    flat = Confusion.of(TRUTH, DECIDED, 3)
    image = Confusion.of(np.reshape(TRUTH, (1, 2, 3)), np.reshape(DECIDED, (1, 2, 3)), 3)
    assert np.array_equal(flat.counts, image.counts)


def test_no_decisions():
    c = Confusion.of([], [], 2)
    assert np.isnan(c.accuracy)
    assert np.isnan(c.mean_iou)


def test_what_does_not_fit_is_named():
    with pytest.raises(ShapeError, match=r"\(2,\) decisions for labels of shape \(3,\)"):
        Confusion.of([0, 1, 1], [0, 1], 2)
    with pytest.raises(DataError, match=r"a decision is out of range: 0..2, expected 0..1"):
        Confusion.of([0, 1], [0, 2], 2)
    with pytest.raises(DataError, match=r"a label is out of range: -1..1, expected 0..1"):
        Confusion.of([-1, 1], [0, 1], 2)
