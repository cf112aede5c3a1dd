"""Tables of compact convolutions, for `tables.py`: rows of the presets, and the short trainings that chose their stacks."""

from __future__ import annotations

import statistics
from collections.abc import Callable

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


def conv_steps() -> str:
    """Training steps of the paper's stack, with learned connections."""
    found = read("conv_steps")
    if found is None:
        return ""
    lines = ["| k | dense layers | batch | threads | step, ms | samples/s |", "|---:|---|---:|---:|---:|---:|"]
    lines += [
        f"| {row['k']} | 2 x {row['width']:,} | {row['batch']} | {row['threads']} | {row['ms_median']:.1f} "
        f"| {1000 * row['batch'] / row['ms_median']:,.0f} |"
        for row in found["cases"]
    ]
    machine = found["machine"]["processor"]
    lines += [
        "",
        f"8 candidates, guided, CIFAR-10; medians, {machine} (`python benchmarks/conv_steps.py`).",
    ]
    return "\n".join(lines)


def conv_stacks() -> str:
    """What stands behind the convolutions, and what they read."""
    return _stacks(lambda name: not _priced(name))


def conv_prices() -> str:
    """The same with gates that cost something, beside the networks whose gates are free."""
    return _stacks(_priced)


def _priced(name: str) -> bool:
    return "cost" in name or name in {"mnist k 10, 240 trees of 15", "cifar10 k 12, 1,100 gates"}


def _stacks(wanted: Callable[[str], bool]) -> str:
    found = read("conv_stacks")
    if found is None:
        return ""
    lines = [
        "| stack | steps | seeds | validation, % | total ops | logic ops | head ops |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, runs in found.items():
        if wanted(name):
            values = [100 * run["validation"] for run in runs]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            ops = (
                f"{statistics.median(run[key] for run in runs):,.0f}" for key in ("total_ops", "logic_ops", "head_ops")
            )
            accuracy = f"{statistics.mean(values):.2f}{spread}"
            lines.append(f"| {name} | {runs[0]['curve'][-1][0]:,} | {len(runs)} | {accuracy} | {' | '.join(ops)} |")
    lines += [
        "",
        "Means and medians over seeds (`python benchmarks/conv_stacks.py`); runs scatter by about 0.15 points on MNIST.",
    ]
    return "\n".join(lines)
