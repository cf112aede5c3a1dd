"""Command eval: a circuit on a data set."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewright.cli.circuits import CircuitFile, read_circuit
from gatewright.cli.output import JsonFlag, emit_json, percent, show_pairs, show_rows
from gatewright.cli.train import DataFlag, TargetFlag, figure_text
from gatewright.errors import DataError, OptionError, ShapeError, UnsupportedError

if TYPE_CHECKING:
    from gatewright.circuit import Circuit
    from gatewright.data import Dataset
    from gatewright.runs.confusion import Confusion

MOST_CONFUSIONS = 12
"""Confusions that a narrow terminal lists, where it has no room for the matrix."""


def evaluate(
    file: CircuitFile,
    dataset: Annotated[
        str, typer.Option(help="Data set (`gatewright data` lists them), a table, or a folder of images per class.")
    ],
    split: Annotated[str | None, typer.Option(help="train, validation or test (default).")] = None,
    target: TargetFlag = None,
    data: DataFlag = None,
    json: JsonFlag = False,
) -> None:
    """Evaluate a circuit on a data set.

    Shows accuracy, figures per class, and speed; of numbers, R^2 and errors.
    """
    from gatewright.engine import Engine
    from gatewright.runs.confusion import Confusion
    from gatewright.runs.fit import Fit

    circuit = read_circuit(file)
    loaded, split = data_for(circuit, dataset, split, target, data, quiet=json)
    samples = loaded.split(split)
    check_fits(circuit, loaded, file)
    if not len(samples):
        raise DataError(f"the {split} split of {dataset} is empty")
    engine = Engine(circuit)
    engine.predict(samples.x[:64])  # compiles the kernels, so that the clock does not count it
    begin = time.perf_counter()
    predicted = engine.predict(samples.x)
    seconds = time.perf_counter() - begin
    about: dict[str, Any] = {"file": str(file), "dataset": dataset, "split": split, "samples": len(samples)}
    speed = len(samples) / seconds
    if loaded.numbers:
        fit = Fit(samples.y, predicted)
        if json:
            emit_json({**about, **fit.figures(), "samples_per_second": speed})
            return
        errors = {"root mean squared error": fit.rmse, "mean absolute error": fit.mae}
        show_pairs({**about, "R^2": figure_text("R^2", fit.r2), **errors, "samples per second": speed})
        return
    confusion = Confusion.of(samples.y, predicted, len(loaded.class_names))
    classes = confusion.by_class(loaded.class_names)
    if json:
        emit_json(
            {
                **about,
                "correct": confusion.correct,
                "accuracy": confusion.accuracy,
                **({"mean_iou": confusion.mean_iou} if loaded.label_shape else {}),
                "classes": classes,
                "confusion": confusion.counts.tolist(),
                "samples_per_second": speed,
            }
        )
        return
    about["accuracy"] = f"{percent(confusion.accuracy)} ({confusion.correct:,} of {confusion.total:,})"
    if loaded.label_shape:
        about["mean IoU"] = percent(confusion.mean_iou)
    show_pairs({**about, "samples per second": speed})
    _show_classes(classes, confusion)


def _show_classes(classes: Mapping[str, Mapping[str, int | float | None]], confusion: Confusion) -> None:
    """Show the figures of each class, and how its samples were classified."""
    import numpy as np

    def share(value: float | None) -> str:
        return "-" if value is None else percent(value)

    figures = ("sensitivity", "precision", "f1")
    show_rows(
        ["class", "samples", "sensitivity", "precision", "F1"],
        [(name, c["samples"], *(share(c[figure]) for figure in figures)) for name, c in classes.items()],
    )
    rows = [(name, *row) for name, row in zip(classes, confusion.counts.tolist(), strict=True)]
    if show_rows(["class", *(f"as {name}" for name in classes)], rows, whole=True):
        return
    names = list(classes)
    wrong = [(int(n), i, j) for (i, j), n in np.ndenumerate(confusion.counts) if i != j and n]
    most = sorted(wrong, key=lambda each: -each[0])[:MOST_CONFUSIONS]
    show_rows(
        ["class", "taken for", "samples"],
        [(names[i], names[j], n) for n, i, j in most],
        title=f"The {len(most)} most frequent of {len(wrong)} confusions (all: --json, or a wider terminal)",
    )


def data_for(
    circuit: Circuit, dataset: str, split: str | None, target: str | None, root: Path | None, *, quiet: bool
) -> tuple[Dataset, str]:
    """What a circuit is evaluated on, and which part of it: a data set that is known, or all of a table or folder."""
    from gatewright.data import load_dataset
    from gatewright.data.catalogue import names
    from gatewright.runs.own import is_own, own_dataset

    if dataset in names() or not is_own(Path(dataset)):
        if target:
            raise OptionError(
                f"--target is of tables, but {dataset} is a data set with labels of its own; leave it out"
            )
        return load_dataset(dataset, root, progress=not quiet), split or "test"
    if split is not None:
        raise OptionError(f"--split is of data sets, but {dataset} is evaluated as a whole; leave it out")
    return own_dataset(circuit, Path(dataset), target or ""), "test"


def check_fits(circuit: Circuit, dataset: Dataset, file: Path) -> None:
    """Refuse a circuit that takes other samples than a data set has, or gives other classes, or a number for classes."""
    encoder, head = circuit.encoder, circuit.head
    if encoder is None or head is None:
        raise UnsupportedError(
            f"{file} has no {'encoder' if encoder is None else 'head'}, so it decides nothing about samples"
        )
    if bool(head.number) != dataset.numbers:
        given, wanted = ("a number", "classes") if head.number else ("a class", "numbers")
        raise UnsupportedError(f"{file} gives {given}, but the labels of {dataset.name} are {wanted}")
    if (encoder.shape, encoder.dtype) != (dataset.shape, dataset.dtype):
        raise ShapeError(
            f"{file} takes {encoder.dtype} samples of shape {encoder.shape}, but {dataset.name} has {dataset.dtype} "
            f"samples of shape {dataset.shape}"
        )
    if head.places != dataset.label_shape:
        raise ShapeError(
            f"{file} decides at places of shape {head.places}, but the labels of {dataset.name} have shape "
            f"{dataset.label_shape} (() means one class per sample)"
        )
    if head.n_classes != dataset.n_outputs:
        raise DataError(f"{file} has {head.n_classes} classes, but {dataset.name} has {dataset.n_classes}")
