"""Writing what an export makes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gatewright.errors import DataError, OptionError


def write_files(directory: str | Path, files: Mapping[str, str | bytes]) -> list[Path]:
    """Write files into a directory, which is made if it is not there.

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
    paths = []
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        paths.append(path)
    return paths


def read_bytes(path: str | Path) -> bytes:
    """The content of a file.

    Raises:
        DataError: There is no such file, or it cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
