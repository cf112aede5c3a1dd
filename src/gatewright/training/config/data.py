"""The section `data`: what is learned from, as which bits, changed how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from gatewright import data
from gatewright.data import Dataset, Split
from gatewright.errors import OptionError
from gatewright.runtime.schema import Section
from gatewright.training.config.values import Count, CountOrNone, Finite, Share

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
        """The encoder, with quantile thresholds from the training split only."""
        from gatewright.nn.thermometer import Thermometer

        binary = dataset.binary_features if dataset.binary_features.any() else None
        if self.kind == "quantile":
            return Thermometer.quantile(self.thresholds, dataset.train.x, binary=binary)
        return Thermometer.uniform(
            self.thresholds, dataset.shape, dataset.dtype, low=self.low, high=self.high, binary=binary
        )


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


class DataOptions(Section):
    """What is learned.

    Attributes:
        name: A data set known to `gatewright data`.
        encoder: Features to bits.
        augment: Random changes of the training images.
        validation: `holdout` chooses on the data set's validation split and learns from the rest; `none` learns from
            both and keeps the last weights, as nothing is left to choose on.
    """

    name: str
    encoder: EncoderOptions = EncoderOptions()
    augment: AugmentOptions = AugmentOptions()
    validation: Literal["holdout", "none"] = "holdout"

    def load(self, root: Path | None, *, progress: bool) -> Dataset:
        """The data set; with `validation: none`, that split's samples are training samples."""
        dataset = data.load_dataset(self.name, root, progress=progress)
        if self.validation == "holdout":
            return dataset
        parts = dataset.train, dataset.validation
        joined = Split(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))
        return replace(dataset, train=joined, validation=Split(joined.x[:0], joined.y[:0]))
