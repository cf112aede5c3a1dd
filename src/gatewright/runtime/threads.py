"""Run a kernel on parts of a range, one thread per part.

The kernels release the GIL, so plain Python threads do; how a range is cut never changes a kernel's result: parts of the
neurons own their outputs, parts of the batch own their columns.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import torch


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="gatewright")


_native = False
_single = False


def _before_fork() -> None:
    global _native  # noqa: PLW0603 - one state per process
    tasks = Path("/proc/self/task")
    _native = not tasks.is_dir() or len(list(tasks.iterdir())) > threading.active_count()


def _after_fork() -> None:
    """Threads do not live on in a forked process. Ours are made anew; those of torch cannot be, and it would wait for them.

    So torch computes with one thread where the parent may have started its others.
    """
    global _single, _changing  # noqa: PLW0603 - one state per process
    _changing = threading.Lock()
    _pool.cache_clear()
    if _native:
        _single = True
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)

_changing = threading.Lock()
_users: list[object] = []
_before: list[int] = []


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Let torch and the kernels use this many threads within the context; one where `_after_fork` says so.

    Threads may do so at the same time. The number from before the first comes back when the last has left.
    """
    user = object()
    with _changing:
        own = torch.get_num_threads()
        if not _users:
            _before[:] = [own]
        _users.append(user)
        torch.set_num_threads(1 if _single else count)
    try:
        yield
    finally:
        with _changing:
            _users.remove(user)
            torch.set_num_threads(own if _users else _before[0])


def split(kernel: Callable[..., Any], total: int, *args: Any, multiple: int = 1) -> None:
    """Call `kernel(start, stop, *args)` on ranges that cover 0..total, on as many threads as torch uses.

    The kernel releases the GIL. Every start is a multiple of `multiple`.
    """
    threads = torch.get_num_threads()
    units = -(-total // multiple)
    parts = min(threads, units)
    if parts <= 1:
        kernel(0, total, *args)
        return
    edges = [min(total, units * i // parts * multiple) for i in range(parts)] + [total]
    tasks = [_pool(threads).submit(kernel, edges[i], edges[i + 1], *args) for i in range(1, parts)]
    kernel(edges[0], edges[1], *args)
    for task in tasks:
        task.result()
