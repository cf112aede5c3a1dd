"""Shapes in noise: small pictures made by rule, in which every pixel has its class. For segmentation.

A picture is 24 x 24 and grey. It has two to four shapes (discs, and bars that lie or stand, of random size and place, later
ones in front of earlier ones), each brighter or darker than the ground by a random amount; then noise is added to every
pixel. What a pixel belongs to can thus not be told from its own value: a network has to see what is around it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.data.dataset import Dataset, DatasetInfo, Reader, Split

SIZE = 24
CLASSES = ("ground", "disc", "lying bar", "standing bar")
_SIZES = {"train": 4_000, "validation": 500, "test": 1_000}
_SEEDS = {"train": 1, "validation": 2, "test": 3}
_NOISE = 18


def draw(n: int, seed: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Make pictures and their labels.

    Args:
        n: How many.
        seed: The same seed gives the same pictures on every machine.

    Returns:
        uint8 [n, 1, 24, 24] and int64 [n, 24, 24].
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    pictures = np.empty((n, 1, SIZE, SIZE), np.uint8)
    labels = np.zeros((n, SIZE, SIZE), np.int64)
    down, across = np.mgrid[:SIZE, :SIZE]
    for picture, label in zip(pictures[:, 0], labels, strict=True):
        value = np.full((SIZE, SIZE), 128)
        for _ in range(int(rng.integers(2, 5))):
            kind = int(rng.integers(1, len(CLASSES)))
            radius = int(rng.integers(3, 6))
            y, x = (int(rng.integers(2, SIZE - 2)) for _ in range(2))
            contrast = int(rng.integers(30, 90)) * (1 if rng.integers(2) else -1)
            inside = _inside(CLASSES[kind], down - y, across - x, radius)
            value[inside], label[inside] = 128 + contrast, kind
        noise = rng.integers(-_NOISE, _NOISE + 1, (2, SIZE, SIZE)).sum(axis=0)
        picture[:] = np.clip(value + noise, 0, 255)
    return pictures, labels


def _inside(kind: str, dy: npt.NDArray[Any], dx: npt.NDArray[Any], radius: int) -> npt.NDArray[np.bool_]:
    """Which pixels a shape covers, in whole numbers."""
    if kind == "disc":
        return np.asarray(dy * dy + dx * dx <= radius * radius + radius // 2)
    along, thick = (dx, dy) if kind == "lying bar" else (dy, dx)
    return np.asarray((abs(along) <= radius + 2) & (abs(thick) <= 1))


def _read(info: DatasetInfo, root: Path) -> Dataset:  # noqa: ARG001 - nothing is read
    return info.dataset(*(Split(*draw(n, _SEEDS[part])) for part, n in _SIZES.items()))


READERS = (
    Reader(
        DatasetInfo(
            name="shapes",
            title="discs and bars in noise; every pixel has a class",
            kind="image",
            shape=(1, SIZE, SIZE),
            dtype="uint8",
            class_names=CLASSES,
            train=_SIZES["train"],
            validation=_SIZES["validation"],
            test=_SIZES["test"],
            split="made with seeds of their own",
            source="made by gatewright.data.shapes",
            licence="MIT, as gatewright",
            citation="none: it is made by rule",
            label_shape=(SIZE, SIZE),
        ),
        _read,
    ),
)
