"""`gatewright.search`: from a data set and a budget to the best network that fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
from optuna.trial import TrialState

from gatewright.budget.clock import Clock, seconds_of
from gatewright.budget.finish import PLAN, SearchResult, finish
from gatewright.budget.limits import Budget
from gatewright.budget.processes import Task, in_processes
from gatewright.budget.space import Space
from gatewright.budget.study import FINISHED, About, Study
from gatewright.budget.trial import Worker
from gatewright.data import Dataset, names
from gatewright.data.dataset import SPLITS
from gatewright.errors import OptionError, require_extra
from gatewright.runs.own import is_own
from gatewright.training.config.data import DataOptions

Reporter = Callable[[str], None]
"""Takes lines about the progress of a search."""


def search(
    dataset: str | Path,
    out: Path | str,
    *,
    target: str = "",
    drop: Sequence[str] = (),
    split: str = "",
    groups: str = "",
    max_total_ops: int | None = None,
    max_nand: int | None = None,
    max_lut6: int | None = None,
    max_flash: int | None = None,
    time: str | None = None,
    trials: int | None = None,
    jobs: int = 1,
    seeds: int = 3,
    seed: int = 0,
    steps: int | None = None,
    pruner: str = "halving",
    storage: str | None = None,
    trials_only: bool = False,
    data_root: Path | None = None,
    report: Reporter | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> SearchResult | None:
    """Find the best network that fits a budget: search, then train the winner, compile, prove and measure it.

    The same call goes on with a search that was stopped or killed. Processes that are given the same folder, or folders of
    their own and the same storage, work on one study.

    >>> import gatewright as gw
    >>> result = gw.search("digits", "found", max_total_ops=1500, time="10m")  # doctest: +SKIP

    Args:
        dataset: A data set known to `gatewright data`; or the path of a table, or of a folder with a folder of images per
            class.
        out: The folder of the search.
        target: Of a table: the column of the labels.
        drop: Of a table: columns to leave out.
        split: Of a table: a column that says `train`, `validation` or `test`.
        groups: Of a table: a column whose equal values stay in one part.
        max_total_ops: Limit of two-input gates, encoder and head included, as all limits.
        max_nand: Limit of NAND gates and inverters.
        max_lut6: Limit of six-input tables.
        max_flash: Limit of bytes on a Cortex-M4.
        time: Of the whole search over all its sessions, such as `10m` or `2h`; at least one of `time` and `trials`.
        trials: Trials at most; without `time` the search ends after them.
        jobs: Processes that train at a time: trials, then the winner's seeds.
        seeds: Seeds that the winner is trained with.
        seed: Of the search.
        steps: Of a full trial; None for what the time allows.
        pruner: `halving`, `hyperband` or `none`: how trials that are behind others are stopped.
        storage: Where the study is: None for a SQLite file in `out`; the URL of a database; a file `NAME.journal`.
        trials_only: Whether to leave the winner to another machine that works on the study.
        data_root: Where the data sets are; None for the usual places.
        report: Called with lines about the progress.
        stop: Asked often; true stops the search with checkpoints.

    Returns:
        What was found; None if it was stopped, or with `trials_only`.

    Raises:
        OptionError: No limit or no end is given, no network is predicted to fit, or the study has other options.
        UnsupportedError: Networks for the data set are not known to a search.
        GatewrightError: No circuit that was found fits.
        ToolError: A tool that counts is missing.
        MissingExtraError: An extra is not installed: `search`, `prove`, or what the currencies need.
    """
    require_extra("optuna", "search")
    require_extra("pysat", "prove")
    if time is None and trials is None:
        raise OptionError("a search needs an end: give it a time, a number of trials, or both")
    for name, number in (("trials", trials), ("jobs", jobs), ("seeds", seeds), ("steps", steps)):
        if number is not None and number < 1:
            raise OptionError(f"{name} is {number}, expected at least 1")
    budget = Budget(max_total_ops, max_nand, max_lut6, max_flash)
    seconds = math.inf if time is None else seconds_of(time)
    source = _source(dataset, {"target": target, "drop": list(drop)}, {"by": split, "groups": groups})
    name = DataOptions.model_validate(source).title if source else str(dataset)
    about = About(name, budget, seed, pruner, steps, source)
    found = about.read(data_root)
    if source:
        about = replace(about, digest=_digest(found))
    space = Space(found, budget, source)
    space.check()
    budget.check_tools()
    task = Task(about, Path(out), storage, seconds, jobs, trials, seeds, data_root)
    study = task.study()
    clock = _clock(task)
    progress = _Progress(study, clock, report or _silent)
    progress.begin()
    if not (study.out / PLAN).exists():  # once it exists, the trials are over
        worker = _worker(task, study, space, stop, progress.look)
        if jobs == 1:
            worker.run()
        else:
            in_processes(jobs, _try, task, stop, progress.look)
        while study.busy() and not stop():  # the winner is chosen among all trials of this folder
            sleep(0.5)
            worker.run()  # what another process has left by being killed
    clock.save()
    if trials_only or stop():
        return None
    progress.finishing()
    return finish(study, clock, task, stop)


def _source(dataset: str | Path, columns: Mapping[str, Any], split: Mapping[str, str]) -> dict[str, Any]:
    """The section `data` of configs for a table or folder; empty for a data set that is known."""
    given = {name: value for name, value in columns.items() if value}
    parts = {name: value for name, value in split.items() if value}
    if str(dataset) not in names() and is_own(Path(dataset)):
        return {"path": str(dataset), **given, **({"split": parts} if parts else {})}
    if given or parts:
        raise OptionError(
            f"columns are of tables, and {str(dataset)!r} is none; leave {', '.join([*given, *parts])} out"
        )
    return {}


def _digest(dataset: Dataset) -> str:
    """SHA-256 of all samples and labels, in their parts."""
    digest = sha256()
    for part in SPLITS:
        split = dataset.split(part)
        digest.update(f"{part} {split.x.shape} {split.x.dtype} {dataset.class_names}".encode())
        digest.update(np.ascontiguousarray(split.x).tobytes())
        digest.update(np.ascontiguousarray(split.y).tobytes())
    return digest.hexdigest()


def _try(task: Task, halted: Callable[[], bool]) -> None:
    """Work on trials, in a process of its own."""
    space = Space(task.about.read(task.data_root), task.about.budget, task.about.source)
    _worker(task, task.study(), space, halted, lambda: None).run()


def _worker(task: Task, study: Study, space: Space, halt: Callable[[], bool], done: Callable[[], None]) -> Worker:
    return Worker(study, space, _clock(task), task.jobs, task.trials, halt, done)


def _clock(task: Task) -> Clock:
    return Clock(task.out / "clock.json", task.seconds)


def _silent(line: str) -> None:
    """Report nothing."""


class _Progress:
    """Tells of trials as they end."""

    def __init__(self, study: Study, clock: Clock, report: Reporter) -> None:
        self._study, self._clock, self._report = study, clock, report
        self._told: set[int] = set()

    def begin(self) -> None:
        """Say where the search stands."""
        trials = self._study.trials()
        self._told = {trial.number for trial in trials if trial.state in FINISHED}
        if trials:
            self._report(f"going on after {len(self._told)} finished trials, {len(trials) - len(self._told)} under way")

    def look(self) -> None:
        """Tell of what has ended since the last look."""
        for trial in self._study.trials(*FINISHED):
            if trial.number in self._told:
                continue
            self._told.add(trial.number)
            kind = trial.params.get("network", "")
            if trial.state is TrialState.COMPLETE:
                figures = trial.user_attrs["figures"]
                over = "" if self._study.about.budget.use(figures) <= 1 else ", over the budget"
                text = f"{100 * (trial.value or 0):.2f} % on validation, {_text(figures)}{over}"
            else:
                text = trial.user_attrs.get("why", trial.state.name.lower())
            self._report(f"trial {trial.number} ({kind}): {text}; {self._state()}")

    def _state(self) -> str:
        best, pruned = self._study.winner(), len(self._study.trials(TrialState.PRUNED))
        text = "none fits yet" if best is None else f"best {100 * (best.value or 0):.2f} % (trial {best.number})"
        left = "" if math.isinf(self._clock.seconds) else f", {_minutes(self._clock.left)} left"
        return f"{text}, {pruned} pruned{left}"

    def finishing(self) -> None:
        """Say that the trials are over."""
        self._report(f"trials are over: {len(self._study.trials())} begun, {self._state()}; training the winner")


def _text(figures: dict[str, int]) -> str:
    return ", ".join(f"{value:,} {name.replace('_', ' ')}" for name, value in figures.items())


def _minutes(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
