"""MNIST and Fashion-MNIST, from their idx files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.data.dataset import Dataset, DatasetInfo, Reader, Split
from gatewright.data.known_files import read
from gatewright.errors import DataError, shown

_N_VALIDATION = 5_000
_NAMES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
_UINT8 = 8  # idx's type code
_MOST_NUMBERS = 1 << 62  # in NumPy's arrays, sizes of 0 left out
_MOST_RANK = 32  # NumPy's own limit, in all its versions


def parse_idx(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Parse an idx file of bytes: a big-endian header (two zeros, type, rank, then the sizes), then the values.

    Returns:
        uint8, of the file's shape; writable, owning its memory.

    Raises:
        DataError: It is not such a file.
    """
    rank = data[3] if len(data) >= 4 else 0
    start = 4 + 4 * rank
    if len(data) < start or data[:3] != bytes((0, 0, _UINT8)) or rank == 0:
        raise DataError(f"{where} is not an idx file of bytes: it begins with {data[:4].hex(' ') or 'nothing'}")
    shape = tuple(int(n) for n in np.frombuffer(data, ">u4", rank, 4))
    expected = start + math.prod(shape)
    if len(data) != expected or rank > _MOST_RANK or math.prod(n for n in shape if n) > _MOST_NUMBERS:
        raise DataError(
            f"{where} has {len(data)} bytes, but its header {shown(list(shape))} asks for {shown(expected)}"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape).copy()


def _read(info: DatasetInfo, root: Path) -> Dataset:
    x, y, test_x, test_y = (parse_idx(data, path) for path, data in read(root, info.files).items())
    n = max(len(y) - _N_VALIDATION, 0)
    return info.dataset(_split(x[:n], y[:n]), _split(x[n:], y[n:]), _split(test_x, test_y))


def _split(x: npt.NDArray[Any], y: npt.NDArray[Any]) -> Split:
    return Split(x[:, None], y.astype(np.int64))


def _reader(folder: str, **about: Any) -> Reader:
    info = DatasetInfo(
        kind="image",
        shape=(1, 28, 28),
        dtype="uint8",
        train=60_000 - _N_VALIDATION,
        validation=_N_VALIDATION,
        test=10_000,
        split=f"upstream's train and test; validation is the last {_N_VALIDATION:,} of train",
        files=tuple(f"{folder}/{file}" for file in _NAMES),
        **about,
    )
    return Reader(info, _read)


READERS = (
    _reader(
        "MNIST/raw",
        name="mnist",
        title="handwritten digits, 28x28 grey",
        class_names=tuple("0123456789"),
        source="http://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0 as commonly stated (upstream states none)",
        citation="LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, "
        "Proc. IEEE 86(11), 1998",
    ),
    _reader(
        "FashionMNIST/raw",
        name="fashion-mnist",
        title="articles of clothing, 28x28 grey",
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        source="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        citation="Xiao, Rasul, Vollgraf: Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning "
        "Algorithms, arXiv:1708.07747, 2017",
    ),
)
