"""How large the images of a data set are drawn, and where: drawings on the page are scaled and moved alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

INK = 0.25
"""Share of the brightest value from which a pixel counts as drawn."""

EVEN = 0.05
"""Largest standard deviation of size and place, as a share of the image's longer side, of images that share a frame."""

IMAGES = 2000
"""Images that are measured, the first ones."""


@dataclass(frozen=True)
class Frame:
    """Size and place of what is drawn in an image, in pixels.

    Attributes:
        size: Longer side of the box around it.
        x: Its centre from the left.
        y: Its centre from the top.
        by: Which centre: of the box, or of mass.
    """

    size: float
    x: float
    y: float
    by: Literal["box", "mass"]


FRAMES: Mapping[str, Frame] = MappingProxyType(
    {
        "digits": Frame(8.0, 4.0, 4.0, "box"),
        "mnist": Frame(20.0, 14.5, 14.5, "mass"),
        "fashion-mnist": Frame(28.0, 14.0, 14.0, "box"),
    }
)
"""Frames of data sets that may not be at hand, as `measure` finds them (rounded to half a pixel)."""


def measure(images: npt.NDArray[Any]) -> Frame | None:
    """The frame that images share; None if they have none, as photographs.

    Args:
        images: Numbers [n, 1, height, width], 0 where nothing is drawn.
    """
    if images.ndim != 4 or images.shape[1] != 1:
        return None
    planes = images[:IMAGES, 0].astype(np.float64)
    height, width = planes.shape[1:]
    ink = planes >= max(planes.max(initial=0.0) * INK, np.finfo(float).tiny)
    kept = ink.any(axis=(1, 2))
    if not kept.any():
        return None
    planes, ink = planes[kept], ink[kept]
    x_low, x_high = _ends(ink.any(axis=1))
    y_low, y_high = _ends(ink.any(axis=2))
    sizes = np.maximum(x_high - x_low, y_high - y_low)
    mass = planes.sum(axis=(1, 2))
    centres: dict[Literal["box", "mass"], npt.NDArray[np.float64]] = {
        "box": np.stack([x_low + x_high, y_low + y_high]) / 2,
        "mass": np.stack(
            [
                (planes.sum(axis=1) * (np.arange(width) + 0.5)).sum(axis=1) / mass,
                (planes.sum(axis=2) * (np.arange(height) + 0.5)).sum(axis=1) / mass,
            ]
        ),
    }
    by = min(centres, key=lambda name: float(centres[name].std(axis=1).max()))
    if max(float(sizes.std()), float(centres[by].std(axis=1).max())) > EVEN * max(height, width):
        return None
    x, y = (float(np.round(2 * np.median(each)) / 2) for each in centres[by])
    return Frame(float(np.median(sizes)), x, y, by)


def _ends(marked: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each row: the first true place, and the one after the last."""
    return marked.argmax(axis=1), marked.shape[1] - marked[:, ::-1].argmax(axis=1)
