"""What is learned from a batch that several processes share: each sees a part, all must decide alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

Reduce = Callable[[Sequence[Tensor]], None]
"""Replaces tensors by their means over all processes, in place; the same on each process, to the bit."""


def alone(tensors: Sequence[Tensor]) -> None:
    """Reduce nothing: there is one process."""
