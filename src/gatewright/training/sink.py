"""Where a training run leaves what it makes: metrics, checkpoints and the best weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Weights = Mapping[str, Any]
"""A model's `state_dict`."""


class Sink:
    """Takes everything a run makes, and drops it: the base of all sinks."""

    def begin(self, step: int) -> None:
        """Training starts, or resumes, after this step."""

    def metrics(self, step: int, values: Mapping[str, Any]) -> None:
        """Take the metrics of a step."""

    def keep(self, step: int, weights: Weights) -> None:
        """Take the best weights so far."""

    def kept(self, step: int) -> Weights:
        """The weights that were kept at a step."""
        raise NotImplementedError

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Take the state to resume from; best weights that it does not refer to are no longer needed."""

    def end(self) -> None:
        """Training has ended, or was stopped or failed."""


class MemorySink(Sink):
    """Keeps metrics and the best weights in memory, for runs that leave no files.

    Attributes:
        lines: Metrics with their steps, in order.
    """

    def __init__(self) -> None:
        self.lines: list[tuple[int, Mapping[str, Any]]] = []
        self._weights: Weights = {}

    def metrics(self, step: int, values: Mapping[str, Any]) -> None:
        self.lines.append((step, values))

    def keep(self, step: int, weights: Weights) -> None:
        self._weights = {name: value.clone() for name, value in weights.items()}

    def kept(self, step: int) -> Weights:
        return self._weights
