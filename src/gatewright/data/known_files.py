"""Files in the data root: where they are, and what is in them, checked against known checksums.

A file is looked for as it is, then with `.gz` or `.xz`, then in the archive it is distributed in. Its *content* is
what is checked, so it does not matter how it was packed.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import pooch

from gatewright.errors import DataError
from gatewright.runtime.files import sha256_of_file

ROOT_VARIABLE = "GATEWRIGHT_DATA"
"""Environment variable that names the data root."""

_UNPACKERS = {".gz": gzip.open, ".xz": lzma.open}
_DAMAGE = (EOFError, OSError, lzma.LZMAError, zlib.error, tarfile.TarError)


@dataclass(frozen=True)
class KnownFile:
    """A file whose content is known.

    Attributes:
        sha256: Checksum of its content, in hexadecimal.
        size: Bytes of its content.
        path: Its place, relative to the data root.
        source: The URL it is downloaded from, or the path of the file it is unpacked from.
    """

    sha256: str
    size: int
    path: str
    source: str

    @property
    def is_download(self) -> bool:
        """Whether it is downloaded as it is, not unpacked from another file."""
        return "://" in self.source


@cache
def known_files() -> Mapping[str, KnownFile]:
    """Return every file that gatewright reads, by its path."""
    text = resources.files(__package__).joinpath("checksums.txt").read_text(encoding="utf-8")
    rows = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return MappingProxyType({path: KnownFile(sha, int(size), path, source) for sha, size, path, source in rows})


def data_root(root: str | Path | None = None) -> Path:
    """Return the data root: `root`, or the folder in the environment's GATEWRIGHT_DATA, or the user's cache folder."""
    given = root if root is not None else os.environ.get(ROOT_VARIABLE) or None
    return Path(given).expanduser() if given is not None else user_cache()


def user_cache() -> Path:
    """Return the user's cache folder, for files that can be made again."""
    return Path(pooch.os_cache("gatewright"))


def find(root: Path, path: str) -> Path | None:
    """Return the path of a known file, of its packed form, or of the archive that holds it; None if all are missing."""
    names = [path, f"{path}.gz", f"{path}.xz"]
    known = known_files()[path]
    if not known.is_download:
        names.append(known.source)
    return next((root / name for name in names if (root / name).is_file()), None)


def missing(root: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Return the known files that the data root lacks."""
    return tuple(path for path in paths if find(root, path) is None)


def read(root: Path, paths: Iterable[str]) -> dict[str, bytes]:
    """Read known files, unpacked and checked, and return their contents by path, in the order of `paths`.

    Raises:
        DataError: A file is missing, damaged, or not the known one.
    """
    paths = list(paths)
    absent = missing(root, paths)
    if absent:
        raise missing_error(root, absent)
    by_place: dict[Path, list[str]] = {}
    for path in paths:
        place = find(root, path)
        if place is not None:
            by_place.setdefault(place, []).append(path)
    # Unpacking releases the interpreter lock, so threads halve the time on two cores.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        contents: dict[str, bytes] = {}
        for part in pool.map(lambda item: _read_place(*item), by_place.items()):
            contents.update(part)
    return {path: contents[path] for path in paths}


def missing_error(root: Path, paths: tuple[str, ...]) -> DataError:
    """Build the error for missing files, with the places searched and what to do."""
    first = known_files()[paths[0]]
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    origin = "" if first.is_download else f", or {first.source}"
    return DataError(
        f"{root / first.path} is missing{more} (expected there plain, as .gz or .xz{origin}; sha256 of the content "
        f"{first.sha256}); set {ROOT_VARIABLE} or the root option to the folder that has the data, or allow the "
        "download"
    )


def sha256(data: bytes) -> str:
    """Return a checksum in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _read_place(place: Path, paths: list[str]) -> dict[str, bytes]:
    """Read the known files `paths` from the one file that has them."""
    try:
        archive = place.name.endswith(".tar.gz")
        contents = _read_archive(place, paths) if archive else {path: _unpack(place, path) for path in paths}
    except _DAMAGE as error:
        raise _damage_error(place, paths[0], error) from error
    for path, content in contents.items():
        known = known_files()[path]
        found = sha256(content)
        if found != known.sha256:
            more = f"{len(content)}" if len(content) <= known.size else f"more than {known.size}"
            raise DataError(
                f"{place} does not hold the known content of {path}: its sha256 is {found} ({more} bytes), expected "
                f"{known.sha256} ({known.size} bytes); delete the file and load again to download it, or restore it"
            )
    return contents


def _unpack(place: Path, path: str) -> bytes:
    # One byte more than expected is enough to see that the content is wrong, however much a bomb would unpack to.
    limit = known_files()[path].size + 1
    opener: Any = _UNPACKERS.get(place.suffix) if place.name != Path(path).name else None
    stream: IO[bytes]
    with opener(place) if opener else place.open("rb") as stream:
        return stream.read(limit)


def _read_archive(place: Path, paths: list[str]) -> dict[str, bytes]:
    """Read members from a tar archive in one pass; nothing is written to disk."""
    wanted = set(paths)
    contents: dict[str, bytes] = {}
    with tarfile.open(place, "r|gz") as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.name in wanted else None
            if stream is not None:
                contents[member.name] = stream.read(known_files()[member.name].size + 1)
    absent = sorted(wanted - set(contents))
    if absent:
        raise tarfile.TarError(f"it has no member {absent[0]}")
    return contents


def _damage_error(place: Path, path: str, error: Exception) -> DataError:
    try:
        found = f"the file's sha256 is {sha256_of_file(place)}"
    except OSError:
        return DataError(f"{place} cannot be read ({error}); make it readable, or delete it and load again")
    known = known_files()
    upstream = next((known[at] for at in (path, known[path].source) if at in known and at.endswith(place.name)), None)
    expected = (
        f"expected {upstream.sha256} ({upstream.size} bytes)"
        if upstream is not None
        else f"expected a packed file whose content has sha256 {known[path].sha256}"
    )
    return DataError(
        f"{place} is damaged or cut off ({error}): {found} ({place.stat().st_size} bytes), {expected}; delete the file "
        "and load again to download it, or restore it"
    )
