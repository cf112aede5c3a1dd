"""The 8x8 digits, which come with gatewright: small enough to embed, real enough to learn from."""

from __future__ import annotations

import io
from importlib import resources
from pathlib import Path

import numpy as np

from gatewright.data.dataset import Dataset, DatasetInfo, Reader, Split
from gatewright.data.known_files import sha256
from gatewright.errors import DataError

_FILE = "digits.npz"
_SHA256 = "7ff739dceba19ffed6d2b424e87958786bae9750cdf31ee8e16c1e0512d00c57"


def _read(info: DatasetInfo, root: Path) -> Dataset:  # noqa: ARG001 - it needs no data root
    data = resources.files(__package__).joinpath(_FILE).read_bytes()
    if sha256(data) != _SHA256:
        raise DataError(
            f"gatewright's own {_FILE} is damaged: its sha256 is {sha256(data)}, expected {_SHA256}; install "
            "gatewright again"
        )
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        x, y = arrays["x"], arrays["y"].astype(np.int64)
    # The file is in writing order, 0 1 2 ... 9 0 1 2 ..., so a stride over all samples would pick only some classes;
    # a stride within each class does not.
    rank = np.empty(len(y), np.int64)
    for k in range(info.n_classes):
        rank[y == k] = np.arange(np.count_nonzero(y == k))
    test, validation = rank % 5 == 0, rank % 10 == 1
    return info.dataset(*(Split(x[mask], y[mask]) for mask in (~test & ~validation, validation, test)))


READERS = (
    Reader(
        DatasetInfo(
            name="digits",
            title="handwritten digits, 8x8, 17 grey levels",
            kind="image",
            shape=(1, 8, 8),
            dtype="uint8",
            class_names=tuple("0123456789"),
            train=1_250,
            validation=183,
            test=364,
            split="within each class, of every ten samples in order: 0 and 5 are test, 1 is validation",
            source="https://archive.ics.uci.edu/dataset/80 (its test part, as in scikit-learn)",
            licence="CC BY 4.0",
            citation="Alpaydin, Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998, doi:10.24432/C50P49",
        ),
        _read,
    ),
)
