"""The network of an estimator by rule: of one or several widths, and which of them to keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sklearn.utils.parallel import Parallel, delayed

from gatewright.circuit import cost
from gatewright.errors import OptionError
from gatewright.sklearn.comparing import FOLDS, Comparison, Trial, smallest_of_the_best, too_large
from gatewright.sklearn.network import Features, Learned, Options, make_encoder, train_network
from gatewright.sklearn.rows import Rows, Weights
from gatewright.sklearn.tasks import Task


def learn(rows: Rows, held_out: Weights, features: Features, task: Task, options: Options, seed: int) -> Learned:
    """Train networks and keep the smallest that is within one standard error of the best.

    Where few rows are held out they say little, so each row is held out in turn, temperatures are compared for one width,
    and the better one learns again from all rows.

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
    most = options.max_ops
    if options.width is None and 0 < held_out.sum() < task.few and len(rows.y) >= 2 * FOLDS:
        return _learn_few(Comparison.by_folds(rows, features, task, seed), options)
    left = rows.weight - held_out
    options = options.for_rows(left, task)
    encoder = make_encoder(rows, left, features, options.thresholds)

    def train(width: int) -> Learned:
        return train_network(encoder, rows, held_out, features, task, options, width, seed)

    def ops(found: Learned) -> int:
        return cost(found.circuit).total_ops

    tried = [train(options.width)] if options.width is not None else _tried(train, task.widths, options.n_jobs)
    fitting = [each for each in tried if most is None or ops(each) <= most]
    width = task.outputs if options.width is not None else task.widths[0]
    while not fitting and width > task.outputs:
        width = max(width // 2, task.outputs)
        tried.append(train(width))
        fitting = [each for each in tried[-1:] if most is None or ops(each) <= most]
    if not fitting:
        raise too_large(min(map(ops, tried)), most)
    return smallest_of_the_best(fitting, task, held_out[held_out > 0])


def _learn_few(comparison: Comparison, options: Options) -> Learned:
    task, most = comparison.task, options.max_ops
    width = task.width_of_few
    while True:
        tried: list[Trial] = []
        for temperature in task.temperatures:
            tried.append(comparison.trial(replace(options, width=width, temperature=temperature)))
            if tried[-1].error == 0:
                break
        try:
            return comparison.chosen(tried, most, smallest=False)
        except OptionError:
            if width <= task.outputs:
                raise
        width = max(width // 2, task.outputs)


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
