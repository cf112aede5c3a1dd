"""One network of an estimator: its options, its training on rows, and the circuit of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit import Circuit, simplify
from gatewright.columns import Column
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
        seconds: What a search for the network may take; None for the task's rule.
        n_jobs: Processes that train at the same time; None for this one alone, as joblib has it.
        verbose: Whether to print a line per evaluation.
        temperature: Of the head while it learns, as a multiple of the rule's: the higher, the less sure of few rows.
    """

    width: int | None
    layers: int
    thresholds: int
    candidates: int
    relaxation: str
    steps: int | None
    batch: int
    max_ops: int | None
    seconds: float | None
    n_jobs: int | None
    verbose: bool
    temperature: float = 1.0

    def for_rows(self, weight: Weights, task: Task) -> Options:
        """The same with the steps of the task's rule for rows of this weight, where none are given."""
        if self.steps is not None:
            return self
        enough = math.ceil(task.passes * float(weight.sum()) / self.batch)
        return replace(self, steps=min(MOST_STEPS, max(task.fewest_steps, enough)))


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


def make_encoder(rows: Rows, weight: Weights, features: Features, thresholds: int) -> Thermometer:
    """Thresholds at the quantiles of rows that count so much."""
    # All of this imports torch, which prediction must not need.
    from gatewright.nn.quantiles import table_thresholds  # noqa: PLC0415
    from gatewright.nn.thermometer import Thermometer  # noqa: PLC0415

    used = weight > 0
    lists = table_thresholds(
        thresholds,
        rows.x[used],
        features.types,
        weight=weight[used],
        categories=np.array(features.categories),
    )
    return Thermometer(lists, rows.x.shape[1:], rows.x.dtype.name, types=features.types)


def train_network(
    encoder: Thermometer,
    rows: Rows,
    held_out: Weights,
    features: Features,
    task: Task,
    options: Options,
    width: int,
    seed: int,
    *,
    choose: bool = True,
) -> Learned:
    """Train a network of layers of so many gates, and make it a circuit.

    Args:
        encoder: What makes bits of the rows; see `make_encoder`.
        rows: What there is to learn from.
        held_out: What of each row is not learned from.
        features: What the features are.
        task: What there is to learn.
        options: How to learn; with steps.
        width: Gates of each layer, at least.
        seed: Of all randomness.
        choose: Whether to keep the weights that are best on what is held out; otherwise the last ones.
    """
    import torch  # noqa: PLC0415

    from gatewright.data import Split  # noqa: PLC0415
    from gatewright.lowering import lower  # noqa: PLC0415
    from gatewright.nn.group_sum import default_tau  # noqa: PLC0415
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
                "tau": None if options.temperature == 1 else options.temperature * default_tau(width // task.outputs),
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
    validation = feed(held_out) if choose and held_out.any() else None
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
