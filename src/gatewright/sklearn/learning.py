"""From rows to a circuit: networks of one or several widths, and which of them to keep."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.circuit import Circuit, cost, simplify
from gatewright.columns import Column
from gatewright.errors import OptionError
from gatewright.sklearn.rows import Rows, Weights

if TYPE_CHECKING:
    from gatewright.nn.thermometer import Thermometer

WIDTHS = (20, 40, 100, 250)
"""Gates per layer of the networks that are tried by default, narrowest first.

Measured on Adult, see docs/sklearn.md.
"""


@dataclass(frozen=True)
class Options:
    """What learning takes of a classifier's parameters, checked.

    Attributes:
        width: Gates of each layer; None to choose among `WIDTHS`.
        max_ops: Most total ops of the circuit; None for any number.
        verbose: Whether to print a line per evaluation.
    """

    width: int | None
    layers: int
    thresholds: int
    candidates: int
    relaxation: str
    steps: int
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
        history: Steps with their figures.
        width: Gates of each layer.
    """

    circuit: Circuit
    score: float | None
    history: list[dict[str, Any]] = field(default_factory=list)
    width: int = 0


def learn(rows: Rows, held_out: Weights, features: Features, options: Options, seed: int) -> Learned:
    """Train networks and keep the smallest whose accuracy is within one standard error of the best.

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

    def train(width: int) -> Learned:
        encoder = Thermometer(lists, rows.x.shape[1:], rows.x.dtype.name, types=features.types)
        return _train(encoder, rows, held_out, features, options, width, seed)

    if options.width is not None:
        found = train(options.width)
        return _checked(found, options.max_ops)
    tried = [train(width) for width in WIDTHS]
    if options.max_ops is not None:
        fitting = [each for each in tried if cost(each.circuit).total_ops <= options.max_ops]
        width = WIDTHS[0]
        while not fitting and width > len(features.class_names):
            width = max(width // 2, len(features.class_names))
            smaller = train(width)
            tried.append(smaller)
            fitting = [smaller] if cost(smaller.circuit).total_ops <= options.max_ops else []
        if not fitting:
            return _checked(min(tried, key=lambda each: cost(each.circuit).total_ops), options.max_ops)
        tried = fitting
    return _smallest_of_the_best(tried, float(held_out.sum()))


def _smallest_of_the_best(tried: Sequence[Learned], held_out: float) -> Learned:
    scores = [each.score for each in tried if each.score is not None]
    if len(scores) < len(tried):  # nothing is held out to choose on
        return tried[-1]
    best = max(scores)
    error = math.sqrt(best * (1 - best) / held_out)
    good = [each for each in tried if each.score is not None and each.score >= best - error]
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
    return Learned(circuit, None if trainer.best is None else trainer.best.accuracy, history, width)
