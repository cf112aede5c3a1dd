"""Decoded arrays kept in the user's cache folder, for data sets that take seconds to unpack.

An entry's name states what it was made from (the checksums of the files and the version of the code) and its own checksum,
so neither an old entry nor a damaged one is ever used.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.data.known_files import known_files, sha256, user_cache
from gatewright.runtime.files import sha256_of_file, temporary_beside

Arrays = dict[str, npt.NDArray[Any]]


def cached(name: str, version: int, paths: Sequence[str], make: Callable[[], Arrays]) -> Arrays:
    """Return arrays made from known files, from the cache if they are there.

    Args:
        name: Name of the data set.
        version: Raise it whenever `make` would return something different.
        paths: The known files that `make` reads.
        make: Makes the arrays; called if the cache has none. A cache that cannot be written is no error.
    """
    key = sha256(" ".join([str(version), *(known_files()[path].sha256 for path in paths)]).encode())
    folder, stem = user_cache() / "decoded", f"{name}-{key[:16]}-"
    arrays = _load(folder, stem)
    if arrays is None:
        arrays = make()
        with contextlib.suppress(OSError):
            _store(folder, stem, arrays)
    return arrays


def _load(folder: Path, stem: str) -> Arrays | None:
    with contextlib.suppress(OSError):
        for entry in folder.glob(f"{stem}*.npz"):
            if entry.stem == stem + sha256_of_file(entry):
                with np.load(entry, allow_pickle=False) as stored:
                    return {key: stored[key] for key in stored.files}
    return None


def _store(folder: Path, stem: str, arrays: Arrays) -> None:
    """Write an entry completely or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    with temporary_beside(folder / stem) as temporary:
        with temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
        temporary.replace(folder / f"{stem}{sha256_of_file(temporary)}.npz")
