"""Images in files: a folder for each class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.errors import DataError, FormatError, OptionError, ShapeError, require_extra

SUFFIXES = (".png", ".jpg", ".jpeg")
"""Endings of the names of images, in any case."""

COLOURS = {"grey": "L", "rgb": "RGB"}
"""How images can be read, and what Pillow calls that."""


def image_files(folder: Path) -> list[Path]:
    """Images in a folder, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def is_image_folder(path: Path) -> bool:
    """Whether a path is a folder with a folder of images per class."""
    return path.is_dir() and any(child.is_dir() and image_files(child) for child in path.iterdir())


def class_folders(path: Path) -> list[Path]:
    """The folders of the classes, in the order of their names.

    Raises:
        DataError: There are fewer than two with images, or a folder is empty.
    """
    folders = sorted(child for child in path.iterdir() if child.is_dir() and not child.name.startswith("."))
    empty = next((folder for folder in folders if not image_files(folder)), None)
    if empty is not None:
        raise DataError(f"{empty} has no images ({', '.join(SUFFIXES)}); each folder in {path} is a class")
    if len(folders) < 2:
        raise DataError(f"{path} has {len(folders)} folder(s) of images, expected one for each of two or more classes")
    return folders


def read_images(
    files: Sequence[Path], size: Sequence[int] | None = None, colour: str | None = None
) -> npt.NDArray[np.uint8]:
    """Read images of one size.

    Args:
        files: PNG or JPEG files.
        size: Height and width to scale to; None to take them as they are, which must be the same for all.
        colour: `grey` or `rgb`; None for grey if the first image is grey, else rgb.

    Returns:
        uint8 [n, channels, height, width].

    Raises:
        ShapeError: An image has another size than the first.
        OptionError: The size or the colour is not possible.
        FormatError: A file is no image.
        MissingExtraError: Pillow is not installed.
    """
    image_module = require_extra("PIL.Image", "data")
    if colour not in {None, *COLOURS}:
        raise OptionError(f"colour is {colour!r}, expected one of {', '.join(COLOURS)}")
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise OptionError(f"size is {list(size)}, expected height and width")
    images: list[npt.NDArray[np.uint8]] = []
    for path in files:
        try:
            with image_module.open(path) as image:
                if colour is None:
                    colour = "grey" if image.mode in {"1", "L", "LA", "I;16", "I"} else "rgb"
                pixels = _pixels(image, colour, size)
        except (OSError, SyntaxError, ValueError) as error:
            raise FormatError(f"{path} cannot be read as an image: {str(error)[:200]}") from error
        if images and pixels.shape != images[0].shape:
            raise ShapeError(
                f"{path} has {pixels.shape[1]} x {pixels.shape[2]} pixels, but {files[0]} has {images[0].shape[1]} x "
                f"{images[0].shape[2]}; give a size to scale all to"
            )
        images.append(pixels)
    return np.stack(images)


def _pixels(image: Any, colour: str, size: Sequence[int] | None) -> npt.NDArray[np.uint8]:
    if image.mode.startswith("I"):
        raise ValueError(f"it has pixels of mode {image.mode}, expected 8 bits per channel")
    image = image.convert(COLOURS[colour])
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]))
    pixels = np.asarray(image, np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
