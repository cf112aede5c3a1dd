"""How long work takes on a device: the median over rounds, each including the wait for queued work."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def wait(device: torch.device) -> None:
    """Wait for all queued work on the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(work: Callable[[], object], device: torch.device, *, least: float = 0.2, rounds: int = 5) -> float:
    """Median seconds of one call, over rounds of many calls.

    Args:
        work: Called once before the clock starts, to compile and allocate, then many times.
        device: Where it runs.
        least: Least seconds of all rounds together.
        rounds: How many.
    """
    work()
    calls, spent = 1, _clock(work, device, 1)
    while spent < least / rounds:
        calls = max(2 * calls, min(1 << 20, int(calls * least / rounds / max(spent, 1e-9))))
        spent = _clock(work, device, calls)
    return statistics.median([spent, *(_clock(work, device, calls) for _ in range(rounds - 1))]) / calls


def _clock(work: Callable[[], object], device: torch.device, calls: int) -> float:
    wait(device)
    start = time.perf_counter()
    for _ in range(calls):
        work()
    wait(device)
    return time.perf_counter() - start
