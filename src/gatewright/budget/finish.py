"""The end of a search: the best trial's network trained for the time that is left, compiled, proven and counted."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from gatewright.budget.clock import Clock
from gatewright.budget.front import write_front
from gatewright.budget.limits import UNITS
from gatewright.budget.processes import Task, in_processes
from gatewright.budget.study import Study
from gatewright.card import Entry
from gatewright.circuit import Circuit, load_circuit, save_circuit
from gatewright.errors import GatewrightError
from gatewright.runs.results import Results
from gatewright.runs.sweep import Job, is_done, measure
from gatewright.runtime.documents import parse_json
from gatewright.runtime.files import write_text_atomically
from gatewright.runtime.locks import BusyError, locked
from gatewright.training import load
from gatewright.training.config import RunConfig

PRESET, CIRCUIT, RESULT = "preset.yaml", "best.gw", "search.json"
PLAN, ENTRIES = "final.json", "results.json"
LONGEST = 20
"""How many times as long as its trial the winner is trained, at most."""

MARGIN = 0.85
"""Share of the time left that is planned for; the rest is for evaluation, proofs and counting."""


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        out: Its folder, with `preset.yaml`, `best.gw`, `front.json` and `front.png`.
        trial: Number of the trial that won on validation.
        trials: Trials that were begun.
        pruned: Those that were stopped early, or never begun as too large.
        validation: Accuracy of the circuit on validation, which chose it, 0 to 1.
        test: Accuracy on the whole test split.
        test_mean: Of all seeds whose circuits fit.
        seeds: These seeds; the circuit's is the first.
        figures: What the circuit takes, in total ops and every limited currency.
        proof: How the circuit was proven equal to the network.
        pruned_down: Whether gates that no training sample needs were removed after the proof, to fit the budget.
        seconds: Of the search, over all sessions.
    """

    out: Path
    trial: int
    trials: int
    pruned: int
    validation: float
    test: float
    test_mean: float
    seeds: tuple[int, ...]
    figures: dict[str, int]
    proof: str
    pruned_down: bool
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "out": str(self.out), "seeds": list(self.seeds)}


def finish(study: Study, clock: Clock, task: Task, halt: Callable[[], bool]) -> SearchResult | None:
    """Train, compile, prove and count the winner; None if it was stopped.

    Raises:
        GatewrightError: No trial's circuit fits the budget.
    """
    write_front(study)
    with ExitStack() as stack:
        while not _is_mine(study, stack):  # when its holder is done, everything is measured
            if halt():
                return None
            time.sleep(0.2)
        winner, jobs = _plan(study, clock, task)
        entries = Results(study.out / ENTRIES).entries()
        left = sum(not is_done(job, entries) for job in jobs[:-1])
        if min(task.jobs, left) > 1:
            with suppress(GatewrightError):  # what one of them failed at is tried again below, which says why
                in_processes(min(task.jobs, left), _train_seeds, task, halt, clock.save)
        found: list[tuple[Entry, Circuit, dict[str, int]]] = []
        for job in jobs[:-1]:
            made = _measured(study, job, task.data_root, halt)
            while made is None and not halt():  # a process of a killed search may be about to end with it
                time.sleep(0.5)
                made = _measured(study, job, task.data_root, halt)
            clock.save()
            if made is None:
                return None
            found.append(made)
        budget = study.about.budget
        fitting = [each for each in found if budget.use(each[2]) <= 1]
        if not fitting:  # they have grown; the trial's own network is known to fit
            made = _measured(study, jobs[-1], task.data_root, halt)
            if made is None:
                return None
            fitting = [made]
        fitting.sort(key=lambda each: (-(each[0].validation or 0.0), budget.use(each[2]), each[0].seed))
        entry, circuit, figures = fitting[0]
        chosen = next(job for job in jobs if (job.seed, job.digest) == (entry.seed, entry.digest))
        save_circuit(circuit, study.out / CIRCUIT)
        write_text_atomically(study.out / PRESET, load.dump(chosen.config))
        trials = study.trials()
        result = SearchResult(
            out=study.out,
            trial=winner,
            trials=len(trials),
            pruned=sum(trial.state.name == "PRUNED" for trial in trials),
            validation=entry.validation or 0.0,
            test=entry.test,
            test_mean=sum(each[0].test for each in fitting) / len(fitting),
            seeds=tuple(each[0].seed for each in fitting),
            figures=figures,
            proof=entry.proof,
            pruned_down=entry.pruned is not None,
            seconds=round(clock.elapsed, 1),
        )
        write_text_atomically(study.out / RESULT, json.dumps(result.as_dict(), indent=2) + "\n")
        return result


def _is_mine(study: Study, stack: ExitStack) -> bool:
    """Whether this process has the final runs now."""
    try:
        stack.enter_context(locked(study.out / "final.lock", "another process trains the winner", "wait for it"))
    except BusyError:
        return False
    return True


def _train_seeds(task: Task, halted: Callable[[], bool]) -> None:
    """Train what no other process does, in a process of its own."""
    study = task.study()
    for job in _planned(study)[1][:-1]:
        _measured(study, job, task.data_root, halted)


def _plan(study: Study, clock: Clock, task: Task) -> tuple[int, list[Job]]:
    """The winner's number and runs, the last one the trial's own; written once, for resumed searches, too."""
    if (study.out / PLAN).exists():
        return _planned(study)
    winner = study.winner()
    if winner is None:
        raise GatewrightError(_nothing_fits(study))
    known = winner.user_attrs
    own = study.about.here(load.from_dict(known.get("final", known["config"]), "the winning trial"))
    steps = _steps(winner, clock, math.ceil(task.seeds / task.jobs))
    configs = [_with(own, seed=own.train.seed + i, steps=steps) for i in range(task.seeds)]
    configs.append(own)
    tree = {"trial": winner.number, "configs": [each.as_dict() for each in configs]}
    write_text_atomically(study.out / PLAN, json.dumps(tree, indent=1) + "\n")
    return winner.number, [_job(each) for each in configs]


def _planned(study: Study) -> tuple[int, list[Job]]:
    path = study.out / PLAN
    saved = parse_json(path.read_bytes(), f"{path} is damaged: it")
    return saved["trial"], [_job(study.about.here(load.from_dict(each, str(path)))) for each in saved["configs"]]


def _job(config: RunConfig) -> Job:
    return Job(f"search-{config.data.title}", (), config)


def _with(config: RunConfig, **changes: int) -> RunConfig:
    return config.model_copy(update={"train": config.train.model_copy(update=changes)})


def _steps(winner: FrozenTrial, clock: Clock, rounds: int) -> int:
    """Steps of the final runs, of which so many follow each other: an equal part of the time left for each.

    Without a limit, as many as the trial had.
    """
    own: int = winner.user_attrs["config"]["train"]["steps"]
    if clock.seconds == float("inf"):
        return own
    each = winner.user_attrs["seconds"] / max(1, winner.user_attrs["steps"])
    return max(own, min(LONGEST * own, int(MARGIN * clock.left / rounds / each)))


def _nothing_fits(study: Study) -> str:
    budget = study.about.budget
    counted = [trial.user_attrs["figures"] for trial in study.trials() if "figures" in trial.user_attrs]
    if not counted:
        return f"no trial was finished in the time given, so nothing is known to fit {budget}; resume with more time"
    least = min(counted, key=budget.use)
    takes = ", ".join(f"{least[name]:,} {UNITS[name]}" for name in budget.limits)
    return f"no circuit of {len(counted)} trials fits {budget}: the smallest takes {takes}; resume with more time"


def _measured(
    study: Study, job: Job, data_root: Path | None, halt: Callable[[], bool]
) -> tuple[Entry, Circuit, dict[str, int]] | None:
    """One final run, compiled, proven and counted; what is measured already is read."""
    results = Results(study.out / ENTRIES)
    folder = job.folder(study.out / "final")
    file = folder.with_suffix(".gw")
    if is_done(job, results.entries()) and file.exists():
        circuit = load_circuit(file)
        entry = next(each for each in results.entries() if (each.seed, each.digest) == (job.seed, job.digest))
        return entry, circuit, study.about.budget.count(circuit)
    made = measure(job, study.out / "final", data_root=data_root, stop=halt)
    if made is None:
        return None
    entry, circuit = made
    entry = entry.model_copy(update={"command": f"gatewright train {study.out / PRESET} --seed {job.seed}"})
    save_circuit(circuit, file)
    results.add(entry)
    return entry, circuit, study.about.budget.count(circuit)
