"""Tables of networks and models of other libraries beside ours, for `tables.py`."""

from __future__ import annotations

import statistics

from measured import read

RIVALS = (  # shown below the table
    "*Total ops* are two-input gates with encoder, popcount and argmax. *Decided otherwise* counts test samples on "
    "which the circuit differs from the library: none where leaf values are votes, some where they were rounded. Ours: "
    "the circuit of the zoo whose preset is best on validation among those of no more total ops. All circuits were "
    "proven equal to what was read."
)


def rivals() -> str:
    """Networks of other libraries, trained and counted here, beside our circuits of no more total ops."""
    titles = [
        "network",
        "library",
        "its test, %",
        "circuit's",
        "decided otherwise",
        "logic ops",
        "total ops",
        "NAND + INV",
    ]
    lines = [
        f"| {' | '.join([*titles, 'LUT6', 'ours', 'its test, %', 'total ops'])} |",
        f"|---|---|{'---:|' * 7}---|---:|---:|",
    ]
    for row in sorted(read("rivals").values(), key=lambda row: (row["data"], row["total_ops"])):
        tools = ["-" if row.get(key) is None else f"{row[key]:,}" for key in ("nand_inv", "lut6")]
        own = "none so small | | |"
        if (best := row["ours"]) is not None:
            own = f"`{best['preset']}` | {100 * best['test']:.2f} | {best['total_ops']:,} |"
        lines.append(
            f"| {row['data']}: {row['label']} | {row['library']} {row['version']} | {100 * row['test_of_library']:.2f} "
            f"| {100 * row['test']:.2f} | {row['decided_otherwise']:,} of {row['samples_compared']:,} "
            f"| {row['logic_ops']:,} | {row['total_ops']:,} | {' | '.join(tools)} | {own}"
        )
    return "\n".join([*lines, "", RIVALS])


def imports() -> str:
    """How many networks were compared with their libraries, and how long large ones take."""
    found = dict(read("imports"))
    size = found.pop("size")
    lines = ["| library | version | networks | samples compared | otherwise |", "|---|---|---:|---:|---:|"]
    for name, row in found.items():
        lines.append(
            f"| {name} | {row['version']} | {row['networks']} | {row['samples_compared']:,} | {row['otherwise']:,} |"
        )
    seconds = [f"{size[key]:.1f} s" for key in ("read_cpu_seconds", "with_simplification_cpu_seconds")]
    remark = (
        "`PYTHONPATH=tests:LIBS python benchmarks/imports.py`, imports.json; samples of boosting are compared by their "
        f"scores, before any rounding. State dicts of 8 layers of 64,000 gates take {seconds[0]} of processor time, "
        f"{seconds[1]} with simplification to {size['gates_simplified']:,} gates ({size['machine']['processor']})."
    )
    return "\n".join([*lines, "", remark])


def comparison() -> str:
    """The estimator beside others on 15 tables."""
    names = {
        "gatewright": "gatewright",
        "forest": "random forest",
        "boosting": "gradient boosting",
        "logistic": "logistic regression",
    }
    lines = [f"| table | rows | classes | {' | '.join(names.values())} | total ops | s |", f"|---|{'---:|' * 8}"]
    near, found = dict.fromkeys(names, 0), (read("tables_comparison") or {"tables": {}})["tables"]
    for name, each in found.items():
        folds = list(each["folds"].values())
        scores = {who: [100 * fold[who]["accuracy"] for fold in folds] for who in names}
        means = {who: statistics.mean(scores[who]) for who in names}
        for who in names:
            near[who] += means[who] >= max(means.values()) - 1
        texts = [f"{means[who]:.1f} ± {statistics.stdev(scores[who]):.1f}" for who in names]
        ops, seconds = (
            statistics.median(fold["gatewright"][key] for fold in folds) for key in ("total_ops", "seconds")
        )
        lines.append(
            f"| {name} | {each['rows']:,} | {each['classes']} | {' | '.join(texts)} | {ops:,.0f} | {seconds:.1f} |"
        )
    counts = ", ".join(f"{names[who]} on {number}" for who, number in near.items())
    remark = (
        "Accuracy in %, mean and sample standard deviation of stratified five-fold cross-validation; total ops and seconds "
        f"of a fit (of one processor core) are medians. Of {len(found)} tables, within one point of the best of the four "
        f"are {counts}."
    )
    return "\n".join([*lines, "", remark])


def microcontroller() -> str:
    """Circuits and forests on a Cortex-M4."""
    found = read("microcontroller")
    lines = ["| | test, % | flash, bytes | RAM, bytes | instructions per sample |", f"|---|{'---:|' * 4}"]
    for name, case in found["cases"].items():
        for row in case["rows"]:
            title = row["name"].removeprefix("gatewright, ").removeprefix(f"{name}, ")
            if "trees" in row:
                title = f"{row['name'].split(',')[0]}, {row['trees']} trees, {row['nodes']:,} nodes"
            figures = " | ".join(f"{row[key]:,}" for key in ("flash", "ram", "instructions"))
            lines.append(f"| {name}: {title} | {100 * row['test']:.2f} | {figures} |")
    emulator = found["emulator"].split(" (")[0]
    lines += ["", f"{found['compiler']}, {emulator} (`PYTHONPATH=tests python benchmarks/microcontroller.py`)."]
    return "\n".join(lines)
