"""A process that is killed right before a file operation."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

_PATHS = {"os.rename": 2, "os.remove": 1, "os.mkdir": 1, "os.rmdir": 1, "os.link": 2, "os.symlink": 2, "os.truncate": 1}
"""Operations that change files, and how many paths they name."""


def before_file_operation(folder: str, number: int) -> list[int]:
    """Kill this process before operation `number` (from 1; 0 for never) that changes something under a folder.

    Returns:
        A list whose one entry counts the operations.
    """
    counted = [0]

    def happens() -> None:
        counted[0] += 1
        if counted[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            if (
                isinstance(flags, int)
                and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
                and str(path).startswith(folder)
            ):
                happens()
        elif event in _PATHS and any(str(path).startswith(folder) for path in args[: _PATHS[event]]):
            happens()

    fsync = os.fsync

    def counted_fsync(fd: int) -> None:  # no audit event tells of it
        happens()
        fsync(fd)

    os.fsync = counted_fsync
    sys.addaudithook(hook)
    return counted
