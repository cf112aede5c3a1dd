"""Rows as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from gatewright.runs.results import Row

COLUMNS = {
    "preset": "---",
    "data": "---",
    "test accuracy, %": "---:",
    "seeds": "---:",
    "logic ops": "---:",
    "total ops": "---:",
    "encoder / logic / head, %": "---:",
    "depth": "---:",
    "LUT6": "---:",
    "training, s": "---:",
}


def table(rows: Sequence[Row]) -> str:
    """One line per row, and below it how to read them; empty without rows."""
    if not rows:
        return ""
    heading = [f"| {' | '.join(COLUMNS)} |", f"|{'|'.join(COLUMNS.values())}|"]
    lines = [f"| `{name}` | {' | '.join(others)} |" for name, *others in map(cells, rows)]
    return "\n".join([*heading, *lines, "", _remark(rows)])


def accuracy_text(row: Row) -> str:
    """Mean and deviation in per cent, of pixels where these have classes."""
    spread = "" if row.deviation is None else f" ± {100 * row.deviation:.2f}"
    iou = "" if row.mean_iou is None else f" (mIoU {100 * row.mean_iou:.2f})"
    return f"{100 * row.accuracy:.2f}{spread}{iou}"


def cells(row: Row) -> list[str]:
    """A row's texts, one for each of `COLUMNS`."""
    return [
        row.name,
        row.data,
        accuracy_text(row),
        str(len(row.seeds)),
        f"{row.logic_ops:,}",
        f"{row.total_ops:,}",
        " / ".join(f"{100 * share:.0f}" for share in (row.encoder_share, row.logic_share, row.head_share)),
        str(row.depth),
        "" if row.lut6 is None else f"{row.lut6:,}",
        f"{row.train_seconds:,.0f}",
    ]


def _remark(rows: Sequence[Row]) -> str:
    whole = [row.name for row in rows if row.validation is None]
    chosen = "Weights are chosen on validation, test is read once. "
    if whole:
        chosen += f"{_names(whole)} also learned from validation, once settings were chosen: the last weights count. "
    return (
        f"Mean and sample standard deviation of the accuracy over seeds, medians for the rest. {chosen}"
        f"LUT6: six-input tables of the gates alone, as mapped by ABC. Times: {_machines(rows)} (`gatewright pareto`)."
    )


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _machines(rows: Sequence[Row]) -> str:
    """The machine of all rows, or of most and then which rows are from others."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(_machine(row), []).append(row.name)
    usual, *others = sorted(names, key=lambda machine: -len(names[machine]))
    return "; ".join([usual, *(f"{_names(names[other])}: {other}" for other in others)])


def _machine(row: Row) -> str:
    if "gpu" in row.machine:
        return str(row.machine["gpu"])
    cores = row.machine["cores"]
    return f"{row.machine['processor']}, {cores} core{'' if cores == 1 else 's'}, shared with other work"
