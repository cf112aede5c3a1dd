"""What the page shows of the data that a circuit learned from: samples, typical values, how drawings lie, the licence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit, Encoder
from gatewright.columns import Column
from gatewright.data.catalogue import describe, load_dataset, missing, names
from gatewright.data.dataset import Dataset, DatasetInfo
from gatewright.errors import ShapeError, UnsupportedError
from gatewright.formats.html.frame import FRAMES, Frame, measure

NOTED, NONE = "noted", "none"
"""Names that stand for the data set noted in the circuit, if it is at hand, and for none."""

PER_CLASS, MOST = 2, 20
"""Samples of each class on the page, and of all."""


@dataclass(frozen=True)
class Known:
    """What is known of the data.

    Attributes:
        kind: "image", "table", "signal", or empty.
        frame: Size and place of what is drawn, or None.
        samples: Of the test split [n, *shape], or None.
        labels: Their classes.
        typical: A typical sample of a table [features], or None.
        about: Rows for people: what is said, and its name.
    """

    kind: str = ""
    frame: Frame | None = None
    samples: npt.NDArray[Any] | None = None
    labels: Sequence[str] = ()
    typical: npt.NDArray[Any] | None = None
    about: Mapping[str, str] = field(default_factory=dict)


def known(circuit: Circuit, data: str) -> Known:
    """What is known of a circuit's data.

    Args:
        circuit: Any circuit.
        data: Name of a data set, `NOTED` or `NONE`. A named one is fetched if it is missing.

    Raises:
        OptionError: There is no such data set.
        ShapeError: Its samples are not the circuit's.
        UnsupportedError: The circuit has no encoder.
    """
    name = circuit.metadata.get("data", "") if data == NOTED else data
    if name == NONE or (data == NOTED and name not in names()):
        return Known()
    info, encoder = describe(name), circuit.encoder
    if encoder is None or (encoder.shape, encoder.dtype) != (info.shape, info.dtype):
        if data == NOTED:
            return Known()
        if encoder is None:
            raise UnsupportedError(f"the circuit has no encoder, so samples of {name} do not fit it")
        raise ShapeError(
            f"the circuit takes {encoder.dtype} samples of shape {encoder.shape}, but {name} has {info.dtype} samples of "
            f"shape {info.shape}"
        )
    about = {
        "data": f"{info.name}: {info.title}",
        "source of the data": info.source,
        "licence of the data": info.licence,
    }
    if data == NOTED and missing(name):
        return Known(info.kind, FRAMES.get(name), about=about)
    return _seen(info, load_dataset(name), about)


def _seen(info: DatasetInfo, dataset: Dataset, about: Mapping[str, str]) -> Known:
    test, chosen = dataset.test, []
    if test.y.ndim == 1:
        by_class = [np.flatnonzero(test.y == k)[:PER_CLASS].tolist() for k in range(dataset.n_classes)]
        chosen = [i for place in range(PER_CLASS) for of_class in by_class for i in of_class[place : place + 1]][:MOST]
    return Known(
        info.kind,
        measure(dataset.train.x) if info.kind == "image" else None,
        test.x[chosen] if chosen else None,
        [dataset.class_names[test.y[i]] for i in chosen],
        _typical(dataset) if info.kind == "table" else None,
        about,
    )


def fields_of(feature_names: Sequence[str], binary: npt.NDArray[np.bool_]) -> list[tuple[str, list[int]]]:
    """Features as fields of a form: a column `name=value`, `name=other` ... is one field, as is every other feature.

    >>> fields_of(["age", "sex=f", "sex=m"], np.array([False, True, True]))
    [('', [0]), ('sex', [1, 2])]

    Args:
        feature_names: One per feature.
        binary: bool [features], which of them are only ever 0 or 1; only these are values of a column.
    """

    def column(item: tuple[int, str]) -> str:
        before, equals, _ = item[1].partition("=")
        return before if equals and binary[item[0]] else ""

    fields: list[tuple[str, list[int]]] = []
    for name, items in groupby(enumerate(feature_names), column):
        indices = [i for i, _ in items]
        fields += [(name, indices)] if name and len(indices) > 1 else [("", [i]) for i in indices]
    return fields


def fields_of_columns(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Columns of a table as fields of a form: a category is one with its texts, every other feature is one.

    >>> fields_of_columns([Column("age", "integer", missing=True), Column("size", "category", ("s", "l"))])[1:]
    [{'column': '', 'indices': [1]}, {'column': 'size', 'indices': [2], 'choices': ['s', 'l']}]
    """
    fields: list[dict[str, Any]] = []
    first = 0
    for column in columns:
        if column.kind == "category":
            fields.append({"column": column.name, "indices": [first], "choices": list(column.categories)})
        else:
            fields += [{"column": "", "indices": [first + i]} for i in range(column.n_features)]
        first += column.n_features
    return fields


def _typical(dataset: Dataset) -> npt.NDArray[Any]:
    """The median of each number, and the most frequent value of each category."""
    x = dataset.train.x.reshape(len(dataset.train), -1)
    values = np.median(x, axis=0)
    for name, indices in fields_of(dataset.feature_names, dataset.binary_features):
        if name:
            values[indices] = 0
            values[indices[int(x[:, indices].sum(axis=0).argmax())]] = 1
    typical: npt.NDArray[Any] = values.astype(x.dtype)
    return typical


def binary_features(encoder: Encoder) -> npt.NDArray[np.bool_]:
    """Which features are compared with nothing but 0 to 1 (exclusive to inclusive): bool [features]."""
    binary = np.ones(encoder.n_features, np.bool_)
    binary[encoder.feature[(encoder.threshold <= 0) | (encoder.threshold > 1)]] = False
    return binary


def between(encoder: Encoder) -> npt.NDArray[Any]:
    """A sample in the middle of what the circuit compares with: each number's median threshold; 0 without thresholds.

    Returns:
        Numbers [features] of the encoder's type; all 0 in columns of categories, and of features that are a bit each.
    """
    values = np.zeros(encoder.n_features, np.float64)
    for name, indices in fields_of(encoder.feature_names or [""] * encoder.n_features, binary_features(encoder)):
        if not name and not (encoder.types and encoder.types[indices[0]] == "bool"):
            thresholds = np.sort(encoder.threshold[encoder.feature == indices[0]])
            values[indices[0]] = thresholds[len(thresholds) // 2] if len(thresholds) else 0
    return values.astype(encoder.dtype)
