"""The processes that train one network together, each on its share of every batch.

All of them hold the same weights and draw the same random numbers. What depends on samples (gradients, candidate sums,
losses, entropies) is averaged over them before anything is decided, so all step, redraw and freeze alike. The main
process alone writes files.

A process finds its place in the environment, as `torchrun` (or `gatewright train --devices N`) sets it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from gatewright.errors import OptionError

T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together.

    Attributes:
        rank: Its number, 0 to size - 1.
        size: How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def share(self, samples: int) -> slice:
        """This process's part of a batch.

        Raises:
            OptionError: The batch does not divide.
        """
        if samples % self.size:
            raise OptionError(
                f"a batch of {samples} samples does not divide into {self.size} equal shares; change train.batch"
            )
        part = samples // self.size
        return slice(self.rank * part, (self.rank + 1) * part)

    def mean_(self, tensors: Sequence[Tensor]) -> None:
        """Replace floating tensors by their means over all processes, in place (`learning.reduction.Reduce`)."""
        if self.size == 1:
            return
        # Each result is computed once and sent to all, so it is the same bits everywhere.
        work = [dist.all_reduce(tensor, async_op=True) for tensor in tensors]
        for handle in work:
            handle.wait()
        for tensor in tensors:
            tensor.div_(self.size)

    def total(self, value: Tensor) -> Tensor:
        """Sum of a tensor over all processes."""
        if self.size > 1:
            dist.all_reduce(value)
        return value

    def agree(self, wish: bool, device: torch.device) -> bool:
        """Whether any process wishes it."""
        if self.size == 1:
            return wish
        return bool(self.total(torch.tensor(int(wish), device=device)))

    def from_main(self, value: T) -> T:
        """The main process's value, in all processes."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]


def rank_of_environment() -> int:
    """This process's number among those that train together, as the environment says (0 if it says nothing)."""
    return int(os.environ.get("RANK", "0"))


def pick_device(name: str) -> torch.device:
    """The torch device that `train.device` names; of several GPUs, this process's own.

    Raises:
        OptionError: It asks for CUDA, and there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise OptionError(f"train.device is {name!r}, but torch finds no CUDA device here; use cpu or auto")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if name == "cuda" else torch.device(name)


@contextmanager
def join(device: torch.device) -> Iterator[Ranks]:
    """Find the other processes (NCCL on CUDA, gloo elsewhere), and leave them at the end."""
    if dist.is_initialized():
        yield Ranks(dist.get_rank(), dist.get_world_size())
        return
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    _end_with_launcher()
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
        dist.barrier()  # a process that leaves first closes connections that others may still read from
    finally:
        dist.destroy_process_group()


LAUNCHER = "GATEWRIGHT_LAUNCHER"
"""Environment variable with the number of the process that launched this one."""

_WATCH = 0.5
"""Seconds between looks at the launcher."""


def _end_with_launcher() -> None:
    """Ask this process to stop, with a checkpoint, as soon as the one that launched it is gone, killed for example."""
    launcher = os.environ.get(LAUNCHER, "")
    if launcher.isdecimal() and hasattr(os, "getppid"):
        threading.Thread(target=_watch, args=(int(launcher),), name="launcher", daemon=True).start()


def _watch(launcher: int) -> None:
    while os.getppid() == launcher:
        time.sleep(_WATCH)
    sys.stderr.write(f"process {launcher}, which launched this one, is gone: stopping\n")
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(STOPPED)


STOPPED = 130
"""Exit code of a run that was asked to stop."""

GRACE = 600
"""Seconds that processes get to end after one of them failed, or all were asked to stop."""


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run `python -m gatewright ARGUMENTS` in several processes of this machine, and wait for them.

    torch's elastic agent starts them. It passes Ctrl-C and SIGTERM on, and if one process fails it ends the others.

    Returns:
        0; or the code of the process that failed first; or 130 if they were asked to stop.
    """
    # These imports take a second, which processes that are launched do not need.
    from torch.distributed.elastic.multiprocessing import SignalException  # noqa: PLC0415
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # noqa: PLC0415
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch  # noqa: PLC0415

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    os.environ[LAUNCHER] = str(os.getpid())
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(GRACE))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="gatewright",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "gatewright", *arguments)
    except ChildFailedError as error:
        _, first = error.get_first_failure()
        return abs(first.exitcode)
    except SignalException:
        return STOPPED
    return 0
