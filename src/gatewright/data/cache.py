"""Decoded arrays kept in the user's cache folder, for data sets that take seconds to unpack.

An entry's name contains the checksums of the files it was made from and the version of the code that made it, so it
can be wrong only if it was damaged; NumPy's `.npz` files carry a CRC of every array, and a damaged entry is made anew.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.data.files import known_files, user_cache

Arrays = dict[str, npt.NDArray[Any]]


def cached(name: str, version: int, paths: Sequence[str], make: Callable[[], Arrays]) -> Arrays:
    """Return arrays made from known files, from the cache if they are there.

    Args:
        name: Name of the data set.
        version: Counted up whenever `make` would return something else.
        paths: The known files that `make` reads.
        make: Makes the arrays. Called if the cache has none; that it cannot be written is no error.
    """
    key = hashlib.sha256(" ".join([str(version), *(known_files()[path].sha256 for path in paths)]).encode())
    entry = user_cache() / "decoded" / f"{name}-{key.hexdigest()[:16]}.npz"
    arrays = _load(entry)
    if arrays is None:
        arrays = make()
        _store(entry, arrays)
    return arrays


def _load(entry: Path) -> Arrays | None:
    try:
        with np.load(entry, allow_pickle=False) as stored:
            return {key: stored[key] for key in stored.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError):
        return None


def _store(entry: Path, arrays: Arrays) -> None:
    """Write an entry whole or not at all."""
    part = None
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=entry.parent, suffix=".part", delete=False) as stream:
            part = Path(stream.name)
            np.savez(stream, allow_pickle=False, **arrays)
        part.replace(entry)
    except OSError:
        if part is not None and part.exists():
            os.unlink(part)  # noqa: PTH108
