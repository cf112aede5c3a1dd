"""Reading and writing files; atomic writes leave a file in full or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path

from gatewright.errors import DataError, OptionError


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A name in the folder of `path` that no other process or thread uses; its file, if any, is removed at the end."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, force it to the disk, then put it in the place of `path` in one step.

    A process killed at any moment leaves the old file or the new one, never a part. The folder of `path` is made if it does
    not exist. A symbolic link stays: what it points to is replaced. A device or pipe stays, too, and is written into.

    Args:
        path: The file to write.
        write: Creates the file whose path it is called with.

    Raises:
        OptionError: `path` is a directory, or would be inside a file.
    """
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise OptionError(f"{path} is a directory, expected a file to write")
    make_folder(path.parent)
    if path.exists() and not path.is_file():
        with tempfile.TemporaryDirectory(prefix="gatewright-") as folder, path.open("wb") as sink:
            write(Path(folder) / "content")
            with (Path(folder) / "content").open("rb") as content:
                shutil.copyfileobj(content, sink)
        return
    with temporary_beside(path) as temporary:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def make_folder(path: str | Path) -> Path:
    """Make a folder, and those above it, if it does not exist.

    Raises:
        OptionError: The path is a file, or inside one.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise OptionError(f"{folder} is a file or inside one, expected a directory to write to") from error
    return folder


def write_text_atomically(path: Path, text: str) -> None:
    """Write a UTF-8 text file in one step; see `write_atomically`."""
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def write_files(directory: str | Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write files, given by name, into a directory, each in one step, and return their paths.

    The directory is made if it does not exist. Text is written as UTF-8 with plain newlines.

    Raises:
        OptionError: The directory is a file, or would be inside one.
    """
    folder = make_folder(directory)
    for name, content in files.items():
        raw = content if isinstance(content, bytes) else content.encode()
        write_atomically(folder / name, methodcaller("write_bytes", raw))
    return [folder / name for name in files]


def read_bytes(path: str | Path) -> bytes:
    """The content of a file.

    Raises:
        DataError: The file does not exist, or it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def sha256_of_file(path: Path) -> str:
    """Checksum of a file as it lies on disk, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
