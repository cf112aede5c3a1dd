"""The front of a data set: accuracy over total ops and logic ops, or over NAND gates, beside published rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gatewright.data import describe
from gatewright.errors import require_extra
from gatewright.runs.report.published import Mapped, Published
from gatewright.runs.results import Row
from gatewright.runtime.files import write_atomically

OWN = "#1f4e9c"
COLOURS = ("#d1495b", "#c98a00", "#66a182", "#8d6a9f", "#7a7a7a", "#00798c", "#a0522d", "#c26fb0")
MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">")

Point = tuple[float, float]


def front(points: Sequence[Point]) -> list[Point]:
    """The points (cost, accuracy) that no other one beats in both, by rising cost."""
    best: list[Point] = []
    for cost, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or accuracy > best[-1][1]:
            best.append((cost, accuracy))
    return best


class Measured(NamedTuple):
    """A network of another library, trained and counted here; accuracy on test, of the circuit, in per cent."""

    library: str
    total_ops: int
    logic_ops: int
    accuracy: float


def draw(
    data: str, rows: Sequence[Row], others: Sequence[Published], folder: Path, *, measured: Sequence[Measured] = ()
) -> list[Path]:
    """Draw gatewright's rows and those of others on a data set, as `pareto-DATA.png` and `.svg` in a folder.

    Total ops of published rows are reckoned (see `Published.reckoned_total`), so their marks are hollow. Networks that
    were measured here say so.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    classes = len(describe(data).class_names)
    reckoned = [(row, row.reckoned_total(classes)) for row in others]

    def fill(figure: Any) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        errors = [100 * (row.deviation or 0.0) for row in rows]
        for axis, cost in ((left, "total_ops"), (right, "logic_ops")):
            points = {row.name: (float(getattr(row, cost)), 100 * row.accuracy) for row in rows}
            _own(axis, points, errors)
        totals = [(row.method, total, row.accuracy) for row, total in reckoned if total is not None]
        stated = [(row.method, row.gates, row.accuracy) for row in others if row.gates is not None]
        counted = [(f"{row.library}, measured by us", row) for row in measured]
        methods = list(dict.fromkeys([*(row.method for row in others), *(name for name, _ in counted)]))
        _others(left, methods, totals, hollow=True)
        _others(right, methods, stated)
        _others(left, methods, [(name, row.total_ops, row.accuracy) for name, row in counted])
        _others(right, methods, [(name, row.logic_ops, row.accuracy) for name, row in counted])
        for row in others:
            if row.gates is None:
                colour = COLOURS[methods.index(row.method) % len(COLOURS)]
                for axis in (left, right):
                    axis.axhline(row.accuracy, color=colour, lw=1, ls="--", label=f"{row.method} (gates not stated)")
        left.set(title=f"{data}: total ops", xlabel="two-input gates with encoder and head", ylabel="test accuracy, %")
        right.set(title=f"{data}: logic ops", xlabel="two-input gates, without encoder and head")

    return _save(f"pareto-{data}", folder, fill, width=10)


def draw_nand(data: str, rows: Mapping[str, tuple[int, float]], others: Sequence[Mapped], folder: Path) -> list[Path]:
    """Draw circuits in the public benchmark's currency, as `nand-DATA.png` and `.svg` in a folder.

    Args:
        data: Name of the data set.
        rows: (NAND gates and inverters, test accuracy in per cent) of gatewright's circuits, by name.
        others: The benchmark's rows of this data set.
        folder: Where to write.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """

    def fill(figure: Any) -> None:
        axis = figure.subplots()
        _own(axis, rows)
        methods = list(dict.fromkeys(row.method for row in others))
        _others(axis, methods, [(row.method, row.nand_inv, row.accuracy) for row in others])
        axis.set(title=f"{data}: NAND + INV", xlabel="NAND gates and inverters, from pixels to the class")
        axis.set(ylabel="test accuracy, %")

    return _save(f"nand-{data}", folder, fill, width=7.5)


def _save(name: str, folder: Path, fill: Callable[[Any], None], *, width: float) -> list[Path]:
    mpl = require_extra("matplotlib", "report")
    figures = require_extra("matplotlib.figure", "report")
    ticker = require_extra("matplotlib.ticker", "report")
    with mpl.rc_context({"svg.hashsalt": "gatewright", "svg.fonttype": "none"}):
        figure = figures.Figure(figsize=(width, 4.2), layout="constrained")
        fill(figure)
        for axis in figure.axes:
            axis.set_xscale("log")
            axis.margins(x=0.1, y=0.1)
            axis.grid(alpha=0.3, which="both")
            low, high = axis.get_xlim()
            axis.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5) if high < 200 * low else (1,)))
            axis.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
            axis.xaxis.set_minor_formatter(ticker.NullFormatter())
            axis.legend(fontsize=8, loc="lower right")
        files = [folder / f"{name}.{kind}" for kind in ("png", "svg")]
        write_atomically(files[0], lambda part: figure.savefig(part, format="png", dpi=110))
        write_atomically(files[1], lambda part: figure.savefig(part, format="svg", metadata={"Date": None}))
    return files


def _own(axis: Any, points: Mapping[str, Point], errors: Sequence[float] | None = None) -> None:
    if not points:
        return
    best = front(list(points.values()))
    axis.plot(*zip(*best, strict=True), drawstyle="steps-post", color=OWN, alpha=0.5)
    values = zip(*points.values(), strict=True)
    axis.errorbar(*values, yerr=errors, fmt="o", color=OWN, capsize=2, label="gatewright", ms=5)
    for name, point in points.items():
        if point in best:  # in turns below and above, since neighbours on a front are close
            below = (len(best) - best.index(point)) % 2 == 0
            last = point == best[-1] != best[0]  # to its right, the name may leave the axes
            axis.annotate(
                name,
                point,
                xytext=(-4 if last else 4, -11 if below else 6),
                textcoords="offset points",
                ha="right" if last else "left",
                fontsize=7,
                color=OWN,
            )


def _others(
    axis: Any, methods: Sequence[str], points: Sequence[tuple[str, int, float]], *, hollow: bool = False
) -> None:
    for i, method in enumerate(methods):
        mine = [(cost, accuracy) for name, cost, accuracy in points if name == method]
        if mine:
            axis.plot(
                *zip(*mine, strict=True),
                color=COLOURS[i % len(COLOURS)],
                marker=MARKERS[i % len(MARKERS)],
                markerfacecolor="none" if hollow else None,
                label=f"{method} (reckoned)" if hollow else method,
                ms=6,
                lw=1,
                ls=":",
            )
