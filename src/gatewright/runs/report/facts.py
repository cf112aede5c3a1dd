"""What a report shows of a run or a circuit, gathered before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright import zoo
from gatewright.circuit import Circuit, Cost, cost, simplify
from gatewright.circuit.levels import logic_levels
from gatewright.data import Dataset, Split, describe, names
from gatewright.engine import Engine
from gatewright.gates import GATE_NAMES, IS_LOGIC, USES_A, USES_B
from gatewright.runs.compile import compile_run
from gatewright.runs.confusion import Confusion
from gatewright.runs.fit import Fit
from gatewright.runs.report.published import Published, published
from gatewright.runs.result import RunResult
from gatewright.runs.run import load_run
from gatewright.training.load import dump
from gatewright.training.metrics import read_lines

WORST = 24
"""Samples shown of those that are decided wrongly."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Mistake:
    """A sample that is decided wrongly, or whose number is far off.

    Attributes:
        sample: Raw features of the data set's shape.
        number: Its place in the split, from 0.
        caption: What it is, what it was taken for, and by how much.
    """

    sample: npt.NDArray[Any]
    number: int
    caption: str


@dataclass(frozen=True)
class Evaluation:
    """How a circuit decides on a split.

    Attributes:
        dataset: The data set.
        kind: "image", "table" or "signal".
        split: Name of the split.
        judged: All decisions, or how near its numbers are.
        mistakes: The worst ones first.
        wrong: Number of samples with a wrong decision, or a number that is not the very one.
        limits: Least and greatest raw feature of the split.
    """

    dataset: Dataset
    kind: str
    split: str
    judged: Confusion | Fit
    mistakes: Sequence[Mistake]
    wrong: int
    limits: tuple[float, float]


@dataclass(frozen=True)
class Training:
    """How a run came about.

    Attributes:
        result: Of the finished run.
        lines: Its metrics, in order of steps.
        options: Its config as YAML.
    """

    result: RunResult
    lines: Sequence[Mapping[str, Any]]
    options: str


@dataclass(frozen=True)
class Facts:
    """Everything that a report shows.

    Attributes:
        title: Name of the run or circuit.
        circuit: Simplified.
        cost: Of the circuit, complete.
        checks: What was proven and compared: name and finding.
        currencies: Further counts of the complete circuit, by name.
        training: None for a circuit without a run.
        evaluation: None where no data set is known.
        missing: Why something that a reader may expect is not shown.
    """

    title: str
    circuit: Circuit
    cost: Cost
    checks: Mapping[str, str]
    currencies: Mapping[str, int] = field(default_factory=dict)
    training: Training | None = None
    evaluation: Evaluation | None = None
    missing: Sequence[str] = ()

    @property
    def data(self) -> str:
        """Name of the data set, or empty."""
        return self.evaluation.dataset.name if self.evaluation else self.circuit.metadata.get("data", "")


def facts_of_run(folder: Path, dataset: Dataset, *, proof: bool = True, timeout: float = 600.0) -> Facts:
    """Compile a finished run, and gather what there is to say.

    Args:
        folder: Of the run.
        dataset: What it was trained on; its test split is evaluated.
        proof: Whether to prove that the circuit equals the network; it needs the extra `prove`.
        timeout: Seconds that the proof may take.

    Raises:
        FormatError: The folder holds no finished run, or a file in it is damaged.
        VerificationError: Circuit and network differ, or the proof ran out of time.
        MissingExtraError: No engine for proofs is installed.
    """
    run = load_run(folder)
    compiled = compile_run(run, dataset, proof=proof, timeout=timeout)
    proven = compiled.proof
    checks = {
        "proof": "skipped" if proven is None else f"equal to the trained network for every input ({proven.method})",
        "check": f"equal to the network on all {compiled.samples:,} test samples, counts and classes",
    }
    if compiled.pruned is not None:
        checks["pruned"] = (
            f"lossy, after proof and check: {compiled.pruned.logic_ops_before:,} to {compiled.pruned.logic_ops_after:,} "
            f"logic ops; {compiled.pruned.decided_otherwise:,} test decisions changed"
        )
    lines = read_lines(folder / "metrics.jsonl")
    return Facts(
        title=run.name,
        circuit=compiled.circuit,
        cost=cost(compiled.circuit),
        checks=checks,
        training=Training(RunResult.load(folder), lines, dump(run.config)),
        evaluation=evaluate(compiled.circuit, dataset, "test"),
        missing=() if lines else (f"{folder} has no metrics.jsonl, so there are no curves",),
    )


def facts_of_circuit(title: str, circuit: Circuit, dataset: Dataset | None, split: str = "test") -> Facts:
    """Gather what there is to say of a circuit that comes without its run.

    Args:
        title: Its name.
        circuit: Any circuit.
        dataset: Fits its encoder and head; None leaves out what needs samples.
        split: The part of the data set to evaluate on.
    """
    small, notes = simplify(circuit), circuit.metadata
    checks = {}
    if "proof" in notes:
        checks["proof"] = "none" if notes["proof"] == "none" else f"noted in the file: proven by {notes['proof']}"
    if "checked_samples" in notes:
        checks["check"] = f"noted in the file: compared with the network on {notes['checked_samples']} samples"
    if "pruned" in notes:
        checks["pruned"] = notes["pruned"]
    if not checks:
        checks["proof"] = "the file says nothing of a proof"
    missing = ["a circuit file holds no curves, entropies and redraws; a report of the run's folder shows them"]
    if dataset is None:
        missing.append("no data set is known that fits, so nothing is evaluated; name one with --dataset")
    return Facts(
        title=title,
        circuit=small,
        cost=cost(small),
        checks=checks,
        evaluation=None if dataset is None else evaluate(small, dataset, split),
        missing=missing,
    )


def evaluate(circuit: Circuit, dataset: Dataset, split: str) -> Evaluation:
    """Decide on all samples of a split, and find the worst mistakes: those with the greatest lead of a wrong class."""
    part = dataset.split(split)
    limits = (float(part.x.min()), float(part.x.max())) if len(part) else (0.0, 1.0)
    images = len(dataset.shape) == 3 and dataset.shape[0] in {1, 3}
    kind = describe(dataset.name).kind if dataset.name in names() else "image" if images else "table"
    if dataset.numbers:
        fit = Fit(part.y, Engine(circuit).predict(part.x))
        off = np.abs(fit.predicted - fit.truth)
        worst = np.argsort(-off, kind="stable")[:WORST]
        far = [Mistake(part.x[i], int(i), f"{fit.truth[i]:.6g}, predicted {fit.predicted[i]:.6g}") for i in worst]
        return Evaluation(dataset, kind, split, fit, far, int(np.count_nonzero(off)), limits)
    counts = Engine(circuit).counts(part.x)
    decided = counts.argmax(axis=-1)
    confusion = Confusion.of(part.y, decided, dataset.n_classes)
    apart = (decided != part.y).reshape(len(part), -1)
    wrong = np.flatnonzero(apart.any(axis=1))
    if part.y.ndim == 1:
        lead = counts[wrong, decided[wrong]] - counts[wrong, part.y[wrong]]
        order = wrong[np.argsort(-lead, kind="stable")][:WORST]
        mistakes = [_mistake(dataset, part, counts, int(i)) for i in order]
    else:
        share = apart.mean(axis=1)
        order = wrong[np.argsort(-share[wrong], kind="stable")][:WORST]
        mistakes = [Mistake(part.x[i], int(i), f"{100 * share[i]:.0f} % of the places decided wrongly") for i in order]
    return Evaluation(dataset, kind, split, confusion, mistakes, len(wrong), limits)


def _mistake(dataset: Dataset, part: Split, counts: Counts, i: int) -> Mistake:
    true, taken = int(part.y[i]), int(counts[i].argmax())
    classes = dataset.class_names
    return Mistake(
        part.x[i], i, f"{classes[true]}, taken for {classes[taken]} ({counts[i, true]} to {counts[i, taken]})"
    )


def gates_by_level(circuit: Circuit) -> dict[int, dict[str, int]]:
    """Number of logic gates by logic level, from 1, and name of the gate.

    >>> from gatewright.circuit import Circuit
    >>> gates_by_level(Circuit(2, gate=[1, 6], a=[0, 2], b=[1, 1], outputs=[3]))
    {1: {'AND': 1}, 2: {'XOR': 1}}
    """
    levels = logic_levels(circuit)[circuit.n_inputs :]
    logic = IS_LOGIC[circuit.gate]
    found: dict[int, dict[str, int]] = {}
    pairs = np.stack([levels[logic].astype(np.int64), circuit.gate[logic].astype(np.int64)])
    for (level, gate), number in zip(*np.unique(pairs.T, axis=0, return_counts=True), strict=True):
        found.setdefault(int(level), {})[GATE_NAMES[gate]] = int(number)
    return found


def reads_by_feature(circuit: Circuit) -> Counts:
    """How often gates and outputs read each raw feature, through any of its thresholds; int64 [features].

    Without an encoder, the features are the circuit's inputs.
    """
    read = np.concatenate([circuit.a[USES_A[circuit.gate]], circuit.b[USES_B[circuit.gate]], circuit.outputs])
    by_input = np.bincount(read[read < circuit.n_inputs], minlength=circuit.n_inputs)
    if circuit.encoder is None:
        return by_input.astype(np.int64)
    weights = np.bincount(circuit.encoder.feature, weights=by_input, minlength=circuit.encoder.n_features)
    return np.rint(weights).astype(np.int64)


@dataclass(frozen=True)
class Neighbour:
    """A circuit of the zoo that learned from the same data.

    Attributes:
        name: Its name.
        accuracy: Mean test accuracy of its preset over seeds, 0 to 1.
        logic_ops: Of the circuit.
        total_ops: Of the circuit.
    """

    name: str
    accuracy: float
    logic_ops: int
    total_ops: int


def neighbours(data: str) -> tuple[list[Neighbour], list[Published]]:
    """The zoo's circuits and the published rows of a data set."""
    cards = [zoo.card(name) for name in zoo.names()]
    own = [
        Neighbour(card.name, card.over_seeds.accuracy, card.measured.logic_ops, card.measured.total_ops)
        for card in cards
        if card.data.name == data
    ]
    return own, [row for row in published() if row.data == data]
