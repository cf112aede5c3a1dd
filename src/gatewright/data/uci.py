"""Tables of the UCI repository: Adult, Breast Cancer (Ljubljana) and the three MONK's problems.

A number stays a number, a bin (`30-39`) becomes its lower bound, and a category becomes one 0/1 feature per value it
has in the training file, in alphabetical order, a missing value (`?`) among them. A value that only the test file has
leaves all of them 0. Each feature has the narrowest type that holds its values in the training file, as the columns of own
tables have; that changes no value of an array, but what a circuit reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gatewright.data.dataset import Dataset, DatasetInfo, Reader, Split
from gatewright.data.known_files import read
from gatewright.errors import DataError
from gatewright.features import narrowest_type

Kind = Literal["number", "bin", "category", "label", "ignored"]
Texts = npt.NDArray[np.str_]
Masks = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]


@dataclass(frozen=True)
class _Layout:
    """How the rows of a file read.

    Attributes:
        columns: Name and kind of every column, in order.
        labels: The class index of every label.
        separator: What stands between values; None for any white space.
    """

    columns: Mapping[str, Kind]
    labels: Mapping[str, int]
    separator: str | None = ","

    def parse(self, data: bytes, where: str) -> Texts:
        """Return the values as text [rows, columns]; blank lines and lines that begin with `|` are comments."""
        rows = [
            [value.strip() for value in line.split(self.separator)]
            for line in data.decode("ascii").splitlines()
            if line.strip() and not line.startswith("|")
        ]
        for number, row in enumerate(rows, 1):
            if len(row) != len(self.columns):
                raise DataError(f"{where}, row {number}: {len(row)} values, expected {len(self.columns)}")
        return np.array(rows)

    def targets(self, table: Texts, where: str) -> npt.NDArray[np.int64]:
        """Return the class indices, int64 [rows]. Adult's test labels end with a full stop, which means nothing."""
        at = list(self.columns.values()).index("label")
        labels = [str(text).rstrip(".") for text in table[:, at]]
        for number, label in enumerate(labels, 1):
            if label not in self.labels:
                raise DataError(f"{where}, row {number}: label {label!r}, expected one of {list(self.labels)}")
        return np.array([self.labels[label] for label in labels], np.int64)

    def features(self, table: Texts, train: Texts, dtype: str, where: str) -> npt.NDArray[Any]:
        """Return the features [rows, features], with the categories of the training file."""
        parts: list[npt.NDArray[Any]] = []
        for i, (name, kind) in enumerate(self.columns.items()):
            if kind in {"number", "bin"}:
                texts = [str(text).partition("-")[0] if kind == "bin" else str(text) for text in table[:, i]]
                try:
                    parts.append(np.array([int(text) for text in texts])[:, None])
                except ValueError as error:
                    raise DataError(f"{where}, column {name}: {error}") from error
            elif kind == "category":
                place = {str(value): at for at, value in enumerate(np.unique(train[:, i]))}
                # A value that is not in the training file gets the row of zeros after the identity's.
                rows = np.eye(len(place) + 1, len(place), dtype=np.int64)
                parts.append(rows[[place.get(str(text), -1) for text in table[:, i]]])
        return np.concatenate(parts, axis=1).astype(dtype)

    def names(self, train: Texts) -> tuple[tuple[str, ...], npt.NDArray[np.bool_]]:
        """Return the features' names, and which of them are only ever 0 or 1."""
        names: list[str] = []
        binary: list[bool] = []
        for i, (name, kind) in enumerate(self.columns.items()):
            made = [f"{name}={value}" for value in np.unique(train[:, i])] if kind == "category" else [name]
            if kind not in {"label", "ignored"}:
                names += made
                binary += [kind == "category"] * len(made)
        return tuple(names), np.array(binary)


def _read(info: DatasetInfo, root: Path, layout: _Layout, masks: Callable[[int], Masks]) -> Dataset:
    """Read the first file as training data, split by `masks`, and the second one, if there is one, as test data."""
    tables = [layout.parse(data, path) for path, data in read(root, info.files).items()]
    files = [
        Split(layout.features(table, tables[0], info.dtype, where), layout.targets(table, where))
        for table, where in zip(tables, info.files, strict=True)
    ]
    train, validation, test = (Split(files[0].x[mask], files[0].y[mask]) for mask in masks(len(files[0])))
    names, binary = layout.names(tables[0])
    test = files[1] if len(files) > 1 else test
    low, high = files[0].x.min(axis=0).tolist(), files[0].x.max(axis=0).tolist()
    types = tuple(map(narrowest_type, low, high))
    return info.dataset(train, validation, test, feature_names=names, binary_features=binary, types=types)


def _every(n: int, stride: int, *, validation: int, test: int | None = None) -> Masks:
    """Train, validation and test rows, the last two by their index modulo the stride, train what is left."""
    at = np.arange(n) % stride
    masks = at == validation, at == (-1 if test is None else test)
    return ~(masks[0] | masks[1]), *masks


def _categories(names: Sequence[str]) -> dict[str, Kind]:
    return dict.fromkeys(names, "category")


_ADULT = _Layout(
    {
        "age": "number",
        "workclass": "category",
        "fnlwgt": "number",
        "education": "category",
        "education-num": "number",
        **_categories(("marital-status", "occupation", "relationship", "race", "sex")),
        "capital-gain": "number",
        "capital-loss": "number",
        "hours-per-week": "number",
        "native-country": "category",
        "income": "label",
    },
    {"<=50K": 0, ">50K": 1},
)
_BREAST_CANCER = _Layout(
    {
        "class": "label",
        "age": "bin",
        "menopause": "category",
        "tumor-size": "bin",
        "inv-nodes": "bin",
        "node-caps": "category",
        "deg-malig": "number",
        **_categories(("breast", "breast-quad", "irradiat")),
    },
    {"no-recurrence-events": 0, "recurrence-events": 1},
)
_MONKS = _Layout(
    {"class": "label", **_categories([f"a{i}" for i in range(1, 7)]), "id": "ignored"}, {"0": 0, "1": 1}, separator=None
)


def _reader(layout: _Layout, masks: Callable[[int], Masks], **about: Any) -> Reader:
    info = DatasetInfo(kind="table", class_names=tuple(layout.labels), licence="CC BY 4.0", **about)
    return Reader(info, partial(_read, layout=layout, masks=masks))


def _monks(problem: int, rule: str, train: int, validation: int) -> Reader:
    return _reader(
        _MONKS,
        partial(_every, stride=5, validation=4),
        name=f"monks-{problem}",
        title=f"robots by rule: {rule}",
        shape=(17,),
        dtype="uint8",
        train=train,
        validation=validation,
        test=432,
        split="upstream's train and test (all 432 possible rows); validation is every fifth train row, from row 4",
        source="https://archive.ics.uci.edu/dataset/70",
        citation="Thrun et al.: The MONK's Problems, CMU-CS-91-197, 1991; Wnek: MONK's Problems, UCI, doi:10.24432/C5R30R",
        files=(f"UCI/monks-{problem}.train", f"UCI/monks-{problem}.test"),
    )


READERS = (
    _reader(
        _ADULT,
        partial(_every, stride=10, validation=9),
        name="adult",
        title="does a person earn more than 50,000 dollars a year",
        shape=(108,),
        dtype="int32",
        train=29_305,
        validation=3_256,
        test=16_281,
        split="upstream's train and test; validation is every tenth row of train, from row 9",
        source="https://archive.ics.uci.edu/dataset/2",
        citation="Becker, Kohavi: Adult, UCI, 1996, doi:10.24432/C5XW20",
        files=("UCI/adult.data", "UCI/adult.test"),
    ),
    _reader(
        _BREAST_CANCER,
        partial(_every, stride=5, validation=3, test=4),
        name="breast-cancer",
        title="does breast cancer come back (Ljubljana)",
        shape=(20,),
        dtype="uint8",
        train=172,
        validation=57,
        test=57,
        split="upstream has one file: of every five rows, the fourth is validation and the fifth is test",
        source="https://archive.ics.uci.edu/dataset/14",
        citation="Zwitter, Soklic: Breast Cancer, UCI, 1988, doi:10.24432/C51P4M",
        files=("UCI/breast-cancer.data",),
    ),
    _monks(1, "a1 = a2, or a5 = 1", 100, 24),
    _monks(2, "exactly two of the six attributes are 1", 136, 33),
    _monks(3, "a5 = 3 and a4 = 1, or a5 != 4 and a2 != 3; 5 % of the training labels are wrong", 98, 24),
)
