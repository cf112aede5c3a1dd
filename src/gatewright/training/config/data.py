"""The section `data`: what is learned from, as which bits, changed how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from gatewright import data
from gatewright.data import Dataset, Split
from gatewright.data.tables import read_table
from gatewright.errors import OptionError
from gatewright.runtime.schema import Section
from gatewright.training.config.values import Count, CountOrNone, Finite, Seed, Share

if TYPE_CHECKING:
    import torch

    from gatewright.nn.thermometer import Thermometer
    from gatewright.training.processes import Ranks


class EncoderOptions(Section):
    """How raw features become bits.

    Attributes:
        kind: `uniform` spreads the thresholds evenly over the feature's range, `quantile` over its training values.
        thresholds: Bits per feature (per channel for images).
        low: Lower end of the range of `uniform`; null for that of the features' type (0 for float32).
        high: Upper end of the range of `uniform`; null for that of the features' type (1 for float32).
    """

    kind: Literal["uniform", "quantile"] = "uniform"
    thresholds: Count = 1
    low: Finite | None = None
    high: Finite | None = None

    def build(self, dataset: Dataset) -> Thermometer:
        """The encoder, with quantile thresholds from the training split only.

        Raises:
            OptionError: The thresholds are uniform, but the features of the table have no common range.
        """
        from gatewright.nn.thermometer import Thermometer

        if dataset.types:
            if self.kind != "quantile":
                raise OptionError(
                    f"data.encoder.kind is {self.kind}, but the columns of {dataset.name} differ in range; use quantile"
                )
            return _of_table(dataset, self.thresholds)
        binary = dataset.binary_features if dataset.binary_features.any() else None
        if self.kind == "quantile":
            return Thermometer.quantile(self.thresholds, dataset.train.x, binary=binary)
        return Thermometer.uniform(
            self.thresholds, dataset.shape, dataset.dtype, low=self.low, high=self.high, binary=binary
        )


def _of_table(dataset: Dataset, thresholds: int) -> Thermometer:
    from gatewright.nn.quantiles import table_thresholds
    from gatewright.nn.thermometer import Thermometer

    codes = [each for c in dataset.columns for each in [c.kind == "category", False][: c.n_features]]
    is_code = np.array(codes, np.bool_) if codes else None
    lists = table_thresholds(thresholds, dataset.train.x, dataset.types, categories=is_code)
    return Thermometer(lists, dataset.shape, dataset.dtype, types=dataset.types)


class AugmentOptions(Section):
    """Random changes of the training images, before they are encoded: the options of `gatewright.data.Augment`."""

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    scale: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    bend: Annotated[float, Field(ge=0, le=16)] = 0.0
    shift: CountOrNone = 0
    flip: bool = False
    crop: CountOrNone = 0
    brightness: Share = 0.0
    contrast: Share = 0.0

    def build(
        self, dataset: Dataset, generator: torch.Generator, processes: Ranks
    ) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """What changes this process's training images, or None.

        Raises:
            OptionError: The samples are no images, or their pixels have labels.
        """
        if self == AugmentOptions():
            return None
        if len(dataset.shape) != 3:
            raise OptionError(
                f"data.augment changes images, but the samples of {dataset.name} have shape {dataset.shape}"
            )
        if dataset.label_shape:
            raise OptionError(
                f"data.augment would move the pixels of {dataset.name} away from their labels; leave it out"
            )
        augment = data.Augment(**self.model_dump())
        return lambda images: augment(images, generator, rank=processes.rank, size=processes.size)


class SplitOptions(Section):
    """How rows or images of your own are split.

    Attributes:
        by: A column that says `train`, `validation` or `test`; empty to draw the parts.
        groups: A column whose equal values stay in one part; empty if rows are independent.
        validation: Share that choices are made on.
        test: Share that is read once, at the end.
        seed: Of the draw.
    """

    by: str = ""
    groups: str = ""
    validation: Share = 0.1
    test: Share = 0.2
    seed: Seed = 0


class DataOptions(Section):
    """What is learned: a data set that is known, or a file or folder of your own.

    Attributes:
        name: A data set known to `gatewright data`.
        path: Of your own: a table (CSV, Parquet or Arrow), or a folder with a folder of images per class.
        target: Of a table: the column of the labels.
        predict: Of a table: whether its labels are classes (`class`) or numbers (`number`).
        drop: Of a table: columns to leave out.
        size: Of images: height and width to scale to; null if all have one size.
        colour: Of images: `grey` or `rgb`; null for what the first one is.
        split: Of your own: what is validation and test.
        encoder: Features to bits.
        augment: Random changes of the training images.
        validation: `holdout` chooses on the data set's validation split and learns from the rest; `none` learns from
            both and keeps the last weights, as nothing is left to choose on.
    """

    name: str = ""
    path: str = ""
    target: str = ""
    predict: Literal["class", "number"] = "class"
    drop: list[str] = []  # noqa: RUF012 - pydantic copies it
    size: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    colour: Literal["grey", "rgb"] | None = None
    split: SplitOptions = SplitOptions()
    encoder: EncoderOptions = EncoderOptions()
    augment: AugmentOptions = AugmentOptions()
    validation: Literal["holdout", "none"] = "holdout"

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.name) == bool(self.path):
            both = f"both, {self.name!r} and {self.path!r}" if self.name else "neither"
            raise ValueError(f"needs the name of a data set or the path of your own, got {both}")
        return self

    @property
    def title(self) -> str:
        """What to call the data set."""
        return self.name or Path(self.path).resolve().name.partition(".")[0]

    def read(self, root: Path | None, *, progress: bool) -> Dataset:
        """The data set in its three parts.

        Raises:
            OptionError: A table without a target, or images with one.
        """
        if self.name:
            if self.predict != "class":
                raise OptionError(f"data.predict is {self.predict}, but the labels of {self.name} are classes")
            return data.load_dataset(self.name, root, progress=progress)
        split = self.split
        shares = data.Shares(split.validation, split.test, split.seed)
        path = Path(self.path)
        if path.is_dir():
            if self.target or self.drop or split.by or split.groups or self.predict != "class":
                raise OptionError(f"{path} is a folder of images: data.target, columns and numbers are of tables")
            return Dataset.from_folder(path, name=self.title, size=self.size, colour=self.colour, shares=shares)
        if not self.target:
            raise OptionError(f"{path} is a table: data.target (--target) must name the column of the labels")
        return Dataset.from_frame(
            read_table(path),
            self.target,
            name=self.title,
            drop=self.drop,
            split=split.by,
            groups=split.groups,
            shares=shares,
            numbers=self.predict == "number",
        )

    def load(self, root: Path | None, *, progress: bool) -> Dataset:
        """The data set; with `validation: none`, that split's samples are training samples."""
        return self.arranged(self.read(root, progress=progress))

    def arranged(self, dataset: Dataset) -> Dataset:
        """A data set as `validation` says."""
        if self.validation == "holdout":
            return dataset
        parts = dataset.train, dataset.validation
        joined = Split(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))
        return replace(dataset, train=joined, validation=Split(joined.x[:0], joined.y[:0]))
