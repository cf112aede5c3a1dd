"""Data of your own: the options that a table or a folder of images is trained with, and samples for a circuit from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit import Circuit
from gatewright.data import Dataset, Split, folders, tables
from gatewright.errors import DataError, OptionError, ShapeError, UnsupportedError, require_extra
from gatewright.runtime.files import write_atomically

if TYPE_CHECKING:
    from gatewright.engine import Engine
    from gatewright.training.config import RunConfig

TABLE_WIDTH = 40
"""Gates of the layer for a table, at least.

Measured on Adult, see docs/own-data.md: more do not gain more than a standard error.
"""

GATES_PER_CLASS = 20

NUMBER_WIDTH = 100
"""Gates of the layer for a table with a number per row; see docs/own-data.md."""

IMAGE_WIDTH = 2000
"""Gates of the layer for images, at least."""


def is_own(path: Path) -> bool:
    """Whether a path names a table, or a folder of images."""
    return path.suffix in tables.SUFFIXES or folders.is_image_folder(path)


def own_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The options that a file or folder is trained with, by rule.

    A table gets 32 thresholds per number and one layer of 40 gates, or 100 where it is a number that is predicted; an
    image gets 3 thresholds per pixel and one layer of 2,000 gates. Where there are many classes, there are more.

    Args:
        path: A table, or a folder with a folder of images per class.
        overrides: Options to change, `key=value`; a table needs `data.target`.

    Raises:
        OptionError: An override names no option or gives it a bad value, or a table has no target.
    """
    from gatewright.training import load  # noqa: PLC0415 - needs pydantic

    images = path.is_dir()

    def tree(classes: int) -> dict[str, Any]:
        """Options for so many classes, or for a number (1)."""
        least = IMAGE_WIDTH if images else TABLE_WIDTH if classes > 1 else NUMBER_WIDTH
        least = max(least, GATES_PER_CLASS * classes)
        dense = {"type": "dense", "width": math.ceil(least / classes) * classes}
        return {
            "data": {"path": str(path), "encoder": {"kind": "quantile", "thresholds": 3 if images else 32}},
            "model": {
                "relaxation": "hard",
                "candidates": 8,
                "layers": [{"type": "flatten"}, dense] if images else [dense],
                "head": {"kind": "number" if classes == 1 else "sum"},
            },
            "optimizer": {"schedule": "one-cycle"},
            "connections": {"kind": "guided", "every": 20, "trials": 32, "stop": 0.8},
            "train": {"steps": 2000, "batch": 128},
        }

    options = load.from_tree(tree(2), overrides, str(path))
    if images:
        return load.from_tree(tree(len(folders.class_folders(path))), overrides, str(path))
    target = options.data.target
    if not target:
        raise OptionError(f"{path} is a table: --target must name the column of the labels")
    if options.data.predict == "number":
        return load.from_tree(tree(1), overrides, str(path))
    _, class_names = tables.classes_of(tables.column_of(tables.read_table(path), target), f"column {target!r}")
    return load.from_tree(tree(len(class_names)), overrides, str(path))


def samples_from(circuit: Circuit, path: Path, target: str = "") -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """All samples of a file or folder, with their classes, or their numbers if the circuit gives such.

    Args:
        circuit: The circuit that they are for; it has an encoder and a head.
        path: A table, or a folder with a folder of images per class.
        target: The column of the labels; empty for that which the circuit was trained with.

    Returns:
        Samples [n, *shape], and int64 [n], classes, or float64 [n], numbers.

    Raises:
        OptionError: A table has no such column.
        DataError: A label or a folder is none of the circuit's classes, or a column is missing or does not fit.
    """
    names = _class_names(circuit, path)
    if path.is_dir():
        if not names:
            raise UnsupportedError(f"the circuit gives a number, so the folders of {path} are no labels for it")
        classes = folders.class_folders(path)
        x = _images(circuit, [file for folder in classes for file in folders.image_files(folder)])
        labels = [folder.name for folder in classes for _ in folders.image_files(folder)]
        return x, tables.labels_of(labels, names, f"the name of a folder in {path}")
    target = target or circuit.metadata.get("target", "")
    if not target:
        raise OptionError(f"--target must name the column of {path} that has the labels")
    frame = tables.read_table(path, _texts(circuit))
    labels, where = tables.column_of(frame, target), f"column {target!r} of {path}"
    y = tables.labels_of(labels, names, where) if names else tables.numbers_of(labels, where)
    return _features(circuit, frame, path), y


def own_dataset(circuit: Circuit, path: Path, target: str = "") -> Dataset:
    """All samples of a file or folder, as the test part of a data set; arguments and errors as for `samples_from`.

    Raises:
        UnsupportedError: The circuit has no encoder or no head.
    """
    encoder, head = circuit.encoder, circuit.head
    if encoder is None or head is None:
        raise UnsupportedError(f"{path} cannot be classified: the circuit has no {'head' if encoder else 'encoder'}")
    x, y = samples_from(circuit, path, target)
    none = Split(x[:0], y[:0])
    names = _class_names(circuit, path)
    return Dataset(path.name, none, none, Split(x, y), encoder.shape, encoder.dtype, names, types=encoder.types)


def predict_own(engine: Engine, source: Path, out: Path, result: str = "classes") -> int:
    """Classify the rows of a table, or the images of a folder, into a table.

    Args:
        engine: The engine of a circuit.
        source: A table, or a folder of images, which may be in folders of their own.
        out: The table to write. It has the columns of the source that the circuit does not read, ids among them (for images
            the file), then `prediction` (a class, or a number), and with other results a column for each class.
        result: One of `engine.RESULTS`.

    Returns:
        Number of samples.

    Raises:
        OptionError: `out` is no name of a table.
        DataError: A column is missing or does not fit, or there is no image.
    """
    pandas = require_extra("pandas", "data")
    if out.suffix not in tables.SUFFIXES:
        raise OptionError(f"{out} is no name of a table, which ends with one of {', '.join(tables.SUFFIXES)}")
    names = _class_names(engine.circuit, source)
    if source.is_dir():
        places = [source, *sorted(child for child in source.iterdir() if child.is_dir())]
        files = [file for place in places for file in folders.image_files(place)]
        if not files:
            raise DataError(f"{source} has no images ({', '.join(folders.SUFFIXES)})")
        x = _images(engine.circuit, files)
        kept = pandas.DataFrame({"file": [str(file.relative_to(source)) for file in files]})
    else:
        frame = tables.read_table(source, _texts(engine.circuit))
        x = _features(engine.circuit, frame, source)
        read = {column.name for column in engine.circuit.encoder.columns} if engine.circuit.encoder else set()
        kept = frame[[name for name in frame.columns if str(name) not in read]]
    predicted = engine.predict(x)
    columns = {"prediction": np.array(names, object)[predicted] if names else predicted}
    if result != "classes":
        numbers = engine.scores(x) if result == "scores" else engine.predict_proba(x)
        columns |= {
            f"{result[:-3] + 'y' if result.endswith('ies') else 'score'} of {name}": numbers[:, k]
            for k, name in enumerate(names)
        }
    twice = next((name for name in columns if name in kept.columns), None)
    if twice is not None:
        raise DataError(f"{source} has a column {twice!r}, which the predictions are called; rename it")
    write_atomically(out, lambda part: tables.write_table(kept.assign(**columns), part, out.suffix))
    return len(x)


def _class_names(circuit: Circuit, source: Path) -> tuple[str, ...]:
    """Names of the classes; none if the circuit gives a number."""
    if circuit.head is not None and circuit.head.number:
        return ()
    if circuit.encoder is None or circuit.head is None or circuit.head.places:
        raise UnsupportedError(f"the circuit does not give one class for samples with features, as {source} has them")
    return circuit.head.class_names or tuple(str(k) for k in range(circuit.head.n_classes))


def _texts(circuit: Circuit) -> list[str]:
    """Columns that are categories, whatever their texts look like in one file."""
    columns = circuit.encoder.columns if circuit.encoder is not None else ()
    return [column.name for column in columns if column.kind == "category"]


def _features(circuit: Circuit, frame: Any, source: Path) -> npt.NDArray[Any]:
    encoder = circuit.encoder
    if encoder is None or not encoder.columns:
        raise UnsupportedError(
            f"the circuit was not trained on a table with names of columns, so it cannot read {source}"
        )
    return encoder.samples(frame, str(source))


def _images(circuit: Circuit, files: Sequence[Path]) -> npt.NDArray[Any]:
    encoder = circuit.encoder
    shape = encoder.shape if encoder is not None else ()
    if encoder is None or encoder.dtype != "uint8" or len(shape) != 3 or shape[0] not in {1, 3}:
        raise ShapeError("the circuit takes no images of one or three channels of uint8")
    return folders.read_images(files, shape[1:], "grey" if shape[0] == 1 else "rgb")
