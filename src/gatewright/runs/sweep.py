"""Presets over seeds: each trained, compiled, proven, and evaluated on the test split once.

Every run has a folder of its own, named after preset, seed and options. A sweep that was stopped or killed resumes from
the last checkpoint in it, to the same bits; two sweeps over the same presets share the work instead of doing it twice.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.card import Entry
from gatewright.circuit import Circuit, cost
from gatewright.circuit.cost import lut6
from gatewright.errors import OptionError, ToolError, VerificationError
from gatewright.runs.compile import Compiled, compile_run
from gatewright.runs.folder import FREE_ON_RESUME, SWEEP_LOCK, lock_run
from gatewright.runs.result import RunResult
from gatewright.runs.run import load_run, train
from gatewright.runtime.abc import find_abc
from gatewright.runtime.locks import BusyError
from gatewright.training.config import RunConfig
from gatewright.training.load import load_preset
from gatewright.training.trainer import Watcher


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        preset: Its preset.
        changes: Options changed in it, `key=value`.
        config: All options, the seed among them.
    """

    preset: str
    changes: tuple[str, ...]
    config: RunConfig

    @property
    def name(self) -> str:
        """The preset and the changes: what a row is called."""
        return " ".join([self.preset, *self.changes])

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.config.train.seed

    @property
    def digest(self) -> str:
        """Of the options; see `digest`."""
        return digest(self.config)

    @property
    def command(self) -> str:
        """The command that measures it again."""
        changes = "".join(f" --set '{change}'" for change in self.changes)
        return f"gatewright pareto --presets {self.preset} --seeds {self.seed}{changes}"

    def with_seed(self, seed: int) -> Job:
        """The same with another seed."""
        train = self.config.train.model_copy(update={"seed": seed})
        return replace(self, config=self.config.model_copy(update={"train": train}))

    def folder(self, runs: Path) -> Path:
        """Its run's folder."""
        words = re.sub(r"[^\w.-]+", "-", self.name)[:80]
        return runs / f"{words}-{self.seed}-{self.digest[:8]}"


def digest(config: RunConfig) -> str:
    """A text that changes whenever an option does that decides what is learned, the seed left out.

    Options at their defaults take no part, so an option that a later version adds changes nothing.
    """
    tree: dict[str, Any] = config.model_dump(mode="json", exclude_defaults=True)
    for key in (*FREE_ON_RESUME, "train.seed"):
        section, _, name = key.rpartition(".")
        (tree.get(section, {}) if section else tree).pop(name, None)
    for layer in tree["model"]["layers"]:
        if "kernel_size" in layer:  # the name that it had when the first digests were made
            layer["kernel"] = layer.pop("kernel_size")
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def jobs(presets: Sequence[str], seeds: Sequence[int], changes: Sequence[str] = ()) -> list[Job]:
    """All runs of a sweep, seed by seed, so that every preset has a first figure soon; the changes apply to all of them.

    Raises:
        OptionError: A preset or an option is unknown, or the seed is among the changes.
    """
    if any(change.partition("=")[0].strip() == "train.seed" for change in changes):
        raise OptionError("train.seed is not for --set here: give the seeds with --seeds")
    return [
        Job(preset, tuple(changes), load_preset(preset, [*changes, f"train.seed={seed}"]))
        for seed in dict.fromkeys(seeds)
        for preset in dict.fromkeys(presets)
    ]


def is_done(job: Job, entries: Iterable[Entry]) -> bool:
    """Whether an entry has this job's name, seed and options."""
    return any((e.name, e.seed, e.digest) == (job.name, job.seed, job.digest) for e in entries)


def measure(
    job: Job,
    runs: Path,
    *,
    data_root: Path | None = None,
    timeout: float = 600.0,
    progress: bool = False,
    watch: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Entry, Circuit] | None:
    """Train (or resume training) in the job's folder below `runs`, compile, prove and evaluate.

    The proof may take `timeout` seconds; the other options are those of `gatewright.train`.

    Returns:
        The entry and its circuit; None if it was stopped, or if another process has the same run.

    Raises:
        VerificationError: Circuit and network differ, or the proof ran out of time.
        GatewrightError: The run cannot be trained.
    """
    folder = job.folder(runs)
    try:
        with lock_run(folder, SWEEP_LOCK):
            result = train(
                job.config,
                job.name,
                folder,
                data_root=data_root,
                resume=True,
                progress=progress,
                watch=watch,
                stop=stop,
            )
            if result is None:
                return None
            dataset = job.config.data.read(data_root, progress=progress)
            compiled = compile_run(load_run(folder), dataset, timeout=timeout)
    except BusyError:
        return None
    if compiled.pruned is None and abs(compiled.accuracy - result.test.hard) > 1e-9:
        raise VerificationError(
            f"{job.name}, seed {job.seed}: the circuit's test accuracy is {compiled.accuracy}, but the network's was "
            f"{result.test.hard} after training"
        )
    return _entry(job, result, compiled), compiled.circuit


def _entry(job: Job, result: RunResult, compiled: Compiled) -> Entry:
    figures = cost(compiled.circuit)
    costs = ("logic_ops", "total_ops", "encoder_ops", "head_ops", "depth", "total_depth", "outputs")
    by_pixel = compiled.circuit.head is not None and bool(compiled.circuit.head.places)
    return Entry(
        name=job.name,
        preset=job.preset,
        changes=list(job.changes),
        seed=job.seed,
        digest=job.digest,
        data=result.data,
        validation=None if result.validation is None else result.validation.hard,
        test=compiled.accuracy,
        sensitivity=_rounded(compiled.confusion.sensitivity),
        precision=_rounded(compiled.confusion.precision),
        gates=result.gates,
        **{key: getattr(figures, key) for key in costs},
        lut6=_lut6(compiled.circuit),
        steps=result.steps,
        best_step=result.best_step,
        train_seconds=result.seconds,
        compile_seconds=round(sum(compiled.seconds.values()), 3),
        proof="none" if compiled.proof is None else compiled.proof.method,
        checked_samples=compiled.samples,
        command=job.command,
        versions=result.versions,
        machine=result.machine,
        pruned=compiled.pruned,
        mean_iou=round(compiled.confusion.mean_iou, 6) if by_pixel else None,
    )


def _rounded(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 6) for value in values]


def _lut6(circuit: Circuit) -> int | None:
    """Six-input tables, where ABC is installed and succeeds."""
    if find_abc() is None:
        return None
    try:
        return lut6(circuit)
    except ToolError:
        return None
