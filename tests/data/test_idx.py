"""MNIST and Fashion-MNIST."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gatewright.data.idx import parse_idx
from gatewright.errors import DataError


def idx_file(array):
    header = bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@settings(deadline=None)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4)))
def test_what_was_written_is_read(array):
    parsed = parse_idx(idx_file(array), "x")
    assert np.array_equal(parsed, array)
    assert parsed.flags.writeable


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_garbage_is_refused_or_is_an_array(data):
    try:
        array = parse_idx(data, "x")
    except DataError:
        return
    assert idx_file(array) == data


def test_the_message_tells_the_kind_of_damage():
    whole = idx_file(np.zeros((3, 2, 2), np.uint8))
    with pytest.raises(DataError, match=r"where has 27 bytes, but its header \[3, 2, 2\] asks for 28"):
        parse_idx(whole[:-1], "where")
    with pytest.raises(DataError, match="not an idx file of bytes: it begins with 00 00 0d 03"):
        parse_idx(b"\0\0\x0d\x03" + whole[4:], "where")
    with pytest.raises(DataError, match="begins with nothing"):
        parse_idx(b"", "where")


@pytest.mark.parametrize(
    ("name", "train_counts", "test_counts", "mean"),
    [
        (
            "mnist",
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
            0.13066,
        ),
        ("fashion-mnist", [6000] * 10, [1000] * 10, 0.28604),
    ],
)
def test_real(real_data, name, train_counts, test_counts, mean):
    data = real_data(name)
    assert data.train.x.dtype == np.uint8
    assert data.train.x.shape == (55_000, 1, 28, 28)
    assert data.validation.x.shape == (5_000, 1, 28, 28)
    assert data.test.x.shape == (10_000, 1, 28, 28)
    y = np.concatenate([data.train.y, data.validation.y])
    assert np.bincount(y).tolist() == train_counts
    assert np.bincount(data.test.y).tolist() == test_counts
    pixels = int(data.train.x.sum(dtype=np.int64)) + int(data.validation.x.sum(dtype=np.int64))
    assert pixels / (60_000 * 784 * 255) == pytest.approx(mean, abs=1e-5)
    assert data.train.y[:5].tolist() == {"mnist": [5, 0, 4, 1, 9], "fashion-mnist": [9, 0, 0, 3, 0]}[name]
