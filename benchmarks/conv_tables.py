"""Tables of compact convolutions, for `tables.py`: rows of the presets, and the short trainings that chose their stacks."""

from __future__ import annotations

from gatewright.runs.report.table import accuracy_text
from gatewright.runs.results import Results
from measured import HERE, read


def conv_rows() -> str:
    """Presets of convolutions: accuracy over seeds, cost of the circuits of these seeds."""
    lines = ["| preset | test accuracy, % | seeds | total ops | training, s |", "|---|---:|---:|---:|---:|"]
    rows = [row for row in Results(HERE / "pareto.json").rows() if "-conv-" in row.name]
    lines += [
        f"| `{row.name}` | {accuracy_text(row)} | {len(row.seeds)} | {row.total_ops:,.0f} | {row.train_seconds:,.0f} |"
        for row in sorted(rows, key=lambda each: (each.data, each.total_ops))
    ]
    return "\n".join(lines)


def conv_stacks() -> str:
    """What stands behind the convolutions, and what they read."""
    found = read("conv_stacks")
    if found is None:
        return ""
    lines = [
        "| stack | steps | validation, % | total ops | logic ops | head ops |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {run['curve'][-1][0]:,} | {100 * run['validation']:.2f} | {run['total_ops']:,} "
        f"| {run['logic_ops']:,} | {run['head_ops']:,} |"
        for name, runs in found.items()
        for run in runs
    ]
    lines += [
        "",
        "One seed each (`python benchmarks/conv_stacks.py`); single runs scatter by about 0.15 points on MNIST.",
    ]
    return "\n".join(lines)
