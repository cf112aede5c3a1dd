"""One trial: a point of the space, trained until it is done, behind others, or out of time; then its circuit is counted.

Trials never read the test split.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import optuna
import torch
from optuna.trial import TrialState

from gatewright.budget.clock import Clock
from gatewright.budget.pruners import RUNGS
from gatewright.budget.space import Space
from gatewright.budget.study import Study
from gatewright.circuit import Circuit, save_circuit, simplify
from gatewright.errors import GatewrightError, OptionError
from gatewright.lowering import lower
from gatewright.runs.folder import RunFolder, lock_run
from gatewright.runs.prune import prune
from gatewright.runs.run import prepared
from gatewright.training import load
from gatewright.training.config import RunConfig
from gatewright.training.metrics import read_lines
from gatewright.training.processes import Ranks, pick_device
from gatewright.training.trainer import Trainer

FULL_TRIALS = 8
"""Trials that could be trained in full in the time for trials; pruning makes more of it."""

STEPS = (200, 20_000)
STEP_SECONDS, WORK_SECONDS = 2e-3, 5e-10
"""Seconds of a step, and of a candidate of one sample, before any was measured."""

FURTHEST = 4.0
"""Factor by which predictions are corrected, at most."""

SLOWEST = 3.0
"""Multiple of a trial's share of the time after which it ends with what it has."""


@dataclass
class Worker:
    """Works on a study's trials, one after the other.

    Args:
        study: The study.
        space: What is searched.
        clock: The time of the search.
        jobs: Workers of this folder.
        limit: Trials of the study, at most; None for as many as the time allows.
        halt: Asked after each step; true stops with a checkpoint.
        done: Called after each trial.
    """

    study: Study
    space: Space
    clock: Clock
    jobs: int = 1
    limit: int | None = None
    halt: Callable[[], bool] = lambda: False
    done: Callable[[], None] = lambda: None

    def run(self) -> None:
        """Work until the time for trials is over, there are as many as wanted, or a stop is asked for."""
        while not self.halt() and self.clock.exploring > 0:
            with self.study.claim(self.limit, self._warm) as trial:
                if trial is None:
                    return
                self._work(trial)
            self.clock.save()
            self.done()

    @cached_property
    def _warm(self) -> list[dict[str, Any]]:
        return self.space.warm_starts()

    def _work(self, trial: optuna.Trial) -> None:
        try:
            config = self._config(trial)
        except OptionError as error:  # known to be too large before any training
            self._end(trial, TrialState.PRUNED, str(error))
            return
        path = self.study.folder(trial.number)
        with lock_run(path):
            folder = RunFolder(path, config)
            folder.create()
            try:
                circuit = self._train(trial, config, folder)
                if circuit is None:
                    return
                circuit, figures = self._counted(trial, config, circuit)
            except GatewrightError as error:  # of this network, which says nothing of others
                self._end(trial, TrialState.FAIL, str(error))
                return
            save_circuit(circuit, path / "circuit.gw")
            trial.set_user_attr("figures", figures)
            for name, limit in self.study.about.budget.limits.items():
                if name not in trial.constraints:
                    trial.set_constraint(name, figures[name] / limit - 1)
            self._end(trial, TrialState.COMPLETE)
            folder.tidy()

    def _config(self, trial: optuna.Trial) -> RunConfig:
        """The trial's config; one that was resumed has it already."""
        if "config" in trial.user_attrs:
            return self.study.about.here(load.from_dict(trial.user_attrs["config"], f"trial {trial.number}"))
        point = self.space.suggest(trial)
        config = self.space.build(point, self._steps, self.study.about.seed, self._scale(trial, point))
        trial.set_user_attr("predicted", self.space.predictor.figures(config))
        trial.set_user_attr("config", config.as_dict())
        return config

    def _scale(self, trial: optuna.Trial, point: Mapping[str, Any]) -> float:
        """What circuits took over what was predicted: that of the trial it resizes, or those of its kind.

        Of a kind are those of the same network, head and prices; their geometric mean with one of which the prediction was
        right.
        """
        source, logs = self.study.resized(trial.number), []
        for each in self.study.trials(TrialState.COMPLETE):
            ratio = self._ratio(each.user_attrs)
            if each.number == source:
                return ratio
            if all(each.params.get(name) == point[name] for name in ("network", "head", "cost") if name in each.params):
                logs.append(math.log(ratio))
        return math.exp(sum(logs) / (len(logs) + 1))

    def _ratio(self, known: Mapping[str, Any]) -> float:
        """What a circuit took over its prediction, within bounds: a rule of a few gates takes as much at any width."""
        use = self.study.about.budget.use
        return min(max(use(known["figures"]) / use(known["predicted"]), 1 / FURTHEST), FURTHEST)

    def _share(self) -> float:
        """Seconds that one full trial may take."""
        return self.clock.seconds * self.jobs / FULL_TRIALS if not math.isinf(self.clock.seconds) else math.inf

    def _steps(self, config: RunConfig) -> int:
        if self.study.about.steps is not None:
            return self.study.about.steps
        if math.isinf(self._share()):
            return STEPS[0] * 10
        slower = [trial.user_attrs["slower"] for trial in self.study.trials() if "slower" in trial.user_attrs]
        seconds = self._step_seconds(config) * (statistics.median(slower) if slower else 1.0)
        return max(STEPS[0], min(STEPS[1], int(self._share() / seconds)))

    def _step_seconds(self, config: RunConfig) -> float:
        plan, _ = self.space.predictor.plan(config)
        return STEP_SECONDS + WORK_SECONDS * plan.candidates * config.train.batch

    def _train(self, trial: optuna.Trial, config: RunConfig, folder: RunFolder) -> Circuit | None:
        """Train; returns the circuit of the best weights, or None if the trial was told otherwise, or has to wait."""
        behind = False
        reported = self._reported(trial)
        kept = self.study.folder(trial.number)
        interval, steps = config.train.evaluation_interval, config.train.steps
        device = pick_device(config.train.device)
        with prepared(config, self.space.dataset, folder, device, Ranks()) as trainer:
            if folder.checkpoint_path.exists():
                folder.resume(trainer, Ranks())
                for step, accuracy in evaluations(kept, trainer.step):  # it may have been killed before it could tell
                    if (rung := round(RUNGS * step / steps)) not in reported:
                        reported.add(rung)
                        trial.report(accuracy, rung)
                        behind = rung < RUNGS and trial.should_prune()
            latest = self.clock.elapsed + SLOWEST * self._share() - trainer.seconds

            def watch(step: int, metrics: dict[str, Any]) -> None:
                nonlocal behind
                if step % interval and step != steps:
                    return
                self.clock.save()
                rung = round(RUNGS * step / steps)
                if rung not in reported:
                    reported.add(rung)
                    trial.report(metrics["validation"]["hard"], rung)
                    trial.set_user_attr("slower", trainer.seconds / step / self._step_seconds(config))
                    behind = rung < RUNGS and trial.should_prune()

            def stop() -> bool:
                return behind or self.halt() or self.clock.exploring <= 0 or self.clock.elapsed > latest

            complete = trainer.fit(watch=watch, stop=stop)
            trial.set_user_attr("seconds", round(trainer.seconds, 2))
            if behind and not complete:
                self._end(trial, TrialState.PRUNED, f"behind others at step {trainer.step:,} of {steps:,}")
                folder.tidy()
                return None
            if not complete and self.halt():
                return None
            if trainer.best is None:
                self._end(
                    trial, TrialState.PRUNED, "the time was over before weights that it could keep were evaluated"
                )
                return None
            trial.set_user_attr("validation", trainer.best.accuracy)
            trial.set_user_attr("steps", trainer.step)
            return self._circuit(trainer)

    def _counted(self, trial: optuna.Trial, config: RunConfig, circuit: Circuit) -> tuple[Circuit, dict[str, int]]:
        """The circuit and its figures; one that is over the budget is pruned, if that makes it fit.

        What is pruned is noted in the trial's config, so that it is pruned again when the trial has won.
        """
        budget, dataset = self.study.about.budget, self.space.dataset
        figures = budget.count(circuit)
        if budget.use(figures) <= 1:
            return circuit, figures
        smaller, _ = prune(circuit, dataset.train, dataset.validation, dataset.validation)  # trials read no test split
        less = budget.count(smaller)
        if budget.use(less) > 1:
            return circuit, figures
        pruned = config.model_copy(update={"circuit": config.circuit.model_copy(update={"prune": True})})
        trial.set_user_attr("final", pruned.as_dict())
        return smaller, less

    def _reported(self, trial: optuna.Trial) -> set[int]:
        """The rungs that a resumed trial has been judged at."""
        (found,) = (each for each in self.study.trials() if each.number == trial.number)
        return set(found.intermediate_values)

    def _circuit(self, trainer: Trainer) -> Circuit:
        trainer.load_best()
        model = cast("torch.nn.Sequential", trainer.model).eval().cpu()
        dataset = self.space.dataset
        return simplify(lower(model, class_names=dataset.class_names, feature_names=dataset.feature_names))

    def _end(self, trial: optuna.Trial, state: TrialState, why: str = "") -> None:
        if why:
            trial.set_user_attr("why", why)
        value = trial.user_attrs["validation"] if state is TrialState.COMPLETE else None
        self.study.study.tell(trial, value, state=state)


def evaluations(folder: Path, last: int) -> list[tuple[int, float]]:
    """Steps and hard validation accuracies of a run's evaluations, up to the step of its checkpoint."""
    lines = [line for line in read_lines(folder / "metrics.jsonl") if line["step"] <= last]
    return [(line["step"], line["validation"]["hard"]) for line in lines if "validation" in line]
