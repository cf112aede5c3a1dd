"""The network of an estimator by search: as many trials as the time allows, drawn by Optuna around the rule's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from gatewright.circuit import cost
from gatewright.errors import OptionError, require_extra
from gatewright.sklearn.learning import checked, learn, smallest_of_the_best
from gatewright.sklearn.network import Features, Learned, Options, make_encoder, train_network
from gatewright.sklearn.rows import Rows, Weights, fold_weights
from gatewright.sklearn.tasks import Task

FOLDS = 5
"""Parts that take turns in being held out where too few rows are held out to choose on."""

NARROWEST, WIDEST = 1, 400
"""Gates per score of a layer."""


@dataclass(frozen=True)
class _Trial:
    """A point, and the networks that were trained with it: one per part that was held out.

    Attributes:
        learned: The first one, with the errors of all on what was held out of them.
        ops: Mean total ops.
    """

    options: Options
    learned: Learned
    ops: float


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
    assert options.seconds is not None  # noqa: S101 - the caller asks
    few = float(held_out.sum()) < max(task.few, 1)
    parts = fold_weights(task.strata(rows.y), FOLDS, np.random.RandomState(seed), rows.weight) if few else [held_out]
    begin, longest = time.monotonic(), 0.0
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed, n_startup_trials=6))
    wider = [width // task.outputs for width in task.widths]
    tried: list[_Trial] = []
    given: int | None = wider.pop(0)
    while True:
        if given is not None:
            study.enqueue_trial({"width": given, "layers": options.layers, "thresholds": options.thresholds})
        before, drawn = time.monotonic(), study.ask()
        trial = _try(rows, parts, features, task, _draw(drawn, options, task), seed)
        longest = max(longest, time.monotonic() - before)
        tried.append(trial)
        use = 0.0 if options.max_ops is None else trial.ops / options.max_ops
        # One that is too large says by how much, so that the sampler turns to smaller ones.
        error = float(np.average(trial.learned.errors, weights=_weight(parts)))
        study.tell(drawn, error if use <= 1 else error + 10 * use)
        if options.verbose:
            score, ops = trial.learned.score, f"{trial.ops:,.0f} total ops"
            print(f"trial {len(tried)}: {task.figure} {100 * (score or 0.0):.2f} %, {ops}, width {trial.learned.width}")
        some_fit = options.max_ops is None or any(each.ops <= options.max_ops for each in tried)
        if use > 1:
            wider.clear()
            given = given // 2 or None if given is not None and not some_fit else None
        elif given is not None:
            given = wider.pop(0) if wider else None
        is_over = time.monotonic() - begin + 2 * longest >= options.seconds
        if is_over and (some_fit or given is None):
            break
    return _chosen(tried, rows, parts, features, task, options, seed)


def _draw(trial: Any, options: Options, task: Task) -> Options:
    thresholds = sorted({min(n, options.thresholds) for n in (2, 4, 8, 16, 32, options.thresholds)})
    return replace(
        options,
        width=task.outputs * trial.suggest_int("width", NARROWEST, WIDEST, log=True),
        layers=trial.suggest_int("layers", 1, max(2, options.layers)),
        thresholds=trial.suggest_categorical("thresholds", thresholds),
    )


def _weight(parts: Sequence[Weights]) -> Weights:
    """What the errors of a trial weigh: those of each part in turn."""
    return np.concatenate([part[part > 0] for part in parts])


def _try(rows: Rows, parts: Sequence[Weights], features: Features, task: Task, options: Options, seed: int) -> _Trial:
    def train(part: Weights) -> Learned:
        return _train(rows, part, features, task, options, seed)

    several = options.n_jobs not in {None, 1} and len(parts) > 1
    found = Parallel(n_jobs=options.n_jobs)(delayed(train)(part) for part in parts) if several else [*map(train, parts)]
    errors = np.concatenate([each.errors for each in found])
    x, y = (np.concatenate([values[part > 0] for part in parts]) for values in (rows.x, rows.y))
    whole = Rows(x, y, _weight(parts))
    learned = replace(found[0], errors=errors, score=task.score(errors, whole, whole.weight))
    return _Trial(options, learned, float(np.mean([cost(each.circuit).total_ops for each in found])))


def _train(rows: Rows, held_out: Weights, features: Features, task: Task, options: Options, seed: int) -> Learned:
    assert options.width is not None  # noqa: S101 - it was drawn
    left = rows.weight - held_out
    encoder = make_encoder(rows, left, features, options.thresholds)
    return train_network(encoder, rows, held_out, features, task, options.for_rows(left, task), options.width, seed)


def _chosen(
    tried: Sequence[_Trial],
    rows: Rows,
    parts: Sequence[Weights],
    features: Features,
    task: Task,
    options: Options,
    seed: int,
) -> Learned:
    """The winner, learned from all rows if few are held out."""
    weight, most = _weight(parts), options.max_ops
    fitting = [each for each in tried if most is None or each.ops <= most]
    if not fitting:
        least = min(tried, key=lambda each: each.ops)
        checked(least.learned, most)
        raise OptionError(
            f"max_ops is {most}, but the smallest network found has {least.ops:,.0f} total ops on average over "
            f"{len(parts)} parts of the rows; allow more, or give more time"
        )
    fitting.sort(key=lambda each: (float(np.average(each.learned.errors, weights=weight)), each.ops))
    if most is None:
        small = smallest_of_the_best([each.learned for each in fitting], task, weight)
        fitting = [each for each in fitting if each.learned is small]
    if len(parts) == 1:
        return fitting[0].learned
    for each in fitting:
        again = _train(rows, np.zeros(len(rows.weight)), features, task, each.options, seed)
        if most is None or cost(again.circuit).total_ops <= most:
            circuit = task.finished_as(again.circuit, each.learned.circuit)
            return replace(each.learned, circuit=circuit, history=again.history)
    return checked(again, most)
