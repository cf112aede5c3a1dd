"""Networks compared on rows that are held out of them: a share of many rows, or each of few rows in turn."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from gatewright.circuit import Circuit, cost
from gatewright.errors import OptionError
from gatewright.sklearn.network import Features, Learned, Options, make_encoder, train_network
from gatewright.sklearn.rows import Rows, Weights, fold_weights
from gatewright.sklearn.tasks import Task

FOLDS = 5
"""Parts that take turns in being held out where too few rows are held out to choose on."""


@dataclass(frozen=True)
class Trial:
    """Options, and the networks that were trained with them: one per part that was held out.

    Attributes:
        options: With a width.
        learned: The first network, with the errors of all on what was held out of them.
        circuits: Those of all.
        error: Their mean.
        ops: Mean total ops.
    """

    options: Options
    learned: Learned
    circuits: list[Circuit]
    error: float
    ops: float


@dataclass(frozen=True)
class Comparison:
    """What networks of one fit share.

    Args:
        rows: What there is to learn from.
        parts: What of each row is held out, in turn.
        features: What the features are.
        task: What there is to learn.
        seed: Of all randomness.
    """

    rows: Rows
    parts: Sequence[Weights]
    features: Features
    task: Task
    seed: int

    @classmethod
    def by_folds(cls, rows: Rows, features: Features, task: Task, seed: int) -> Comparison:
        """A fifth of the rows is held out at a time."""
        parts = fold_weights(task.strata(rows.y), FOLDS, np.random.RandomState(seed), rows.weight)
        return cls(rows, parts, features, task, seed)

    @cached_property
    def weight(self) -> Weights:
        """What the errors of a trial weigh: those of each part in turn."""
        return np.concatenate([part[part > 0] for part in self.parts])

    def trial(self, options: Options) -> Trial:
        """Train a network per part."""
        n_jobs = 1 if len(self.parts) == 1 or options.n_jobs is None else options.n_jobs
        found = Parallel(n_jobs=n_jobs)(delayed(self._train)(part, options) for part in self.parts)
        errors = np.concatenate([each.errors for each in found])
        x, y = (np.concatenate([values[part > 0] for part in self.parts]) for values in (self.rows.x, self.rows.y))
        score = self.task.score(errors, Rows(x, y, self.weight), self.weight)
        learned = replace(found[0], errors=errors, score=score)
        circuits = [each.circuit for each in found]
        ops = float(np.mean([cost(circuit).total_ops for circuit in circuits]))
        return Trial(options, learned, circuits, float(np.average(errors, weights=self.weight)), ops)

    def _train(self, held_out: Weights, options: Options) -> Learned:
        width = options.width
        assert width is not None  # noqa: S101 - trials have one
        left = self.rows.weight - held_out
        encoder = make_encoder(self.rows, left, self.features, options.thresholds)
        options = options.for_rows(left, self.task)
        # In the end there is nothing to choose weights on, so there is not in folds either.
        choose = len(self.parts) == 1
        return train_network(
            encoder, self.rows, held_out, self.features, self.task, options, width, self.seed, choose=choose
        )

    def chosen(self, tried: Sequence[Trial], max_ops: int | None, *, smallest: bool) -> Learned:
        """The network of the best trial, learned from all rows if each was held out in turn.

        Args:
            tried: Trials.
            max_ops: Most total ops of the circuit.
            smallest: Whether the smallest within one standard error of the best is preferred.

        Raises:
            OptionError: No network has as few total ops as wanted.
        """
        most = math.inf if max_ops is None else max_ops
        fitting = [each for each in tried if each.ops <= most]
        fitting.sort(key=lambda each: (each.error, each.ops))
        if smallest and fitting:
            good = smallest_of_the_best([each.learned for each in fitting], self.task, self.weight)
            fitting.sort(key=lambda each: each.learned is not good)
        if fitting and len(self.parts) == 1:
            return fitting[0].learned
        growth, least = 1.0, min(each.ops for each in tried)
        for each in fitting:
            if each.ops * growth > most:  # as others it would become too large with all rows
                continue
            again = self._train(np.zeros(len(self.rows.weight)), each.options)
            ops = cost(again.circuit).total_ops
            if ops <= most:
                circuit = self.task.finished_as(again.circuit, each.circuits)
                return replace(each.learned, circuit=circuit, history=again.history)
            growth, least = max(growth, ops / each.ops), ops
        raise too_large(least, max_ops)


def smallest_of_the_best(tried: Sequence[Learned], task: Task, weight: Weights) -> Learned:
    """The smallest circuit whose errors on rows of this weight are within one standard error of the best."""
    if not len(weight):  # nothing is held out to choose on
        return tried[-1]

    def wrong(each: Learned) -> float:
        return float(np.average(each.errors, weights=weight))

    best = min(tried, key=wrong)
    good = [each for each in tried if wrong(each) - wrong(best) <= task.slack(each.errors, best.errors, weight)]
    return min(good, key=lambda each: cost(each.circuit).total_ops)


def too_large(ops: float, max_ops: int | None) -> OptionError:
    """The error that even the smallest circuit has more total ops than wanted."""
    return OptionError(
        f"max_ops is {max_ops}, but the smallest circuit found has {ops:,.0f} total ops; allow more, or give fewer "
        "features or thresholds"
    )
