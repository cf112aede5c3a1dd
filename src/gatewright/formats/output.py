"""Writing what an export makes."""

from __future__ import annotations

from collections.abc import Mapping
from operator import methodcaller
from pathlib import Path

from gatewright.errors import DataError, OptionError
from gatewright.runtime.files import write_atomically


def write_files(directory: str | Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write files into a directory, each in one step; the directory is made if it does not exist.

    Args:
        directory: Where to write.
        files: Contents by file name; text is written as UTF-8 with plain newlines.

    Returns:
        The paths, in the order given.

    Raises:
        OptionError: The directory is a file.
    """
    folder = Path(directory)
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"{folder} is a file, expected a directory to export to")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        raw = content if isinstance(content, bytes) else content.encode()
        write_atomically(folder / name, methodcaller("write_bytes", raw))
    return [folder / name for name in files]


def read_bytes(path: str | Path) -> bytes:
    """The content of a file.

    Raises:
        DataError: The file does not exist or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
