"""Show the progress of training on stderr, and stop it on request."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gatewright.cli.output import err, percent, printable

REFRESH = 0.1
"""Seconds between updates of the bar."""


class TrainingProgress:
    """A progress bar of a run on a terminal, one line per evaluation elsewhere, nothing if quiet."""

    def __init__(self, name: str, steps: int, *, numbers: bool = False, quiet: bool = False) -> None:
        self._name = name = printable(name)
        self._steps, self._numbers = steps, numbers
        self._console = None if quiet else err()
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._shown = 0.0
        self._accuracy: dict[str, float] | None = None
        if self._console is not None and self._console.is_terminal:
            before, after = (TextColumn(text, markup=False) for text in ("{task.description}", "{task.fields[note]}"))
            columns = (before, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), after)
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._task = self._bar.add_task(name, total=steps, note="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, step: int, metrics: dict[str, Any]) -> None:
        """Show a step; cheap enough to call for every step."""
        if self._console is None:
            return
        accuracy = metrics.get("validation")
        if self._bar is not None:
            now = time.monotonic()
            if now - self._shown >= REFRESH or step == self._steps:
                self._shown = now
                after = ", evaluating ..." if step == self._steps else ""  # on all splits, and the circuit's cost
                self._bar.update(self._task, completed=step, note=_note(metrics, numbers=self._numbers) + after)
        elif accuracy is not self._accuracy:
            self._accuracy = accuracy
            self._console.print(
                f"{self._name}: step {step:,} of {self._steps:,}, {_note(metrics, numbers=self._numbers)}"
            )


def _note(metrics: dict[str, Any], *, numbers: bool) -> str:
    parts = [f"loss {metrics['loss']:.3f}"] if "loss" in metrics else []
    if "validation" in metrics:
        hard = metrics["validation"]["hard"]
        parts.append(f"variance explained {hard:.3f}" if numbers else f"validation {percent(hard)}")
    return ", ".join(parts)


class StopRequest:
    """Takes the first Ctrl-C or SIGTERM as a request to stop after the current step; the second acts at once."""

    def __init__(self) -> None:
        self._asked = False
        self._before: dict[signal.Signals, Any] = {}

    def requested(self) -> bool:
        """Whether a stop was requested."""
        return self._asked

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *exception: object) -> None:
        self._restore()

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of signal handlers
        self._asked = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
