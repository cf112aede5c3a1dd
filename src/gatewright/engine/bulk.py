"""Classify NumPy files that may be larger than memory: read by the page, written as results come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.engine.engine import Engine
from gatewright.engine.inputs import read_samples
from gatewright.errors import DataError, DtypeError, FormatError, OptionError, ShapeError
from gatewright.runtime.documents import reading
from gatewright.runtime.files import is_plain_file, write_atomically

_PART_BYTES = 1 << 26
_MOST_HEADER = 10_000


def predict_file(engine: Engine, source: Path, target: Path, result: str = "classes") -> npt.NDArray[Any]:
    """Classify the samples in a `.npy` file, part by part, into another one.

    Neither file is ever in memory at once. The target appears when it is complete, and replaces what was there; a pipe or
    device is written into.

    Args:
        engine: The engine of a circuit with a head.
        source: The samples [n, ...], as `Engine.predict` takes them.
        target: Where to write: int64 [n] for "classes", float32 [n, classes] for "scores" and "probabilities".
        result: One of `engine.RESULTS`.

    Returns:
        What was written, memory-mapped.

    Raises:
        FormatError: The source is no `.npy` file of numbers, or is damaged.
        OptionError: The result is unknown, or the target is the source.
        UnsupportedError: The circuit has no head.
        ShapeError, DtypeError, DataError: As for `Engine.predict`, with the name of the file.
    """
    x = _open(source)
    if target.exists() and target.samefile(source):
        raise OptionError(f"{target} is the file that the samples come from; give the results another name")

    passed_on: list[npt.NDArray[Any]] = []

    def write(part: Path) -> None:
        like = next(engine.predict_stream([x[:0]], result))
        step = max(1, _PART_BYTES * len(x) // max(1, x.nbytes))
        starts = range(0, len(x), step)
        written = np.lib.format.open_memmap(part, "w+", like.dtype, (len(x), *like.shape[1:]))
        parts = engine.predict_stream((x[start : start + step] for start in starts), result)
        for start, done in zip(starts, parts, strict=True):
            written[start : start + step] = done
        written.flush()
        if target.exists() and not is_plain_file(target):  # what is written there cannot be read again
            passed_on.append(np.lib.format.open_memmap(part, "r"))

    try:
        read_samples(engine.circuit, x)  # complains about the complete array: its parts have other shapes
        write_atomically(target, write)
    except (ShapeError, DtypeError, DataError) as error:
        raise type(error)(f"{source}: {error}") from error
    return passed_on[0] if passed_on else np.lib.format.open_memmap(target, "r")


def _open(source: Path) -> npt.NDArray[Any]:
    """The array in a file, memory-mapped."""
    with source.open("rb"):  # NumPy would call a file that is not there damaged
        pass
    try:
        with reading(source), np.errstate(all="ignore"):
            array = np.lib.format.open_memmap(source, "r", max_header_size=_MOST_HEADER)
    except (FormatError, MemoryError) as error:  # Python's parser calls what is nested too deeply a want of memory
        cause = error.__cause__ or error
        raise FormatError(f"{source} is not a NumPy .npy file of numbers, or is damaged: {str(cause)[:300]}") from error
    if array.ndim == 0:
        raise ShapeError(f"{source} holds a single number, expected samples [n, ...]")
    return array
