"""The network of an estimator by search: as many trials as the time allows, drawn by Optuna around the rule's."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from gatewright.errors import require_extra
from gatewright.sklearn.comparing import FOLDS, Comparison, Trial
from gatewright.sklearn.learning import learn
from gatewright.sklearn.network import Features, Learned, Options
from gatewright.sklearn.rows import Rows, Weights
from gatewright.sklearn.tasks import Task

NARROWEST, WIDEST = 1, 400
"""Gates per score of a layer."""


def search_network(
    rows: Rows, held_out: Weights, features: Features, task: Task, options: Options, seed: int
) -> Learned:
    """Train networks of drawn sizes until the time is over, and keep one.

    It is the smallest that is within one standard error of the best on held-out rows; with a limit of total ops, the
    best of those below it. Where few rows are held out, networks are compared by cross-validation over all rows instead,
    and what was chosen learns again from all. Fewer than ten different rows are learned by rule.

    Args:
        rows: What there is to learn from.
        held_out: What of each row is not learned from, but chosen on.
        features: What the features are.
        task: What there is to learn.
        options: How to learn where nothing is drawn, and how long to search.
        seed: Of all randomness.

    Raises:
        OptionError: No network has as few total ops as wanted.
        MissingExtraError: Optuna is not installed.
    """
    optuna = require_extra("optuna", "search")
    if len(rows.y) < 2 * FOLDS:  # nothing could be compared
        return learn(rows, held_out, features, task, options, seed)
    few = float(held_out.sum()) < max(task.few, 1)
    if few:
        comparison = Comparison.by_folds(rows, features, task, seed)
    else:
        comparison = Comparison(rows, [held_out], features, task, seed)
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        tried = _trials(optuna, comparison, options, seed)
    finally:
        optuna.logging.set_verbosity(verbosity)
    return comparison.chosen(tried, options.max_ops, smallest=options.max_ops is None)


def _trials(optuna: Any, comparison: Comparison, options: Options, seed: int) -> list[Trial]:
    """Trials until the time is over, the rule's widths first; at least until one fits, or none can."""
    task, seconds = comparison.task, options.seconds
    assert seconds is not None  # noqa: S101 - the caller asks
    begin, longest = time.monotonic(), 0.0
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=6))
    wider = [width // task.outputs for width in task.widths]
    tried: list[Trial] = []
    given: int | None = wider.pop(0)
    while True:
        if given is not None:
            point = {"width": given, "layers": options.layers, "thresholds": options.thresholds, "temperature": 1.0}
            study.enqueue_trial(point)
        before, drawn = time.monotonic(), study.ask()
        trial = comparison.trial(_draw(drawn, options, task))
        longest = max(longest, time.monotonic() - before)
        tried.append(trial)
        use = 0.0 if options.max_ops is None else trial.ops / options.max_ops
        # One that is too large says by how much, so that the sampler turns to smaller ones.
        study.tell(drawn, trial.error if use <= 1 else trial.error + 10 * use)
        if options.verbose:
            score, ops = trial.learned.score, f"{trial.ops:,.0f} total ops"
            print(f"trial {len(tried)}: {task.figure} {100 * (score or 0.0):.2f} %, {ops}, width {trial.learned.width}")
        some_fit = options.max_ops is None or any(each.ops <= options.max_ops for each in tried)
        if use > 1:
            wider.clear()
            given = given // 2 or None if given is not None and not some_fit else None
        elif given is not None:
            given = wider.pop(0) if wider else None
        is_over = time.monotonic() - begin + 2 * longest >= seconds
        if is_over and (some_fit or given is None):
            break
    return tried


def _draw(trial: Any, options: Options, task: Task) -> Options:
    thresholds = sorted({min(n, options.thresholds) for n in (2, 4, 8, 16, 32, options.thresholds)})
    return replace(
        options,
        width=task.outputs * trial.suggest_int("width", NARROWEST, WIDEST, log=True),
        layers=trial.suggest_int("layers", 1, max(2, options.layers)),
        thresholds=trial.suggest_categorical("thresholds", thresholds),
        temperature=trial.suggest_float("temperature", min(task.temperatures), max(task.temperatures), log=True),
    )
