"""From rows to a circuit: networks of one or several widths, and which of them to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit import Circuit, cost, simplify
from gatewright.columns import Column
from gatewright.engine import Engine
from gatewright.errors import OptionError
from gatewright.sklearn.rows import Rows, Weights

if TYPE_CHECKING:
    from gatewright.nn.thermometer import Thermometer

GATES_PER_CLASS = (20, 50, 125)
"""Gates per layer and class of the networks that are tried by default, narrowest first.

Measured on Adult and fourteen other tables, see docs/sklearn.md.
"""

PASSES, FEWEST_STEPS, MOST_STEPS = 100, 500, 2000
"""How often a training sees the rows by default, and the limits of its steps.

On tables of some hundred rows, 2,000 steps took five times as long and chose no better on held-out rows.
"""

FEW = 100
"""Held-out rows below which the chosen width learns again from all rows.

So few say little about which weights of a training are best, and are a tenth of what there is to learn from.
"""


@dataclass(frozen=True)
class Options:
    """What learning takes of a classifier's parameters, checked.

    Attributes:
        width: Gates of each layer; None to choose by `GATES_PER_CLASS`.
        steps: Optimizer steps; None for those that `PASSES` says.
        max_ops: Most total ops of the circuit; None for any number.
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
    verbose: bool


@dataclass(frozen=True)
class Features:
    """What the features of the rows are; see `gatewright.circuit.Encoder`."""

    types: tuple[str, ...]
    names: tuple[str, ...]
    columns: tuple[Column, ...]
    categories: list[bool]
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Learned:
    """A trained network as a circuit.

    Attributes:
        circuit: Simplified.
        score: Accuracy on what is held out, or None if nothing is.
        right: Bool [held-out rows], which of them it classifies rightly.
        history: Steps with their figures.
        width: Gates of each layer.
    """

    circuit: Circuit
    score: float | None
    right: npt.NDArray[np.bool_]
    history: list[dict[str, Any]] = field(default_factory=list)
    width: int = 0


def learn(rows: Rows, held_out: Weights, features: Features, options: Options, seed: int) -> Learned:
    """Train networks and keep the smallest whose accuracy is within one standard error of the best.

    Where few rows are held out, that width learns again from all rows.

    Args:
        rows: What there is to learn from.
        held_out: What of each row is not learned from, but chosen on.
        features: What the features are.
        options: How to learn.
        seed: Of all randomness.

    Raises:
        OptionError: No network has as few total ops as wanted.
    """
    # All of this imports torch, which prediction must not need.
    from gatewright.nn.quantiles import table_thresholds  # noqa: PLC0415
    from gatewright.nn.thermometer import Thermometer  # noqa: PLC0415

    left = rows.weight - held_out
    learned = left > 0
    lists = table_thresholds(
        options.thresholds,
        rows.x[learned],
        features.types,
        weight=left[learned],
        categories=np.array(features.categories),
    )

    steps = options.steps or min(MOST_STEPS, max(FEWEST_STEPS, math.ceil(PASSES * left.sum() / options.batch)))
    options = replace(options, steps=steps)

    def train(width: int, held_out: Weights = held_out) -> Learned:
        encoder = Thermometer(lists, rows.x.shape[1:], rows.x.dtype.name, types=features.types)
        return _train(encoder, rows, held_out, features, options, width, seed)

    if options.width is not None:
        found = train(options.width)
        return _checked(found, options.max_ops)
    classes = len(features.class_names)
    tried: list[Learned] = []
    for gates in GATES_PER_CLASS:
        tried.append(train(gates * classes))
        if tried[-1].score == 1:  # no wider network could be kept
            break
    if options.max_ops is not None:
        fitting = [each for each in tried if cost(each.circuit).total_ops <= options.max_ops]
        width = GATES_PER_CLASS[0] * classes
        while not fitting and width > classes:
            width = max(width // 2, classes)
            smaller = train(width)
            tried.append(smaller)
            fitting = [smaller] if cost(smaller.circuit).total_ops <= options.max_ops else []
        if not fitting:
            return _checked(min(tried, key=lambda each: cost(each.circuit).total_ops), options.max_ops)
        tried = fitting
    chosen = _smallest_of_the_best(tried, held_out[held_out > 0])
    if 0 < held_out.sum() < FEW:
        again = train(chosen.width, np.zeros(len(held_out)))
        if options.max_ops is None or cost(again.circuit).total_ops <= options.max_ops:
            return replace(chosen, circuit=again.circuit)
    return chosen


def _smallest_of_the_best(tried: Sequence[Learned], weight: Weights) -> Learned:
    """The smallest circuit that is within one standard error of the best.

    All are judged by the same rows, so what counts is the error of the difference of two circuits, which comes from rows
    that one of them alone has right (McNemar); it is far smaller than that of either accuracy.
    """
    if any(each.score is None for each in tried):  # nothing is held out to choose on
        return tried[-1]
    best = max(tried, key=lambda each: each.score or 0.0)

    def good(each: Learned) -> bool:
        lost = best.right.astype(np.float64) - each.right
        return bool((weight * lost).sum() <= math.sqrt((weight * lost**2).sum()))

    return min(filter(good, tried), key=lambda each: cost(each.circuit).total_ops)


def _checked(found: Learned, max_ops: int | None) -> Learned:
    ops = cost(found.circuit).total_ops
    if max_ops is not None and ops > max_ops:
        raise OptionError(
            f"max_ops is {max_ops}, but the smallest circuit found has {ops} total ops; allow more, or give fewer features "
            "or thresholds"
        )
    return found


def _train(
    encoder: Thermometer, rows: Rows, held_out: Weights, features: Features, options: Options, width: int, seed: int
) -> Learned:
    import torch  # noqa: PLC0415

    from gatewright.data import Split  # noqa: PLC0415
    from gatewright.lowering import lower  # noqa: PLC0415
    from gatewright.runtime.threads import use_threads  # noqa: PLC0415
    from gatewright.training.batches import Feed  # noqa: PLC0415
    from gatewright.training.build import build_trainer  # noqa: PLC0415
    from gatewright.training.config import Recipe  # noqa: PLC0415
    from gatewright.training.sink import MemorySink  # noqa: PLC0415

    classes = len(features.class_names)
    width = math.ceil(width / classes) * classes
    recipe = Recipe.model_validate(
        {
            "model": {
                "relaxation": options.relaxation,
                "candidates": options.candidates,
                "layers": [{"type": "dense", "width": width, "repeat": options.layers}],
            },
            "optimizer": {"schedule": "one-cycle"},
            "connections": {"kind": "guided", "every": 20, "trials": 32, "stop": 0.8},
            "train": {"steps": options.steps, "batch": options.batch},
        }
    )
    device, generator = torch.device("cpu"), torch.Generator().manual_seed(seed)

    def feed(weight: Weights) -> Feed:
        used = weight > 0
        return Feed(Split(rows.x[used], rows.y[used]), device, weight=weight[used])

    plan = recipe.model.plan(encoder.out_shape, classes)
    model = plan.build(encoder, generator)
    validation = feed(held_out) if held_out.any() else None
    sink = MemorySink()

    def watch(step: int, values: dict[str, Any]) -> None:
        if options.verbose and "validation" in values and step % recipe.train.evaluation_interval == 0:
            accuracy = 100 * values["validation"]["hard"]
            print(f"width {width}, step {step} of {options.steps}: held-out accuracy {accuracy:.2f} %")

    with use_threads(recipe.train.thread_count(plan.candidates)):
        trainer = build_trainer(recipe, model, feed(rows.weight - held_out), validation, generator, sink)
        trainer.fit(watch=watch)
        trainer.load_best()
    circuit = simplify(
        lower(model, class_names=features.class_names, feature_names=features.names, columns=features.columns)
    )
    history = [{"width": width, "step": step, **values} for step, values in sink.lines]
    judged = held_out > 0
    right = Engine(circuit).predict(rows.x[judged]) == rows.y[judged]
    return Learned(circuit, None if trainer.best is None else trainer.best.accuracy, right, history, width)
