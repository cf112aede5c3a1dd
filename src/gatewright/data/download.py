"""Download known files into the data root: checked, with progress, never half a file under its final name."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Self

import pooch
import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from gatewright.data.known_files import KnownFile, known_files
from gatewright.errors import DataError
from gatewright.runtime.files import sha256_of_file

MIRROR_VARIABLE = "GATEWRIGHT_MIRROR"
"""Environment variable with the base URL of a mirror; a file then comes from `<mirror>/<path in the data root>`."""

_CHUNK = 1 << 16
_TIMEOUT = 30  # seconds without a byte, not of the whole download


def downloads_for(paths: Iterable[str]) -> tuple[KnownFile, ...]:
    """Return the downloads that these known files need: themselves, or the files they are unpacked from."""
    known = known_files()
    needed = (known[path] if known[path].is_download else known[known[path].source] for path in paths)
    return tuple(dict.fromkeys(needed))


def download(root: Path, paths: Iterable[str], *, progress: bool = False, mirror: str | None = None) -> None:
    """Download known files.

    Each is written under a temporary name and gets its own once its checksum is right, so a file that exists is complete,
    and a download that was stopped resumes with the files that are still missing.

    Args:
        root: The data root, made if it does not exist.
        paths: Known files, relative to it.
        progress: Whether to draw a progress bar on standard error.
        mirror: Base URL to download from instead of upstream; None for the environment's GATEWRIGHT_MIRROR, if set.

    Raises:
        DataError: The server cannot be reached or sends different content, or the folder cannot be written.
    """
    needed = downloads_for(paths)
    base = mirror if mirror is not None else os.environ.get(MIRROR_VARIABLE, "")
    with _Bar(needed, enabled=progress) as bar, _quiet(pooch.get_logger()):
        for known in needed:
            url = f"{base.rstrip('/')}/{known.path}" if base else known.source
            bar.start(known)
            _download_one(root, known, url, bar)


def _download_one(root: Path, known: KnownFile, url: str, bar: _Bar) -> None:
    target = root / known.path
    fetch = pooch.HTTPDownloader(progressbar=bar, chunk_size=_CHUNK, timeout=_TIMEOUT)

    def fetch_checked(url: str, output_file: str | IO[bytes], pool: Any) -> None:
        """Download, and compare before pooch does, as its message leaves out the checksums."""
        fetch(url, output_file, pool)
        part = Path(str(output_file))
        found = sha256_of_file(part)
        if found != known.sha256:
            raise DataError(
                f"{url} is not the known {known.path}: its sha256 is {found} ({part.stat().st_size} bytes), expected "
                f"{known.sha256} ({known.size} bytes); nothing was kept; try again, or {_by_hand(target)}"
            )

    try:
        pooch.retrieve(url, f"sha256:{known.sha256}", target.name, target.parent, downloader=fetch_checked)
    except (requests.RequestException, ConnectionError, TimeoutError) as error:
        # A mirror that is not a URL at all also ends here: requests says so.
        raise DataError(
            f"could not download {url} ({type(error).__name__}: {error}); expected {known.size} bytes with sha256 "
            f"{known.sha256}; nothing was kept; check the connection and try again, or {_by_hand(target)}"
        ) from error
    except OSError as error:
        raise DataError(
            f"cannot write {target} ({error}); choose a data root that can be written, with enough free space"
        ) from error


def _by_hand(target: Path) -> str:
    return f"put the file at {target} yourself, or set {MIRROR_VARIABLE} to the URL of a copy"


@contextlib.contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch from writing a line per file: the bars show progress, or nothing is to be shown."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Bar:
    """One progress bar over all files of a data set, drawn on standard error, with the methods that pooch calls."""

    def __init__(self, files: tuple[KnownFile, ...], *, enabled: bool) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(*columns, console=Console(stderr=True), disable=not enabled)
        self._task = self._progress.add_task("download", total=sum(known.size for known in files))
        self._before = self._size = self._here = 0
        self.total = 0  # pooch sets it, and nothing reads it

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def start(self, known: KnownFile) -> None:
        """Begin with a file, where the one before ends."""
        self._before, self._size, self._here = self._before + self._size, known.size, 0
        self._progress.update(self._task, description=known.path)

    def update(self, n: int) -> None:
        """Advance by n bytes, never past the end: pooch counts full chunks."""
        self._here = min(self._here + n, self._size)
        self._progress.update(self._task, completed=self._before + self._here)

    def reset(self) -> None:
        """Return to the start of the file."""
        self._here = 0

    def close(self) -> None:
        """Do nothing: the next file uses the same bar."""
