"""`Dataset`, its three parts and its description."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from gatewright.columns import Column
from gatewright.data.folders import class_folders, image_files, read_images
from gatewright.data.splitting import Shares, split_rows
from gatewright.data.tables import classes_of, table_of
from gatewright.errors import DataError, DtypeError, ShapeError, unknown_name
from gatewright.features import FEATURE_DTYPES, WIDE

SPLITS = ("train", "validation", "test")
"""The parts of every data set."""


@dataclass(frozen=True, eq=False)
class Split:
    """Samples with their labels.

    Attributes:
        x: Raw features [n, *shape], C-contiguous.
        y: int64 [n], class indices; int64 [n, height, width] where every pixel has its own; float64 [n], numbers, or
            float32 [n], as `gatewright.data.numbers.Scale` gives them to networks.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[Any]

    def __post_init__(self) -> None:
        kinds = {(1, "int64"), (3, "int64"), (1, "float32"), (1, "float64")}
        if (self.y.ndim, self.y.dtype.name) not in kinds:
            raise DtypeError(
                "labels must be int64 [n] or [n, height, width], or float64 [n] for numbers, got "
                f"{self.y.dtype} {list(self.y.shape)}"
            )
        if self.x.ndim < 2 or len(self.x) != len(self.y):
            raise ShapeError(f"{len(self.y)} labels need features [{len(self.y)}, ...], got {list(self.x.shape)}")
        object.__setattr__(self, "x", np.ascontiguousarray(self.x))

    def __len__(self) -> int:
        return len(self.y)


class _Sizes:
    """Sizes that follow from the shape of a sample and the names of the classes."""

    shape: tuple[int, ...]
    class_names: tuple[str, ...]

    @property
    def n_features(self) -> int:
        """Number of raw features of one sample."""
        return int(np.prod(self.shape))

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)


@dataclass(frozen=True, eq=False)
class Dataset(_Sizes):
    """A data set: three parts, and what its features and classes mean.

    Attributes:
        name: Its name.
        train: Samples that weights are learned from.
        validation: Samples that every choice is made on (checkpoint, temperature, hyper-parameters).
        test: Samples that are read once, at the end.
        shape: Shape of one sample: (C, H, W) for images, (features,) for tables and signals.
        dtype: NumPy name of the features' type: bool, uint8, int16, int32 or float32.
        class_names: One name per class; none where every sample has a number.
        feature_names: One name per feature, or empty for images.
        source: Where it comes from (URL).
        licence: Its licence, as upstream states it.
        citation: The work to cite.
        binary_features: bool [features], the features that are always 0 or 1 (categories, one-hot); the single threshold
            1 encodes them without loss. Empty if no feature is, as by default.
        types: Type of each feature of a table, the narrowest that holds its training values; empty if all are of `dtype`,
            which may be float64 otherwise. See `gatewright.circuit.Encoder`.
        columns: The columns of the table that the features are made from, or empty.

    Raises:
        GatewrightError: The parts do not fit the shape, type or classes.

    >>> x, y = np.array([[3, 7], [9, 1], [4, 4]], np.uint8), np.array([1, 0, 0])
    >>> part = Split(x, y)
    >>> Dataset("mine", part, part, part, shape=(2,), dtype="uint8", class_names=("no", "yes"))
    Dataset(mine: uint8 (2,), 2 classes, 3 train, 3 validation, 3 test)
    """

    name: str
    train: Split
    validation: Split
    test: Split
    shape: tuple[int, ...]
    dtype: str
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    citation: str = ""
    binary_features: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    types: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        target: str,
        *,
        name: str = "table",
        drop: Sequence[str] = (),
        split: str = "",
        groups: str = "",
        shares: Shares = Shares(),  # noqa: B008 - immutable
        numbers: bool = False,
    ) -> Self:
        """A data set from a data frame of pandas, its columns as they are.

        Whole numbers, floats, Booleans, texts and missing values are what they are; see `gatewright.columns`.

        Args:
            frame: The table.
            target: The column of the labels.
            name: What to call the data set.
            drop: Columns to leave out.
            split: A column that says `train`, `validation` or `test`; empty to draw the parts.
            groups: A column whose equal values stay in one part; empty if rows are independent.
            shares: How much is validation and test, and the seed that draws them, each class in its share.
            numbers: Whether the labels are numbers to predict, and no classes.

        Raises:
            OptionError: There is no such column.
            DataError: A label is missing, or a column cannot be learned from; the message names it.

        Example:
            >>> import pandas as pd
            >>> from gatewright.data import Dataset
            >>> frame = pd.DataFrame({"size": ["s", "l"] * 50, "price": range(100), "good": [0, 1] * 50})
            >>> Dataset.from_frame(frame, "good")
            Dataset(table: uint8 (2,), 2 classes, 70 train, 10 validation, 20 test)
        """
        table = table_of(frame, target, shares, drop=drop, split=split, groups=groups, numbers=numbers)
        train, validation, test = (Split(table.x[rows], table.y[rows]) for rows in table.parts)
        return cls(
            name,
            train,
            validation,
            test,
            shape=table.x.shape[1:],
            dtype=table.x.dtype.name,
            class_names=table.class_names,
            feature_names=tuple(each for column in table.columns for each in column.feature_names),
            types=table.types,
            columns=table.columns,
        )

    @classmethod
    def from_arrays(
        cls,
        x: npt.NDArray[Any],
        y: Any,
        *,
        name: str = "arrays",
        class_names: Sequence[str] = (),
        groups: Sequence[Any] | None = None,
        shares: Shares = Shares(),  # noqa: B008 - immutable
    ) -> Self:
        """A data set from arrays of one type, for example images.

        Args:
            x: Samples [n, *shape] of one of `gatewright.features.FEATURE_DTYPES`.
            y: Labels of any kind [n].
            name: What to call the data set.
            class_names: Names of the classes, in the order of the labels; empty for the labels themselves.
            groups: Something for each sample [n]; those with the same stay in one part. None if they are independent.
            shares: How much is validation and test, and the seed that draws them, each class in its share.

        Raises:
            GatewrightError: The arrays do not fit each other.

        Example:
            >>> from gatewright.data import Dataset
            >>> Dataset.from_arrays(np.zeros((100, 1, 4, 4), np.uint8), ["cat", "dog"] * 50)
            Dataset(arrays: uint8 (1, 4, 4), 2 classes, 70 train, 10 validation, 20 test)
        """
        labels, names = classes_of(y, "y")
        if len(labels) != len(x):
            raise ShapeError(f"{len(labels)} labels need samples [{len(labels)}, ...], got {list(np.shape(x))}")
        if class_names and len(class_names) != len(names):
            raise ShapeError(f"{len(class_names)} class names for {len(names)} classes")
        parts = split_rows(labels, shares, groups)
        train, validation, test = (Split(x[rows], labels[rows]) for rows in parts)
        names = tuple(class_names) or names
        return cls(name, train, validation, test, shape=x.shape[1:], dtype=x.dtype.name, class_names=names)

    @classmethod
    def from_folder(
        cls,
        path: str | Path,
        *,
        name: str = "",
        size: Sequence[int] | None = None,
        colour: str | None = None,
        shares: Shares = Shares(),  # noqa: B008 - immutable
    ) -> Self:
        """A data set from a folder that has a folder of PNG or JPEG images for each class.

        Args:
            path: The folder; its folders' names are the classes.
            name: What to call the data set; empty for the folder's name.
            size: Height and width to scale images to; None if all have one size.
            colour: `grey` or `rgb`; None for what the first image is.
            shares: How much is validation and test, and the seed that draws them, each class in its share.

        Raises:
            GatewrightError: The folder has no classes, a file is no image, or images differ in size.
        """
        folders = class_folders(Path(path))
        files = [image_files(folder) for folder in folders]
        x = read_images([file for each in files for file in each], size, colour)
        y = np.repeat([folder.name for folder in folders], [len(each) for each in files])
        return cls.from_arrays(x, y, name=name or Path(path).resolve().name, shares=shares)

    def __post_init__(self) -> None:
        if not self.binary_features.size:
            object.__setattr__(self, "binary_features", np.zeros(self.n_features, np.bool_))
        if self.dtype not in FEATURE_DTYPES and not (self.types and self.dtype == WIDE):
            raise DtypeError(f"{self.name}: dtype is {self.dtype!r}, expected one of {FEATURE_DTYPES}")
        if self.feature_names and len(self.feature_names) != self.n_features:
            raise ShapeError(f"{self.name}: {len(self.feature_names)} feature names for {self.n_features} features")
        if len(self.types) not in {0, self.n_features}:
            raise ShapeError(f"{self.name}: {len(self.types)} feature types for {self.n_features} features")
        if self.binary_features.shape != (self.n_features,):
            raise ShapeError(f"{self.name}: binary_features must be bool [{self.n_features}]")
        for part in SPLITS:
            self._check(part, self.split(part))

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(self.split(part)):,} {part}" for part in SPLITS)
        learned = "numbers" if self.numbers else f"{self.n_classes} classes"
        return f"Dataset({self.name}: {self.dtype} {self.shape}, {learned}, {sizes})"

    def _check(self, part: str, split: Split) -> None:
        where = f"{self.name}, {part} part"
        if split.x.shape[1:] != self.shape:
            raise ShapeError(f"{where}: samples have shape {split.x.shape[1:]}, expected {self.shape}")
        if split.y.shape[1:] not in {(), self.shape[1:]}:
            raise ShapeError(
                f"{where}: labels have shape {split.y.shape[1:]}, expected {self.shape[1:]}, one per pixel"
            )
        if split.x.dtype != self.dtype:
            raise DtypeError(f"{where}: features are {split.x.dtype}, expected {self.dtype}")
        if split.y.dtype.kind != self.train.y.dtype.kind or self.numbers != (not self.class_names):
            raise DataError(f"{where}: labels are {split.y.dtype}; numbers have no class names, and classes have")
        if self.numbers:
            bad = ~np.isfinite(split.y)
            expected = "a finite number"
        else:
            bad = (split.y < 0) | (split.y >= self.n_classes)
            expected = f"0..{self.n_classes - 1}"
        if bad.any():
            at = int(np.argmax(bad.reshape(len(split), -1).any(axis=1)))
            label = split.y[at][bad[at]].flat[0] if split.y.ndim > 1 else split.y[at]
            raise DataError(f"{where}: label of sample {at} is {label}, expected {expected}")
        if split.x.dtype.kind == "f" and not np.isfinite(split.x).all():
            at = int(np.argmin(np.isfinite(split.x).reshape(len(split), -1).all(axis=1)))
            raise DataError(f"{where}: sample {at} contains NaN or infinity")

    @property
    def numbers(self) -> bool:
        """Whether every sample has a number, in the place of a class."""
        return self.train.y.dtype.kind == "f"

    @property
    def n_outputs(self) -> int:
        """Scores of a network for it: one per class, or one number."""
        return 1 if self.numbers else self.n_classes

    @property
    def label_shape(self) -> tuple[int, ...]:
        """Shape of one sample's labels: () for one class per sample, (height, width) for one per pixel."""
        return self.train.y.shape[1:]

    def split(self, name: str) -> Split:
        """Return one part.

        Args:
            name: "train", "validation" or "test".

        Raises:
            OptionError: There is no such part.
        """
        if name not in SPLITS:
            raise unknown_name("split", name, SPLITS)
        part: Split = getattr(self, name)
        return part


@dataclass(frozen=True)
class DatasetInfo(_Sizes):
    """Description of a data set, known without reading it; what is not listed here means what it does in `Dataset`.

    Attributes:
        title: One line for people.
        kind: "image", "table" or "signal".
        train: Number of training samples.
        validation: Number of validation samples.
        test: Number of test samples.
        split: How the parts are made.
        files: Files it needs, relative to the data root; empty if it comes with gatewright.
        label_shape: Shape of one sample's labels: () for one class per sample, (height, width) for one per pixel.
    """

    name: str
    title: str
    kind: Literal["image", "table", "signal"]
    shape: tuple[int, ...]
    dtype: str
    class_names: tuple[str, ...]
    train: int
    validation: int
    test: int
    split: str
    source: str
    licence: str
    citation: str
    files: tuple[str, ...] = ()
    label_shape: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON."""
        return {**asdict(self), "n_features": self.n_features, "n_classes": self.n_classes}

    def dataset(
        self,
        train: Split,
        validation: Split,
        test: Split,
        *,
        feature_names: tuple[str, ...] = (),
        binary_features: npt.NDArray[np.bool_] | None = None,
        types: tuple[str, ...] = (),
    ) -> Dataset:
        """Build the described data set from its parts."""
        shared = ("name", "shape", "dtype", "class_names", "source", "licence", "citation")
        return Dataset(
            **{name: getattr(self, name) for name in shared},
            train=train,
            validation=validation,
            test=test,
            feature_names=feature_names,
            binary_features=np.zeros(0, np.bool_) if binary_features is None else binary_features,
            types=types,
        )


@dataclass(frozen=True)
class Reader:
    """A data set gatewright can read: its description, and how to read it from a data root that has its files."""

    info: DatasetInfo
    read: Callable[[DatasetInfo, Path], Dataset]
