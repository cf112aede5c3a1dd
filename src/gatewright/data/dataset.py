"""`Dataset`, its three parts and its description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gatewright.errors import DataError, DtypeError, ShapeError, unknown_name
from gatewright.features import FEATURE_DTYPES

SPLITS = ("train", "validation", "test")
"""The parts of every data set."""


@dataclass(frozen=True, eq=False)
class Split:
    """Samples with their labels.

    Attributes:
        x: Raw features [n, *shape], C-contiguous.
        y: int64 [n], class indices; int64 [n, height, width] where every pixel has its own.
    """

    x: npt.NDArray[Any]
    y: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.y.ndim not in {1, 3} or self.y.dtype != np.int64:
            raise DtypeError(f"labels must be int64 [n] or [n, height, width], got {self.y.dtype} {list(self.y.shape)}")
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
        class_names: One name per class.
        feature_names: One name per feature, or empty for images.
        source: Where it comes from (URL).
        licence: Its licence, as upstream states it.
        citation: The work to cite.
        binary_features: bool [features], the features that are always 0 or 1 (categories, one-hot); the single threshold
            1 encodes them without loss. Empty if no feature is, as by default.

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

    def __post_init__(self) -> None:
        if not self.binary_features.size:
            object.__setattr__(self, "binary_features", np.zeros(self.n_features, np.bool_))
        if self.dtype not in FEATURE_DTYPES:
            raise DtypeError(f"{self.name}: dtype is {self.dtype!r}, expected one of {FEATURE_DTYPES}")
        if self.feature_names and len(self.feature_names) != self.n_features:
            raise ShapeError(f"{self.name}: {len(self.feature_names)} feature names for {self.n_features} features")
        if self.binary_features.shape != (self.n_features,):
            raise ShapeError(f"{self.name}: binary_features must be bool [{self.n_features}]")
        for part in SPLITS:
            self._check(part, self.split(part))

    def __repr__(self) -> str:
        sizes = ", ".join(f"{len(self.split(part)):,} {part}" for part in SPLITS)
        return f"Dataset({self.name}: {self.dtype} {self.shape}, {self.n_classes} classes, {sizes})"

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
        bad = (split.y < 0) | (split.y >= self.n_classes)
        if bad.any():
            at = int(np.argmax(bad.reshape(len(split), -1).any(axis=1)))
            label = split.y[at][bad[at]].flat[0] if split.y.ndim > 1 else split.y[at]
            raise DataError(f"{where}: label of sample {at} is {label}, expected 0..{self.n_classes - 1}")
        if split.x.dtype.kind == "f" and not np.isfinite(split.x).all():
            at = int(np.argmin(np.isfinite(split.x).reshape(len(split), -1).all(axis=1)))
            raise DataError(f"{where}: sample {at} contains NaN or infinity")

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
        )


@dataclass(frozen=True)
class Reader:
    """A data set gatewright can read: its description, and how to read it from a data root that has its files."""

    info: DatasetInfo
    read: Callable[[DatasetInfo, Path], Dataset]
