"""The processes that train one network together, each on its share of every batch.

All of them hold the same weights and draw the same random numbers. What depends on samples (gradients, candidate sums,
losses, entropies) is averaged over them before anything is decided, so all step, redraw and freeze alike. The main
process alone writes files.

A process finds its place in the environment, as `torchrun` (or `gatewright train --devices N`) sets it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

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
        """The main process's value, whatever it is, for all."""
        if self.size == 1:
            return value
        box: list[Any] = [value]
        dist.broadcast_object_list(box, src=0)
        result: T = box[0]
        return result


def size_of_environment() -> int:
    """How many processes the environment speaks of (1 if of none)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank_of_environment() -> int:
    """This process's number among them."""
    return int(os.environ.get("RANK", "0"))


def local_device(device: torch.device) -> torch.device:
    """This process's GPU if CUDA is used without a number; else the device as it is."""
    if str(device) == "cuda":
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return device


@contextmanager
def join(device: torch.device) -> Iterator[Ranks]:
    """Find the other processes (NCCL on CUDA, gloo elsewhere), and part from them at the end.

    Args:
        device: Where this process trains.
    """
    if dist.is_initialized():
        yield Ranks(dist.get_rank(), dist.get_world_size())
        return
    if size_of_environment() == 1:
        yield Ranks()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()
