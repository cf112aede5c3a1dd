"""CIFAR-10, from the Python pickles it is distributed in, read by an unpickler that makes arrays and nothing else."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.data.cache import Arrays, cached
from gatewright.data.dataset import Dataset, DatasetInfo, Reader, Split
from gatewright.data.known_files import read
from gatewright.errors import DataError

_N_VALIDATION = 5_000
_SHAPE = (3, 32, 32)


class _Type:
    """Stands for numpy.dtype: remembers what was asked for."""

    def __init__(self, descriptor: Any, *_flags: Any) -> None:
        self.descriptor = descriptor

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and flags, which a single byte has not."""


class _Array:
    """Stands for numpy.ndarray and its constructor: remembers shape, type and bytes."""

    def __init__(self, *_blank: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        """Take what NumPy would be given: version, shape, type, Fortran order, bytes."""
        self.state = state

    def as_bytes(self) -> npt.NDArray[np.uint8] | None:
        """Return the array if it is a uint8 table, or None."""
        match self.state:
            case (_, (int(), int()) as shape, _Type(descriptor=b"u1" | "u1"), False, bytes(raw)):
                return np.frombuffer(raw, np.uint8).reshape(shape).copy()
        return None


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
}


class _ArrayUnpickler(pickle.Unpickler):
    """An unpickler that makes plain containers and the stand-ins above: not even NumPy sees what is in the file."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of one of the things an array is made of."""
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to things outside the file."""
        raise pickle.UnpicklingError(f"the persistent id {pid!r} is not allowed")


def parse_batch(data: bytes, where: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Parse one CIFAR-10 batch, a pickle.

    Returns:
        Images uint8 [n, 3, 32, 32] and labels int64 [n].

    Raises:
        DataError: The pickle is damaged, asks for anything but arrays, or holds something else than a batch.
    """
    try:
        batch = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
        array, labels = (batch.get(key) if isinstance(batch, dict) else None for key in (b"data", b"labels"))
        images = array.as_bytes() if isinstance(array, _Array) else None
    except Exception as error:  # a damaged pickle can raise nearly anything
        raise DataError(f"{where} is not a CIFAR-10 batch, refused: {str(error)[:300]}") from error
    if images is None or images.shape[1] != int(np.prod(_SHAPE)):
        raise DataError(f"{where} is not a CIFAR-10 batch: its b'data' is not uint8 [n, 3072]")
    if not isinstance(labels, list) or len(labels) != len(images) or not all(type(y) is int for y in labels):
        raise DataError(f"{where} is not a CIFAR-10 batch: its b'labels' is not a list of {len(images)} integers")
    try:
        return images.reshape(-1, *_SHAPE), np.array(labels, np.int64)
    except OverflowError as error:
        raise DataError(f"{where} is not a CIFAR-10 batch: a label is beyond 64 bits") from error


def _decode(info: DatasetInfo, root: Path) -> Arrays:
    contents = read(root, info.files)
    batches = [parse_batch(contents.pop(path), path) for path in info.files]
    x, y = zip(*batches[:-1], strict=True)
    return {"x": np.concatenate(x), "y": np.concatenate(y), "test_x": batches[-1][0], "test_y": batches[-1][1]}


def _read(info: DatasetInfo, root: Path) -> Dataset:
    arrays = cached(info.name, 1, info.files, lambda: _decode(info, root))
    x, y = arrays["x"], arrays["y"]
    n = max(len(y) - _N_VALIDATION, 0)
    return info.dataset(Split(x[:n], y[:n]), Split(x[n:], y[n:]), Split(arrays["test_x"], arrays["test_y"]))


READERS = (
    Reader(
        DatasetInfo(
            name="cifar10",
            title="photographs of ten kinds of things, 32x32 colour",
            kind="image",
            shape=_SHAPE,
            dtype="uint8",
            class_names=(
                *("airplane", "automobile", "bird", "cat", "deer"),
                *("dog", "frog", "horse", "ship", "truck"),
            ),
            train=50_000 - _N_VALIDATION,
            validation=_N_VALIDATION,
            test=10_000,
            split=f"upstream's train and test; validation is the last {_N_VALIDATION:,} of train",
            source="https://www.cs.toronto.edu/~kriz/cifar.html",
            licence="none stated by upstream",
            citation="Krizhevsky: Learning Multiple Layers of Features from Tiny Images, technical report, "
            "University of Toronto, 2009",
            files=tuple(
                f"cifar-10-batches-py/{name}" for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
            ),
        ),
        _read,
    ),
)
