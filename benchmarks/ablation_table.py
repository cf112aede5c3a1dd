"""Table of docs/ablation.md, for `tables.py`."""

from __future__ import annotations

import statistics

from measured import read


def ablation() -> str:
    """One study a table."""
    found = read("ablation")
    if found is None:
        return ""
    parts = []
    for study in found["studies"].values():
        losses = any("loss" in row for row in study["arms"].values())
        lines = [
            f"**{study['question'][0].upper()}{study['question'][1:]}** (from `{study['preset']}`)\n",
            "| arm | validation, % | relaxed at the end, % | seeds | logic ops | total ops | head, % | training, s |"
            + (" training loss |" if losses else ""),
            "|---|---:|---:|---:|---:|---:|---:|---:|" + ("---:|" if losses else ""),
        ]
        for arm, row in study["arms"].items():
            spread = "" if row["deviation"] is None else f" ± {100 * row['deviation']:.2f}"
            seconds = f"{row['seconds']:,.0f}" if "seconds" in row else ""
            soft = [run["last"][0] for run in row["runs"] if "last" in run]
            relaxed = f"{100 * statistics.mean(soft):.2f}" if soft else ""
            lines.append(
                f"| {arm} | {100 * row['mean']:.2f}{spread} | {relaxed} | {len(row['runs'])} | {row['logic_ops']:,.0f} "
                f"| {row['total_ops']:,.0f} | {100 * row['head_ops'] / row['total_ops']:.0f} | {seconds} |"
                + ((f" {row['loss']:.3f} |" if "loss" in row else " |") if losses else "")
            )
        parts.append("\n".join(lines))
    return "\n\n".join(parts)
