"""Data sets by name: list, describe, download and load them."""

from __future__ import annotations

from pathlib import Path

from gatewright.data import cifar, digits, idx, mitbih, shapes, uci
from gatewright.data import known_files as files
from gatewright.data.dataset import Dataset, DatasetInfo, Reader
from gatewright.data.download import download as download_files
from gatewright.data.download import downloads_for
from gatewright.errors import OptionError, unknown_name

READERS = {
    reader.info.name: reader
    for reader in (*digits.READERS, *idx.READERS, *cifar.READERS, *uci.READERS, *mitbih.READERS, *shapes.READERS)
}
"""The data sets by name."""


def register(reader: Reader) -> None:
    """Add a data set, so that presets, commands and `load_dataset` know its name.

    Args:
        reader: Its description, and a function that reads it from the data root.

    Raises:
        OptionError: Another data set has its name.
    """
    name = reader.info.name
    if name in READERS:
        raise OptionError(f"there is already a data set {name!r} ({READERS[name].info.title}); choose another name")
    READERS[name] = reader


def names() -> tuple[str, ...]:
    """Return the names of all data sets."""
    return tuple(READERS)


def describe(name: str) -> DatasetInfo:
    """Describe a data set without reading it.

    Raises:
        OptionError: No data set has this name.
    """
    return _reader(name).info


def missing(name: str, root: str | Path | None = None) -> tuple[str, ...]:
    """Return the files of a data set that the root (see `load_dataset`) lacks, relative to it; empty if none is missing.

    Raises:
        OptionError: No data set has this name.
    """
    return files.missing(files.data_root(root), describe(name).files)


def download_size(name: str, root: str | Path | None = None) -> int:
    """Return how many bytes loading a data set into the root (see `load_dataset`) would download.

    Raises:
        OptionError: No data set has this name.
    """
    return sum(known.size for known in downloads_for(missing(name, root)))


def load_dataset(
    name: str, root: str | Path | None = None, *, download: bool = True, progress: bool = False
) -> Dataset:
    """Load a data set; download the files that are missing.

    Args:
        name: One of `names()`.
        root: Folder with the data in upstream's layout; None for the folder in the environment variable GATEWRIGHT_DATA, or
            the user's cache folder if it is not set.
        download: Whether missing files are downloaded into the root; if not, they are an error.
        progress: Whether to draw a progress bar while downloading.

    Raises:
        OptionError: No data set has this name.
        DataError: Files are missing, damaged, or not the known ones, or a download failed.

    >>> from gatewright import load_dataset
    >>> digits = load_dataset("digits")
    >>> digits
    Dataset(digits: uint8 (1, 8, 8), 10 classes, 1,250 train, 183 validation, 364 test)
    >>> digits.test.x.shape, digits.test.y.shape
    ((364, 1, 8, 8), (364,))
    """
    reader = _reader(name)
    place = files.data_root(root)
    absent = files.missing(place, reader.info.files)
    if absent and not download:
        raise files.missing_error(place, absent)
    if absent:
        download_files(place, absent, progress=progress)
    return reader.read(reader.info, place)


def _reader(name: str) -> Reader:
    if name not in READERS:
        raise unknown_name("data set", name, READERS)
    return READERS[name]
