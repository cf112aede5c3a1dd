"""Run a kernel on parts of a range, one thread per part.

The kernels release the GIL, so plain Python threads do; how a range is cut never changes a kernel's result: parts of the
neurons own their outputs, parts of the batch own their columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="gatewright")


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Let torch and the kernels use this many threads within the context."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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
