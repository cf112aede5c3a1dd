"""From rows to a circuit: networks of one or several widths, and which of them to keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.parallel import Parallel, delayed

from gatewright.circuit import Circuit, cost, simplify
from gatewright.columns import Column
from gatewright.errors import OptionError
from gatewright.sklearn.rows import Rows, Weights
from gatewright.sklearn.tasks import Task

if TYPE_CHECKING:
    from gatewright.nn.thermometer import Thermometer

MOST_STEPS = 2000
"""Steps at most where none are given."""


@dataclass(frozen=True)
class Options:
    """What learning takes of an estimator's parameters, checked.

    Attributes:
        width: Gates of each layer; None to choose among those of the task.
        steps: Optimizer steps; None for the task's rule.
        max_ops: Most total ops of the circuit; None for any number.
        n_jobs: Processes that try widths at the same time; None for this one alone, as joblib has it.
        verbose: Whether to print a line per evaluation.
    """

    width: int | None
    layers: int
    thresholds: int
    candidates: int
    relaxation: str
    steps: int | None
    batch: int
    max_ops: int | None
    n_jobs: int | None
    verbose: bool


@dataclass(frozen=True)
class Features:
    """What the features of the rows are; see `gatewright.circuit.Encoder`."""

    types: tuple[str, ...]
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    categories: list[bool]


@dataclass(frozen=True)
class Learned:
    """A trained network as a circuit.

    Attributes:
        circuit: Simplified.
        score: Accuracy or R^2 on what is held out, or None if nothing is.
        errors: float64 [rows held out], what each is predicted wrong by.
        history: Steps with their figures.
        width: Gates of each layer.
    """

    circuit: Circuit
    score: float | None
    errors: npt.NDArray[np.float64]
    history: list[dict[str, Any]] = field(default_factory=list)
    width: int = 0


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
    # All of this imports torch, which prediction must not need.
    from gatewright.nn.quantiles import table_thresholds  # noqa: PLC0415
    from gatewright.nn.thermometer import Thermometer  # noqa: PLC0415

    left = rows.weight - held_out
    if options.steps is None:
        enough = math.ceil(task.passes * float(left.sum()) / options.batch)
        options = replace(options, steps=min(MOST_STEPS, max(task.fewest_steps, enough)))
    learned = left > 0
    lists = table_thresholds(
        options.thresholds,
        rows.x[learned],
        features.types,
        weight=left[learned],
        categories=np.array(features.categories),
    )

    def train(width: int, held_out: Weights = held_out) -> Learned:
        encoder = Thermometer(lists, rows.x.shape[1:], rows.x.dtype.name, types=features.types)
        return _train(encoder, rows, held_out, features, task, options, width, seed)

    if options.width is not None:
        found = train(options.width)
        return _checked(found, options.max_ops)
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
            return _checked(min(tried, key=lambda each: cost(each.circuit).total_ops), options.max_ops)
        tried = fitting
    chosen = _smallest_of_the_best(tried, task, held_out[held_out > 0])
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


def _smallest_of_the_best(tried: Sequence[Learned], task: Task, weight: Weights) -> Learned:
    if not len(weight):  # nothing is held out to choose on
        return tried[-1]

    def wrong(each: Learned) -> float:
        return float(np.average(each.errors, weights=weight))

    best = min(tried, key=wrong)
    good = [each for each in tried if wrong(each) - wrong(best) <= task.slack(each.errors, best.errors, weight)]
    return min(good, key=lambda each: cost(each.circuit).total_ops)


def _checked(found: Learned, max_ops: int | None) -> Learned:
    ops = cost(found.circuit).total_ops
    if max_ops is not None and ops > max_ops:
        raise OptionError(
            f"max_ops is {max_ops}, but the smallest circuit found has {ops} total ops; allow more, or give fewer features "
            "or thresholds"
        )
    return found


def _train(
    encoder: Thermometer,
    rows: Rows,
    held_out: Weights,
    features: Features,
    task: Task,
    options: Options,
    width: int,
    seed: int,
) -> Learned:
    import torch  # noqa: PLC0415

    from gatewright.data import Split  # noqa: PLC0415
    from gatewright.lowering import lower  # noqa: PLC0415
    from gatewright.runtime.threads import use_threads  # noqa: PLC0415
    from gatewright.training.batches import Feed  # noqa: PLC0415
    from gatewright.training.build import build_trainer  # noqa: PLC0415
    from gatewright.training.config import Recipe  # noqa: PLC0415
    from gatewright.training.sink import MemorySink  # noqa: PLC0415

    width = math.ceil(width / task.outputs) * task.outputs
    recipe = Recipe.model_validate(
        {
            "model": {
                "relaxation": options.relaxation,
                "candidates": options.candidates,
                "layers": [{"type": "dense", "width": width, "repeat": options.layers}],
                "head": task.head,
            },
            "optimizer": {"schedule": "one-cycle"},
            "connections": {"kind": "guided", "every": 20, "trials": 32, "stop": 0.8},
            "train": {"steps": options.steps, "batch": options.batch},
        }
    )
    targets = task.targets(rows.y)
    device, generator = torch.device("cpu"), torch.Generator().manual_seed(seed)

    def feed(weight: Weights) -> Feed:
        used = weight > 0
        return Feed(Split(rows.x[used], targets[used]), device, weight=weight[used])

    plan = recipe.model.plan(encoder.out_shape, task.outputs)
    model = plan.build(encoder, generator)
    validation = feed(held_out) if held_out.any() else None
    sink = MemorySink()

    def watch(step: int, values: dict[str, Any]) -> None:
        if options.verbose and "validation" in values and step % recipe.train.evaluation_interval == 0:
            share = 100 * values["validation"]["hard"]
            print(f"width {width}, step {step} of {options.steps}: held-out {task.figure} {share:.2f} %")

    with use_threads(recipe.train.thread_count(plan.candidates)):
        trainer = build_trainer(
            recipe, model, feed(rows.weight - held_out), validation, generator, sink, objective=task.objective()
        )
        trainer.fit(watch=watch)
        trainer.load_best()
    circuit = simplify(
        lower(model, class_names=task.class_names, feature_names=features.names, columns=features.columns)
    )
    circuit = task.finished(circuit, rows, rows.weight - held_out, held_out)
    used = held_out > 0
    apart = Rows(rows.x[used], rows.y[used], held_out[used])
    errors = task.errors(circuit, apart)
    score = task.score(errors, apart, apart.weight) if used.any() else None
    history = [{"width": width, "step": step, **values} for step, values in sink.lines]
    return Learned(circuit, score, errors, history, width)
