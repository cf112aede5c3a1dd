"""What is written down while a network learns: one JSON object per line, and TensorBoard on request."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gatewright.errors import FormatError, require_extra
from gatewright.runtime.documents import parse_json
from gatewright.runtime.files import content_of, write_text_atomically


class MetricsLog:
    """Appends to `metrics.jsonl`; the lines after the step that it starts from are removed, as they will be written again.

    With `tensorboard`, it also writes TensorBoard events to `tensorboard/` in the run's folder.
    """

    def __init__(self, folder: Path, step: int, *, tensorboard: bool = False) -> None:
        if tensorboard:
            require_extra("tensorboard", "train")
        path = folder / "metrics.jsonl"
        kept = [line for line in read_lines(path) if line["step"] <= step]
        write_text_atomically(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a", encoding="utf-8")
        self._board: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra

            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        """Add one line; numbers (also in lists and mappings) become TensorBoard scalars."""
        self._file.write(json.dumps({"step": step, **values}) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in _scalars(values):
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All lines of a metrics file, without half a line at the end, which a killed run may leave.

    Raises:
        FormatError: Another line is no line of metrics.
    """
    lines: list[dict[str, Any]] = []
    if path.exists():
        *whole, last = content_of(path).split(b"\n")
        for number, text in enumerate([*whole, last], 1):
            try:
                line = parse_json(text, f"{path}, line {number},", infinite=True)
            except FormatError:
                if number > len(whole):
                    break
                raise
            if not isinstance(line, dict) or type(line.get("step")) is not int:
                raise FormatError(f"{path}, line {number}, is no object with a step: the file is damaged")
            lines.append(line)
    return lines


def _scalars(values: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        inner = dict(enumerate(value)) if isinstance(value, list) else value
        if isinstance(inner, Mapping):
            yield from _scalars(inner, f"{prefix}{key}/")
        elif isinstance(inner, (int, float)):
            yield f"{prefix}{key}", float(inner)
