"""What is known of a trained circuit: the figures of one training, and the card it has in a zoo."""

from __future__ import annotations

from typing import Any

from gatewright.runtime.schema import Section


class Pruned(Section):
    """What a lossy removal of gates did.

    Attributes:
        tolerance: The one of `gatewright.runs.prune.TOLERANCES` that was taken.
        logic_ops_before: Of the circuit that is proven equal to the network.
        logic_ops_after: Of the circuit that was kept.
        validation_before: Accuracy on validation, 0 to 1.
        validation_after: Accuracy of the circuit that was kept; not less.
        decided_otherwise: Decisions on the test split that differ from the network's.
    """

    tolerance: float
    logic_ops_before: int
    logic_ops_after: int
    validation_before: float
    validation_after: float
    decided_otherwise: int


class Entry(Section):
    """One training with one seed, compiled, proven and evaluated on test once.

    Attributes:
        name: The preset, with the options that were changed in it.
        preset: The preset.
        changes: Options changed in it, `key=value`.
        seed: Of the run.
        digest: Of all options but the seed; see `gatewright.runs.sweep.digest`.
        data: The data set.
        validation: Accuracy on the validation split, which chose the weights; None if there was none.
        test: Accuracy on the whole test split.
        sensitivity: Per class, on test; None for a class without samples.
        precision: Per class, on test; None for a class that was never decided for.
        gates: Before simplification.
        logic_ops: As in `gatewright.circuit.Cost`, and so are the following.
        total_ops: With encoder and head.
        encoder_ops: The encoder's part.
        head_ops: The head's part.
        depth: Of the gates alone.
        total_depth: Of encoder, gates and head together.
        outputs: Bits that the head counts.
        lut6: Six-input tables that the gates alone are mapped to; None where there is no ABC.
        steps: Trained.
        best_step: Whose weights were kept.
        train_seconds: Wall-clock time of training, evaluations on validation included.
        compile_seconds: Of lowering, simplification, proof and check.
        proof: How the circuit was proven equal to the network.
        checked_samples: Test samples on which it was also compared with the network.
        command: What measures it again.
        versions: Of gatewright and what it computes with.
        machine: What it ran on.
        mean_iou: Mean intersection over union of the classes, on test, where every pixel has a class; None elsewhere.
        pruned: What was removed that the network has; None if nothing was. Proof and check are then of the circuit before.
    """

    name: str
    preset: str
    changes: list[str]
    seed: int
    digest: str
    data: str
    validation: float | None
    test: float
    sensitivity: list[float | None]
    precision: list[float | None]
    gates: int
    logic_ops: int
    total_ops: int
    encoder_ops: int
    head_ops: int
    depth: int
    total_depth: int
    outputs: int
    lut6: int | None
    steps: int
    best_step: int
    train_seconds: float
    compile_seconds: float
    proof: str
    checked_samples: int
    command: str
    versions: dict[str, str]
    machine: dict[str, str | int]
    mean_iou: float | None = None
    pruned: Pruned | None = None


class DataCard(Section):
    """What a circuit learned from, and on whose terms.

    Attributes:
        name: gatewright's name of the data set.
        title: One line for people.
        source: Where it comes from.
        licence: Of the data, as upstream states it.
        citation: The work to cite.
    """

    name: str
    title: str
    source: str
    licence: str
    citation: str


class OverSeeds(Section):
    """How the preset does over seeds, this circuit's among them.

    Attributes:
        seeds: The seeds.
        accuracy: Mean test accuracy.
        deviation: Sample standard deviation, or None for one seed.
    """

    seeds: list[int]
    accuracy: float
    deviation: float | None


class Card(Section):
    """What is known of a circuit of the zoo.

    Attributes:
        name: Its name, that of its preset.
        description: Of the preset.
        data: What it learned from.
        measured: Its figures, its seed, and the command that makes it again.
        over_seeds: The same preset over all seeds measured; of these, the circuit is the best one on validation, or
            the first one where there was none.
        options: All options of the training.
        file: The circuit's file in the zoo.
        bytes: Size of that file.
        sha256: Of that file.
    """

    name: str
    description: str
    data: DataCard
    measured: Entry
    over_seeds: OverSeeds
    options: dict[str, Any]
    file: str
    bytes: int
    sha256: str
