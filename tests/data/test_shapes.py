"""The generated pictures."""

import hashlib

import numpy as np
import pytest

from gatewright.data import Dataset, Split, load_dataset, shapes
from gatewright.errors import DataError, DtypeError, ShapeError


def test_the_same_pictures_everywhere():
    x, y = shapes.draw(20, 1)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((20, 1, 24, 24), np.uint8, (20, 24, 24), np.int64)
    digest = hashlib.sha256(x.tobytes() + y.astype(np.uint8).tobytes()).hexdigest()
    assert digest == "c36499eed6f555afbc51cabd97a2bd6bb7b4032fd82fa79c90b7fdb02d6fec8f"
    other, _ = shapes.draw(20, 2)
    assert not np.array_equal(x, other)


def test_parts_differ_and_every_class_is_there():
    data = load_dataset("shapes")
    assert not np.array_equal(data.train.x[:100], data.test.x[:100])
    assert not np.array_equal(data.validation.x[:100], data.test.x[:100])
    share = np.bincount(data.test.y.ravel(), minlength=4) / data.test.y.size
    assert share.min() > 0.03
    assert share[0] < 0.8


def test_a_pixel_does_not_tell_its_class_by_itself():
    data = load_dataset("shapes")
    x, y = data.train.x[:, 0].ravel(), data.train.y.ravel()
    table = np.zeros((256, 4))
    np.add.at(table, (x, y), 1)
    best = table.argmax(axis=1)[data.test.x[:, 0].ravel()]
    found = [(best[data.test.y.ravel() == k] == k).mean() for k in range(4)]
    assert min(found) < 0.1


def test_shapes_are_what_they_are_called():
    dy, dx = np.mgrid[-6:7, -6:7]
    disc, lying, standing = (shapes._inside(kind, dy, dx, 4) for kind in shapes.CLASSES[1:])
    assert disc.sum() == (dy**2 + dx**2 <= 18).sum()
    assert lying.sum() == 3 * 13
    assert lying[5:8].all()
    assert np.array_equal(standing, lying.T)


def test_labels_per_pixel_must_fit():
    info = shapes.READERS[0].info
    x, y = shapes.draw(3, 1)
    good = Split(x, y)
    assert info.dataset(good, good, good).label_shape == (24, 24)
    with pytest.raises(ShapeError, match=r"shapes, test part: labels have shape \(24, 23\), expected \(24, 24\)"):
        info.dataset(good, good, Split(x, y[:, :, 1:]))
    wrong = y.copy()
    wrong[1, 2, 3] = 4
    with pytest.raises(DataError, match=r"label of sample 1 is 4, expected 0\.\.3"):
        info.dataset(good, Split(x, wrong), good)
    with pytest.raises(
        DtypeError,
        match=r"labels must be int64 \[n\] or \[n, height, width\], or float64 \[n\] for numbers, got int64 \[3, 24\]",
    ):
        Split(x, y[:, 0])
    assert isinstance(info.dataset(good, good, good), Dataset)
