"""What was measured: one entry per preset and seed, one row per preset, in one JSON file.

Rows are made from the entries whenever the file is written, so they cannot disagree. An entry knows the digest of its
options; a new entry with other options under the same name replaces the old ones, so a row never mixes two configs.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from filelock import FileLock

from gatewright.card import Entry
from gatewright.errors import FormatError
from gatewright.runtime.documents import parse_json, reading, validated
from gatewright.runtime.files import content_of, make_folder, write_text_atomically
from gatewright.runtime.schema import Section


class Row(Section):
    """A preset over its seeds.

    Fields that an `Entry` also has mean the same here. Figures of cost and time are medians over the seeds, figures of
    quality are means; both are None where they were not measured.

    Attributes:
        accuracy: Mean of the test accuracies, 0 to 1.
        deviation: Their sample standard deviation; None for one seed.
        logic_ops_most: The greatest number over the seeds.
        encoder_share: Of the total ops, 0 to 1, as `logic_share` and `head_share`.
        machine: What the last seed ran on.
        command: The command that measures the row again.
    """

    name: str
    data: str
    seeds: list[int]
    accuracy: float
    deviation: float | None
    validation: float | None
    sensitivity: list[float | None]
    precision: list[float | None]
    logic_ops: int
    logic_ops_most: int
    total_ops: int
    encoder_share: float
    logic_share: float
    head_share: float
    depth: int
    outputs: int
    lut6: int | None
    train_seconds: float
    machine: dict[str, str | int]
    command: str
    mean_iou: float | None = None

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Self:
        """The row of the entries of one name."""
        first, tests = entries[0], [entry.test for entry in entries]
        changes = "".join(f" --set '{change}'" for change in first.changes)
        seeds = [entry.seed for entry in entries]
        validations = [entry.validation for entry in entries if entry.validation is not None]
        luts = [entry.lut6 for entry in entries if entry.lut6 is not None]

        def middle(key: str) -> int:
            values: list[int] = [getattr(entry, key) for entry in entries]
            return round(statistics.median(values))

        def share(key: str) -> float:
            shares: list[float] = [getattr(entry, key) / max(1, entry.total_ops) for entry in entries]
            return round(statistics.median(shares), 4)

        return cls(
            name=first.name,
            data=first.data,
            seeds=seeds,
            accuracy=round(statistics.mean(tests), 6),
            deviation=round(statistics.stdev(tests), 6) if len(tests) > 1 else None,
            validation=round(statistics.mean(validations), 6) if validations else None,
            sensitivity=_means([entry.sensitivity for entry in entries]),
            precision=_means([entry.precision for entry in entries]),
            logic_ops=middle("logic_ops"),
            logic_ops_most=max(entry.logic_ops for entry in entries),
            total_ops=middle("total_ops"),
            encoder_share=share("encoder_ops"),
            logic_share=share("logic_ops"),
            head_share=share("head_ops"),
            depth=middle("depth"),
            outputs=middle("outputs"),
            lut6=round(statistics.median(luts)) if luts else None,
            train_seconds=round(statistics.median(entry.train_seconds for entry in entries), 1),
            machine=entries[-1].machine,
            command=f"gatewright pareto --presets {first.preset} --seeds {','.join(map(str, seeds))}{changes}",
            mean_iou=_means([[entry.mean_iou] for entry in entries])[0],
        )


def _means(lists: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Place by place; None where any is None."""
    means: list[float | None] = []
    for values in zip(*lists, strict=True):
        known = [value for value in values if value is not None]
        means.append(round(statistics.mean(known), 4) if len(known) == len(values) else None)
    return means


class Results:
    """The file of results.

    Args:
        path: The JSON file, made when needed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[Entry]:
        """All entries, in the order of their names and seeds.

        Raises:
            FormatError: The file is damaged.
        """
        if not self.path.exists():
            return []
        what = f"{self.path} is no file of results, or damaged"
        with reading(self.path):
            content = parse_json(content_of(self.path), f"{what}: it")
            entries = content.get("entries") if isinstance(content, dict) else None
            if not isinstance(entries, list):
                raise FormatError(f"{what}: it has no list of 'entries'")
            return [validated(Entry, entry, what) for entry in entries]

    def rows(self) -> list[Row]:
        """One row per name, by data set and logic ops."""
        with reading(self.path):
            return rows(self.entries())

    def add(self, entry: Entry) -> None:
        """Add or replace an entry, and drop those of its name with other options; safe with several processes."""
        make_folder(self.path.parent)
        with FileLock(f"{self.path}.lock"):
            kept = [
                old
                for old in self.entries()
                if old.name != entry.name or (old.seed != entry.seed and old.digest == entry.digest)
            ]
            entries = sorted([*kept, entry], key=lambda each: (each.data, each.name, each.seed))
            tree = {
                "entries": [each.model_dump(mode="json") for each in entries],
                "rows": [row.model_dump(mode="json") for row in rows(entries)],
            }
            write_text_atomically(self.path, _dump(tree) + "\n")


def rows(entries: Iterable[Entry]) -> list[Row]:
    """One row per name, by data set and logic ops."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.name, []).append(entry)
    made = [Row.of(sorted(group, key=lambda entry: entry.seed)) for group in groups.values()]
    return sorted(made, key=lambda row: (row.data, row.logic_ops, row.name))


def _dump(tree: dict[str, Any]) -> str:
    """JSON with one line per field, lists and inner mappings on theirs: readable, and easy on version control."""
    parts = []
    for key, items in tree.items():
        blocks = [",\n   ".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in item.items()) for item in items]
        body = ",\n".join(f"  {{{block}}}" for block in blocks)
        parts.append(f" {json.dumps(key)}: [\n{body}\n ]")
    return "{\n" + ",\n".join(parts) + "\n}"
