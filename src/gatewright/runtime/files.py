"""Reading and writing files; atomic writes leave a file in full or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from operator import methodcaller
from pathlib import Path

from gatewright.errors import DataError, GatewrightError, OptionError

_DESCRIPTOR = re.compile(r"/dev/(?:fd/(\d+)|std(?:(out)|(err)))|/proc/(?:self|thread-self)/fd/(\d+)")
"""Names of what this process has open; writing goes on where the process itself writes."""

_TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}\.tmp", re.DOTALL)
_MOST_BYTES = 1 << 28
"""Of what is no regular file, and may never end."""


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A name in the folder of `path` that no other process or thread uses; its file, if any, is removed at the end."""
    # A long name is cut, because with the rest it would be longer than file systems allow.
    temporary = path.with_name(f".{path.name[:40]}.{secrets.token_hex(8)}.tmp")
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Remove what killed processes have left half written; nobody else may be writing to the folder."""
    for path in folder.glob(".*.tmp"):
        if _TEMPORARY.fullmatch(path.name):
            path.unlink(missing_ok=True)


def make_folder(path: str | Path) -> Path:
    """Make a folder and those above it where they are missing, also behind a symbolic link; returns it.

    Raises:
        OptionError: It, or one above it, is no folder.
        OSError: It cannot be made.
    """
    folder = Path(os.path.realpath(path))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        wrong = next((each for each in (folder, *folder.parents) if each.exists() and not each.is_dir()), folder)
        raise OptionError(f"{wrong} is a file, expected a directory to write to") from error
    return Path(path)


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file, force it to the disk, then put it in the place of `path` in one step.

    A process killed at any moment leaves the old file or the new one, never a part. Only regular files are replaced, and
    keep their mode: a symbolic link remains, and the file behind it is replaced or made; a device or a pipe is written
    into. Folders that are missing are made.

    Args:
        path: The file to make or replace.
        write: Called with a temporary path; it must create that file.

    Raises:
        OptionError: The path is a folder, or one of its folders is a file.
        OSError: It cannot be written.
    """
    descriptor = _descriptor(path)
    try:
        mode = None if descriptor is not None else path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        mode = stat.S_IFREG
    if mode is not None and stat.S_ISDIR(mode):
        raise OptionError(f"{path} is a folder, expected the name of a file to write")
    if mode is None or not stat.S_ISREG(mode):
        _write_into(path, descriptor, write)
    else:
        _replace(Path(os.path.realpath(path)), stat.S_IMODE(mode), write)


def _replace(path: Path, mode: int, write: Callable[[Path], object]) -> None:
    make_folder(path.parent)
    with temporary_beside(path) as temporary:
        temporary.touch(exist_ok=False)
        mode = mode or stat.S_IMODE(temporary.stat().st_mode)
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if os.name == "posix" and stat.S_IMODE(temporary.stat().st_mode) != mode:
            temporary.chmod(mode)  # some libraries make files that only their owner can read
        temporary.replace(path)
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write_into(path: Path, descriptor: int | None, write: Callable[[Path], object]) -> None:
    """Write to a device, a pipe or an open file; never in the middle of what it is made of."""
    with tempfile.TemporaryDirectory(prefix="gatewright-") as folder:
        temporary = Path(folder) / (path.name[:40] or "file")
        write(temporary)
        try:
            opened = os.open(path, os.O_WRONLY) if descriptor is None else os.dup(descriptor)
            with temporary.open("rb") as source, os.fdopen(opened, "wb") as target:
                shutil.copyfileobj(source, target)
        except OSError as error:
            error.filename = error.filename or str(path)
            raise


def _descriptor(path: Path) -> int | None:
    """The number of the open file that a name like `/dev/stdout` stands for."""
    found = _DESCRIPTOR.fullmatch(str(path))
    if found is None:
        return None
    number, out, _, own = found.groups()
    return int(number or own or (1 if out else 2))


def is_plain_file(path: Path) -> bool:
    """Whether the path, through symbolic links, is a regular file: what was written can be read again."""
    return _descriptor(path) is None and path.is_file()


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
        try:
            raw = content if isinstance(content, bytes) else content.encode()
        except UnicodeEncodeError as error:
            half = content[error.start : error.start + 1]
            raise OptionError(f"{folder / name}: a text for it contains half a character, {half!r}") from error
        write_atomically(folder / name, methodcaller("write_bytes", raw))
    return [folder / name for name in files]


def content_of(path: Path) -> bytes:
    """The content of a file; of a pipe or device, if it ends in time.

    Raises:
        DataError: It does not end in time.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return file.read()
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise DataError(f"{path} is no regular file, and gives more than {_MOST_BYTES} bytes; copy it to a file first")
    return raw


def read_bytes(path: str | Path) -> bytes:
    """The content of a file, as `content_of`.

    Raises:
        DataError: The file does not exist, or it cannot be read.
    """
    try:
        return content_of(Path(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except GatewrightError:
        raise
    except ValueError as error:  # a name with a zero byte
        raise DataError(f"{str(path)!r} cannot be the name of a file ({error})") from error


def sha256_of_file(path: Path) -> str:
    """Checksum of a file as it lies on disk, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
