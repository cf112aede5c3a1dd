"""The network of an estimator by rule: of one or several widths, and which of them to keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from gatewright.circuit import cost
from gatewright.errors import OptionError
from gatewright.sklearn.network import Features, Learned, Options, make_encoder, train_network
from gatewright.sklearn.rows import Rows, Weights
from gatewright.sklearn.tasks import Task


def learn(rows: Rows, held_out: Weights, features: Features, task: Task, options: Options, seed: int) -> Learned:
    """Train networks and keep the smallest that is within one standard error of the best.

    Where few rows are held out, that width learns again from all rows.

    Args:
        rows: What there is to learn from.
        held_out: What of each row is not learned from, but chosen on.
        features: What the features are.
        task: What there is to learn.
        options: How to learn.
        seed: Of all randomness.

    Raises:
        OptionError: No network has as few total ops as wanted.
    """
    left = rows.weight - held_out
    options = options.for_rows(left, task)
    encoder = make_encoder(rows, left, features, options.thresholds)

    def train(width: int, held_out: Weights = held_out) -> Learned:
        return train_network(encoder, rows, held_out, features, task, options, width, seed)

    if options.width is not None:
        found = train(options.width)
        return checked(found, options.max_ops)
    tried = _tried(train, task.widths, options.n_jobs)
    if options.max_ops is not None:
        fitting = [each for each in tried if cost(each.circuit).total_ops <= options.max_ops]
        width = task.widths[0]
        while not fitting and width > task.outputs:
            width = max(width // 2, task.outputs)
            smaller = train(width)
            tried.append(smaller)
            fitting = [smaller] if cost(smaller.circuit).total_ops <= options.max_ops else []
        if not fitting:
            return checked(min(tried, key=lambda each: cost(each.circuit).total_ops), options.max_ops)
        tried = fitting
    chosen = smallest_of_the_best(tried, task, held_out[held_out > 0])
    if 0 < held_out.sum() < task.few:
        again = task.finished_as(train(chosen.width, np.zeros(len(held_out))).circuit, chosen.circuit)
        if options.max_ops is None or cost(again).total_ops <= options.max_ops:
            return replace(chosen, circuit=again)
    return chosen


def _tried(train: Callable[[int], Learned], widths: Sequence[int], n_jobs: int | None) -> list[Learned]:
    """Networks of these widths, up to the first that is perfect: no wider one could be kept."""
    several = n_jobs not in {None, 1}
    trained = Parallel(n_jobs=n_jobs)(delayed(train)(width) for width in widths) if several else map(train, widths)
    tried: list[Learned] = []
    for each in trained:
        tried.append(each)
        if each.score == 1:
            break
    return tried


def smallest_of_the_best(tried: Sequence[Learned], task: Task, weight: Weights) -> Learned:
    """The smallest circuit whose errors on rows of this weight are within one standard error of the best."""
    if not len(weight):  # nothing is held out to choose on
        return tried[-1]

    def wrong(each: Learned) -> float:
        return float(np.average(each.errors, weights=weight))

    best = min(tried, key=wrong)
    good = [each for each in tried if wrong(each) - wrong(best) <= task.slack(each.errors, best.errors, weight)]
    return min(good, key=lambda each: cost(each.circuit).total_ops)


def checked(found: Learned, max_ops: int | None) -> Learned:
    """What was found, or an error if it has more total ops than wanted."""
    ops = cost(found.circuit).total_ops
    if max_ops is not None and ops > max_ops:
        raise OptionError(
            f"max_ops is {max_ops}, but the smallest circuit found has {ops} total ops; allow more, or give fewer features "
            "or thresholds"
        )
    return found
