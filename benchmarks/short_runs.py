"""Short trainings for comparisons, judged on validation: the test split takes no part in choosing a method."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gatewright.data
from gatewright.circuit import Circuit, cost, simplify
from gatewright.data import Dataset
from gatewright.runs.run import load_run, lower_run, train
from gatewright.training.load import load_preset
from gatewright.training.metrics import read_lines

SEEDS = (0, 1, 2)


def seeds(text: str) -> list[int]:
    """Numbers between commas: the option `--seeds` of benchmarks."""
    return [int(seed) for seed in text.split(",")]


def run_once(preset: str, changes: Sequence[str], seed: int, *, keep: Callable[[Circuit], None] | None = None) -> Any:
    """One training: its validation curve, its figures of cost and time; `keep` gets the simplified circuit.

    `loss` is the mean of the training loss over the last twentieth of the run. Where training error is as high
    as validation error, it tells methods apart that 5,000 validation samples cannot.
    """
    options = [*changes, f"train.seed={seed}"]
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        with without_test():
            result = train(load_preset(preset, options), preset, run)
        assert result is not None
        assert result.validation is not None
        metrics = list(read_lines(run / "metrics.jsonl"))
        circuit = simplify(lower_run(load_run(run)))
    if keep is not None:
        keep(circuit)
    figures = cost(circuit)
    lines = [line for line in metrics if "validation" in line]
    losses = [line["loss"] for line in metrics if "loss" in line]
    return {
        "seed": seed,
        "validation": round(result.validation.hard, 4),
        "loss": round(statistics.mean(losses[-max(1, len(losses) // 20) :]), 4),
        "last": [round(lines[-1]["validation"][kind], 4) for kind in ("soft", "hard")],
        "seconds": round(result.seconds, 1),
        "logic_ops": figures.logic_ops,
        "total_ops": figures.total_ops,
        "head_ops": figures.head_ops,
        "curve": [[line["step"], line["seconds"], round(line["validation"]["hard"], 4)] for line in lines],
    }


class without_test:  # noqa: N801 - a context manager, read as words
    """Within it, data sets come with their validation samples in the place of the test samples, which stay unread."""

    def __enter__(self) -> None:
        self._load = gatewright.data.load_dataset

        def load(*args: Any, **options: Any) -> Dataset:
            dataset = self._load(*args, **options)
            return dataclasses.replace(dataset, test=dataset.validation)

        gatewright.data.load_dataset = load

    def __exit__(self, *exception: object) -> None:
        gatewright.data.load_dataset = self._load


def summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean and sample deviation of the accuracy, mean of the loss, medians for the rest."""
    values = [run["validation"] for run in runs]
    return {
        "mean": round(statistics.mean(values), 4),
        "deviation": round(statistics.stdev(values), 4) if len(values) > 1 else None,
        **{
            key: statistics.median(run[key] for run in runs)
            for key in ("seconds", "logic_ops", "total_ops", "head_ops")
            if key in runs[0]
        },
        **(
            {"loss": round(statistics.mean(run["loss"] for run in runs), 4)}
            if all("loss" in run for run in runs)
            else {}
        ),
    }
