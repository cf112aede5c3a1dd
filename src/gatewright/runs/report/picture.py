"""Arrays of numbers as small pictures in a page: PNG in a data address, which browsers enlarge without smoothing."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.uint8]


def png(levels: Levels) -> bytes:
    """A PNG file.

    Args:
        levels: uint8 [height, width] grey, or [height, width, 3] red, green and blue.
    """
    height, width = levels.shape[:2]
    colour = 2 if levels.ndim == 3 else 0
    rows = levels.reshape(height, -1)
    lines = np.column_stack(
        [np.zeros((height, 1), np.uint8), rows]
    ).tobytes()  # every line begins with its filter: none

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def address(levels: Levels) -> str:
    """A picture as an address that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png(levels)).decode()


def as_levels(values: npt.NDArray[Any], low: float, high: float) -> Levels:
    """Numbers between two limits as 0 to 255; what lies outside takes the nearest."""
    span = (high - low) or 1.0
    return np.clip(np.rint((values.astype(np.float64) - low) / span * 255), 0, 255).astype(np.uint8)


def picture(sample: npt.NDArray[Any], low: float, high: float) -> str:
    """The address of an image.

    Args:
        sample: Numbers [1 or 3, height, width].
        low: The number that is black.
        high: The number that is white, or full red, green and blue.
    """
    levels = as_levels(sample, low, high)
    return address(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1))
