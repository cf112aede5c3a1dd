"""The front of a data set: accuracy over logic ops and over total ops, beside published rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatewright.errors import require_extra
from gatewright.runs.report.published import Published
from gatewright.runs.results import Row
from gatewright.runtime.files import write_atomically

OWN = "#1f4e9c"
COLOURS = ("#d1495b", "#edae49", "#66a182", "#8d6a9f", "#7a7a7a")
MARKERS = ("s", "^", "D", "v", "P")


def front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points (cost, accuracy) that no other one beats in both, by rising cost."""
    best: list[tuple[float, float]] = []
    for cost, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((cost, accuracy))
    return best


def draw(data: str, rows: Sequence[Row], others: Sequence[Published], folder: Path) -> list[Path]:
    """Draw gatewright's rows and the published ones of a data set, as `pareto-DATA.png` and `.svg` in a folder.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    mpl = require_extra("matplotlib", "report")
    figures = require_extra("matplotlib.figure", "report")
    with mpl.rc_context({"svg.hashsalt": "gatewright", "svg.fonttype": "none"}):
        figure = figures.Figure(figsize=(10, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        _own(left, rows, "logic_ops")
        _own(right, rows, "total_ops")
        _published(left, others)
        left.set(title=f"{data}: logic ops", xlabel="two-input gates", ylabel="test accuracy, %")
        right.set(xlabel="two-input gates with encoder and head")
        right.set_title(f"{data}: total ops" + (" (no published row states them)" if others else ""))
        for axis in (left, right):
            axis.set_xscale("log")
            axis.grid(alpha=0.3, which="both")
        left.legend(fontsize=8, loc="lower right")
        files = [folder / f"pareto-{data}.{kind}" for kind in ("png", "svg")]
        write_atomically(files[0], lambda part: figure.savefig(part, format="png", dpi=110))
        write_atomically(files[1], lambda part: figure.savefig(part, format="svg", metadata={"Date": None}))
    return files


def _own(axis: Any, rows: Sequence[Row], cost: str) -> None:
    points = [(float(getattr(row, cost)), 100 * row.accuracy) for row in rows]
    best = front(points)
    axis.plot(*zip(*best, strict=True), drawstyle="steps-post", color=OWN, alpha=0.5)
    errors = [100 * (row.deviation or 0.0) for row in rows]
    axis.errorbar(*zip(*points, strict=True), yerr=errors, fmt="o", color=OWN, capsize=2, label="gatewright", ms=5)
    for row, point in zip(rows, points, strict=True):
        if point in best:
            axis.annotate(row.name, point, xytext=(4, -10), textcoords="offset points", fontsize=7, color=OWN)


def _published(axis: Any, others: Sequence[Published]) -> None:
    methods = dict.fromkeys(row.method for row in others)
    for method, colour, marker in zip(methods, COLOURS, MARKERS, strict=False):
        points = [(row.gates, row.accuracy) for row in others if row.method == method and row.gates is not None]
        if points:
            axis.plot(*zip(*points, strict=True), color=colour, marker=marker, ms=5, lw=1, ls=":", label=method)
        for row in others:
            if row.method == method and row.gates is None:
                axis.axhline(row.accuracy, color=colour, lw=1, ls="--", label=f"{method} (gates not stated)")
