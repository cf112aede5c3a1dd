"""`result.json`: what a run achieved, and on what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from gatewright.errors import FormatError
from gatewright.runtime.documents import parse_json, reading, validated
from gatewright.runtime.files import content_of, write_text_atomically
from gatewright.runtime.schema import Section

RESULT = "result.json"


class SplitAccuracy(Section):
    """The figure of one split, of the relaxation (`soft`) and of the discretized network (`hard`).

    Accuracies are 0 to 1, R^2 at most 1.
    """

    soft: float
    hard: float


class RunResult(Section):
    """What a run achieved.

    Attributes:
        name: Of the preset or config file.
        figure: What is measured: `accuracy` of classes, or `R^2` of numbers.
        validation: Accuracy on the validation split, which chose the weights; None if there was none.
        test: Accuracy on the full test split, read once, at the end.
        gates: Gates of the discretized network before simplification.
        logic_ops: Gates left after simplification, without constants, wires and inverters.
        total_ops: Logic ops with the encoder's and the head's.
        depth: Longest path of logic ops, without encoder and head.
        best_step: Step whose weights were kept.
        seconds: Wall-clock time of training, evaluations included.
        versions: Of gatewright and what it computes with.
        machine: What it ran on.
    """

    name: str
    data: str
    figure: Literal["accuracy", "R^2"] = "accuracy"
    validation: SplitAccuracy | None
    test: SplitAccuracy
    gates: int
    logic_ops: int
    total_ops: int
    depth: int
    steps: int
    best_step: int
    seconds: float
    seed: int
    versions: dict[str, str]
    machine: dict[str, str | int]

    def save(self, folder: Path) -> None:
        """Write `result.json` in one step."""
        write_text_atomically(folder / RESULT, json.dumps(self.model_dump(mode="json"), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> RunResult:
        """Read a run's `result.json`.

        Raises:
            FormatError: It is missing or damaged.
        """
        path = folder / RESULT
        try:
            with reading(path):
                return validated(cls, parse_json(content_of(path), f"{path} is damaged: it"), f"{path} is damaged")
        except FileNotFoundError as error:
            raise FormatError(f"{folder} has no {RESULT}: the run is not finished (resume it with --resume)") from error
        except OSError as error:
            raise FormatError(f"{path} cannot be read: {error.strerror}") from error
