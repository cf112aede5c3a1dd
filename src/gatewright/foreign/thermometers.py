"""Thermometers that stand outside of a network, as encoders."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Encoder
from gatewright.errors import FormatError, OptionError, UnsupportedError, shown
from gatewright.foreign.thresholds import first_above
from gatewright.runtime.documents import parse_json
from gatewright.runtime.files import read_bytes

Array = npt.NDArray[Any]


def thermometer_bits(thermometer: Any, shape: tuple[int, ...]) -> tuple[Array, Array, tuple[int, ...]]:
    """Feature and threshold of each bit, flattened, and the shape of a sample.

    Args:
        thermometer: Thresholds [*shape, bits], an object with such `thresholds` (torch_dwn), or a file of them: `.npy`,
            or nested lists in `.json`. One set of thresholds, [bits] or [1, bits], is for all features.
        shape: Shape of a sample; empty if the thresholds say it.

    Raises:
        OptionError: The thresholds have another shape.
        FormatError: The file is damaged or of another kind.
        DataError: The file does not exist.
    """
    given = _of_file(Path(thermometer)) if isinstance(thermometer, (str, os.PathLike)) else thermometer
    thresholds = getattr(given, "thresholds", given)
    if thresholds is None:
        raise OptionError("the thermometer has no thresholds: fit it first")
    try:
        table = np.asarray(thresholds, np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"thermometer is {shown(thermometer)}, expected thresholds [*shape, bits]") from error
    if table.ndim < 2 or (shape and table.shape[:-1] != tuple(shape)):
        if not shape or table.ndim > 2 or (table.ndim == 2 and len(table) != 1):
            raise OptionError(f"the thermometer's thresholds have shape {table.shape}, expected [*shape, bits]")
        table = np.broadcast_to(table.reshape(-1), (*shape, table.shape[-1]))
    features = np.arange(table[..., 0].size).reshape(table.shape[:-1])
    return np.broadcast_to(features[..., None], table.shape).ravel(), table.ravel(), table.shape[:-1]


def encoder_of(
    feature: Array, threshold: Array, shape: tuple[int, ...], dtype: str, feature_names: tuple[str, ...]
) -> tuple[Encoder, tuple[int, ...]]:
    """The encoder of bits `x > threshold`, and the shape of the bits.

    Raises:
        UnsupportedError: A threshold is NaN or infinite.
    """
    least = first_above(threshold, dtype, inclusive=False, float32=True)
    if not np.isfinite(least).all():
        raise UnsupportedError("a threshold of the thermometer is NaN or infinite, so its bit is constant or undefined")
    return Encoder(feature.ravel(), least.ravel(), shape, dtype, tuple(feature_names)), feature.shape


def _of_file(path: Path) -> Array:
    """Thresholds in a file."""
    if path.suffix not in {".npy", ".json"}:
        raise OptionError(f"{path} has the suffix {path.suffix!r}, expected thresholds in .npy or .json")
    content = read_bytes(path)
    tree = parse_json(content, str(path)) if path.suffix == ".json" else None
    try:
        found = np.load(BytesIO(content), allow_pickle=False) if tree is None else np.array(tree)
    except (ValueError, EOFError) as error:
        raise FormatError(f"{path} holds no array of numbers: {' '.join(str(error).split())[:200]}") from error
    if found.dtype.kind not in "iuf":
        raise FormatError(f"{path} holds {found.dtype} of shape {found.shape}, expected numbers [*shape, bits]")
    return np.asarray(found)
