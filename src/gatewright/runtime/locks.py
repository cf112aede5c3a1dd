"""Locks between processes: what one works on, no other touches."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from gatewright.errors import OptionError


class BusyError(OptionError):
    """Another process, or another thread of this one, works on the same thing."""


@contextmanager
def locked(path: Path, what: str, todo: str, *, finished: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Hold a lock within the context; who holds it cannot take it again.

    The system gives the lock up when its process ends, however that ends. Its file says who took it last, and remains
    until there is nothing more to lock.

    Args:
        path: The lock's file; its folder exists.
        what: What its holder does, for the message.
        todo: What to do about it, for the message.
        finished: Whether nothing is left that a second holder could disturb; then the file is removed.

    Raises:
        BusyError: Somebody else holds it.
        OSError: The file cannot be made.
    """
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
        while not path.exists():  # its last holder has removed the file after it was opened here
            lock.release()
            lock.acquire()
    except Timeout as error:
        raise BusyError(f"{what} ({_holder(path)}); {todo}") from error
    try:
        with suppress(OSError):  # it is for the message alone
            path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
        yield
    finally:
        if finished():
            with suppress(OSError):
                path.unlink()
        lock.release()


def _holder(path: Path) -> str:
    try:
        said = path.read_text(encoding="utf-8").strip()[:200]
    except (OSError, UnicodeDecodeError):
        said = ""
    return said if said.isprintable() and said else "it does not say who it is"
