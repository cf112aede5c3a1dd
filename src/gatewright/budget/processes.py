"""Processes that share the work of a search: its trials, or the runs of its winner."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from pathlib import Path
from time import sleep

from gatewright.budget.study import About, Study
from gatewright.errors import GatewrightError

Halt = Callable[[], bool]


@dataclass(frozen=True)
class Task:
    """What a process needs to know.

    Attributes:
        about: The study.
        out: The folder of the search.
        storage: Where the study is; see `gatewright.budget.study.open_storage`.
        seconds: Of the whole search; infinity for no limit.
        jobs: Processes that train at a time.
        trials: Trials at most; None for as many as the time allows.
        seeds: Seeds that the winner is trained with.
        data_root: Where the data sets are; None for the usual places.
    """

    about: About
    out: Path
    storage: str | None
    seconds: float
    jobs: int
    trials: int | None
    seeds: int
    data_root: Path | None

    def study(self) -> Study:
        """The study, opened."""
        return Study(self.about, self.out, self.storage)


def in_processes(
    count: int, work: Callable[[Task, Halt], None], task: Task, stop: Halt, look: Callable[[], None]
) -> None:
    """Let so many processes do the same work, which they divide among themselves by locks.

    Args:
        count: Of processes.
        work: A function of a module. It takes the task, and what to ask whether to stop with a checkpoint.
        task: What the function takes.
        stop: Asked often here; true stops the processes.
        look: Called often here.

    Raises:
        GatewrightError: A process failed. The others went on until nothing was left for them.
    """
    context = multiprocessing.get_context("spawn")
    halt = context.Event()
    workers = [context.Process(target=_process, args=(work, task, halt, os.getpid())) for _ in range(count)]
    try:
        for worker in workers:
            worker.start()
        while any(worker.is_alive() for worker in workers):
            if stop():
                halt.set()
            look()
            sleep(0.5)
    finally:
        halt.set()
        for worker in workers:
            if worker.pid is not None:
                worker.join()
    look()
    failed = [worker for worker in workers if worker.exitcode]
    if failed:
        raise GatewrightError(
            f"{len(failed)} of {len(workers)} workers ended with exit code {failed[0].exitcode}; "
            "their runs go on with the same command"
        )


def _process(work: Callable[[Task, Halt], None], task: Task, halt: Event, parent: int) -> None:
    """It ends with its parent, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    work(task, lambda: halt.is_set() or os.getppid() != parent)
