"""Rows that others have published, for comparison."""

from __future__ import annotations

from importlib import resources

import yaml

from gatewright.runtime.schema import Section


class Published(Section):
    """A row of a paper.

    Attributes:
        method: What the paper calls it.
        data: gatewright's name of the data set.
        accuracy: On test, in per cent, as printed.
        gates: As the paper counts them (its logic ops); None where the row states none.
        source: Title and address of the paper.
    """

    method: str
    data: str
    accuracy: float
    gates: int | None
    source: str


def published() -> list[Published]:
    """All rows, by data set, method and gates."""
    file = resources.files("gatewright.runs.report").joinpath("published.yaml")
    tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    rows = [
        Published(method=method, data=name, accuracy=float(accuracy), gates=gates, source=about["source"])
        for method, about in tree.items()
        for name, points in about["rows"].items()
        for accuracy, gates in points
    ]
    return sorted(rows, key=lambda row: (row.data, row.method, row.gates or 0))
