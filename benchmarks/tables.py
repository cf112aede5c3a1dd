"""Write the tables of README.md and docs/ from the results in this folder.

python benchmarks/tables.py           # rewrite them
python benchmarks/tables.py --check   # fail if they are not what the results say
"""

from __future__ import annotations

import argparse
import math
import re
import statistics
import sys
from typing import Any

from ablation_table import ablation
from conv_tables import conv_prices, conv_rows, conv_stacks, conv_steps
from gatewright.data import describe
from gatewright.runs.report.published import OPS_PER_BIT, OPS_PER_COMPARISON, benchmark, published
from gatewright.runs.report.table import accuracy_text, table
from gatewright.runs.results import Results
from measured import HERE, read
from rival_tables import comparison, imports, microcontroller, rivals

ROOT = HERE.parent


COMPLETE = (
    "Rows that no cheaper row of the same data equals; all rows are in [pareto.md](pareto.md). "
    "Accuracy: mean and sample standard deviation over seeds, test read once. "
    "Costs: of the circuit in the zoo, one of these seeds, complete with encoder, popcount and argmax "
    "(`python benchmarks/zoo_cost.py`). *Total ops* are two-input gates; *logic ops* leave out encoder and head, "
    "as papers do; *NAND + INV* is the count of the public benchmark of logic networks, by yosys; "
    "*LUT6* are six-input tables, by ABC."
)


def pareto() -> str:
    """Test accuracy and cost of each preset, over its seeds."""
    return table(Results(HERE / "pareto.json").rows())


def complete() -> str:
    """The front of each data set in total ops, counted of the circuits in the zoo with encoder and head."""
    counted, rows = read("zoo_cost") or {}, Results(HERE / "pareto.json").rows()
    lines = [
        "| preset | data | test accuracy, % | seeds | total ops | logic ops | NAND + INV | LUT6 | training, s |",
        f"|---|---|{'---:|' * 7}",
    ]
    for name in sorted({row.data for row in rows}):
        best = 0.0
        mine = [(counted[row.name], row) for row in rows if row.data == name and row.name in counted]
        for cost, row in sorted(mine, key=lambda pair: pair[0]["total_ops"]):
            if row.accuracy <= best:
                continue
            best = row.accuracy
            tools = ["-" if cost[key] is None else f"{cost[key]:,}" for key in ("nand_inv", "lut6")]
            lines.append(
                f"| `{row.name}` | {row.data} | {accuracy_text(row)} | {len(row.seeds)} | {cost['total_ops']:,} "
                f"| {cost['logic_ops']:,} | {' | '.join(tools)} | {row.train_seconds:,.0f} |"
            )
    lines += ["", COMPLETE]
    return "\n".join(lines)


def headline() -> str:
    """One sentence of numbers: the smallest circuit of MNIST with more than 98 % of the test images right."""
    counted, rows = read("zoo_cost"), Results(HERE / "pareto.json").rows()
    able = [row for row in rows if row.data == "mnist" and row.accuracy > 0.98 and row.name in counted]
    row = min(able, key=lambda each: int(counted[each.name]["total_ops"]))
    cost = counted[row.name]
    return (
        f"`{row.name}` reads {100 * row.accuracy:.2f} ± {100 * (row.deviation or 0):.2f} % of MNIST's test digits with "
        f"{cost['total_ops']:,} two-input gates, popcount and argmax included ({cost['nand_inv']:,} NANDs and inverters, "
        f"{cost['lut6']:,} six-input tables), learned in {row.train_seconds:,.0f} s on the CPU "
        f"({row.machine['processor']}) and proven equal to the trained network for every input; "
        f"mean of {len(row.seeds)} seeds."
    )


def peers() -> str:
    """Published rows that state gates, beside our smallest circuit that is at least as accurate."""
    counted, rows = read("zoo_cost"), Results(HERE / "pareto.json").rows()
    lines = [
        "| data | published | test, % | gates | gatewright, no less accurate | test, % | gates | with encoder and head |",
        "|---|---|---:|---:|---|---:|---:|---:|",
    ]
    for other in published():
        if other.gates is None:
            continue
        able = [row for row in rows if row.data == other.data and 100 * row.accuracy >= other.accuracy]
        own = "none yet | | | |"
        if able:
            row = min(able, key=lambda each: each.logic_ops)
            cost = counted[row.name]
            own = f"`{row.name}` | {accuracy_text(row)} | {cost['logic_ops']:,} | {cost['total_ops']:,} |"
        lines.append(f"| {other.data} | {other.method} | {other.accuracy:.2f} | {other.gates:,} | {own}")
    lines += [
        "",
        "Gates as each paper counts them, ours after lossless simplification; no paper states encoder and head.",
    ]
    return "\n".join(lines)


def training() -> str:
    """Training steps a second against torchlogix."""
    found = read("training")
    if found is None:
        return ""
    lines = ["| training step | ms | samples/s | against torchlogix, fixed wiring |", "|---|---:|---:|---:|"]
    for case in found["cases"]:
        setting, rows = case["setting"], case["contenders"]
        base = rows.get("torchlogix fixed")
        widths = setting["widths"]
        title = f"{len(widths)} x {widths[0]:,}, batch {setting['batch']}, {setting['threads']} thread(s)"
        for name, row in rows.items():
            ratio = f"{row['samples_per_s'] / base['samples_per_s']:.1f} x" if base else ""
            lines.append(f"| {title}: {name} | {row['ms_per_step']:,.1f} | {row['samples_per_s']:,.0f} | {ratio} |")
    lines.append("")
    first = found["cases"][0]
    lines.append(
        f"{first['setting']['candidates']} learned candidates per neuron, {first['machine']['processor']}; the contenders "
        "take turns in one run (`gatewright bench train --json`)."
    )
    return "\n".join(lines)


def connections() -> str:
    """Guided proposals, resampling and fixed wiring."""
    found = read("connections")
    if found is None:
        return ""
    lines = [
        "| case | connections | steps | validation accuracy, % | logic ops | training, s |",
        "|---|---|---:|---:|---:|---:|",
    ]
    for case, result in found["cases"].items():
        others = {f"{kind}, in guided's time": row for kind, row in result["equal_time"].items()}
        for kind, row in (result["kinds"] | others).items():
            steps, accuracy = row["runs"][0]["curve"][-1][0], f"{100 * row['mean']:.2f} ± {100 * row['deviation']:.2f}"
            lines.append(
                f"| {case} | {kind} | {steps:,} | {accuracy} | {row['logic_ops']:,.0f} | {row['seconds']:.0f} |"
            )
    lines.append("")
    lines.append(
        f"Means and standard deviations over three seeds, medians for the rest; "
        f"{found['machine']['processor']}, {found['machine']['cores']} cores (`python benchmarks/connections.py`)."
    )
    return "\n".join(lines)


def hardware() -> str:
    """Trained circuits on FPGAs."""
    lines = [
        "| circuit | test, % | logic ops | total ops | device | stages | tables | head's | flip-flops | MHz | ns | s |",
        f"|---|{'---:|' * 3}---|{'---:|' * 7}",
    ]
    for row in read("hardware")["rows"]:
        head = row["parts"]["head"]["luts"]["value"]
        time = [f"{row[key]['value']:.1f}" if row[key] else "not placed" for key in ("fmax_mhz", "latency_ns")]
        lines.append(
            f"| {row['circuit']} | {100 * float(row['test_accuracy']):.2f} | {row['logic_ops']:,} | {row['total_ops']:,} "
            f"| {row['device'] or row['target']} | {row['pipeline']} | {row['luts']['value']:,} | {head:,} "
            f"| {row['flip_flops']['value']:,} | {time[0]} | {time[1]} | {row['seconds']:,.0f} |"
        )
    lines += ["", "Tables and flip-flops are mapped; clock and latency are placed and routed; s are of synthesis."]
    return "\n".join(lines)


def engine() -> str:
    """Speed of the engine, beside compiled code of torchlogix on the same network in the same run."""
    found = read("engine")
    lines = ["| one core | median | best |", "|---|---:|---:|"]
    for row in found["gates only, 10^12 gate-samples/s, one core"]:
        name = f"gates only, {row['gates']:,} gates, 10^12 gate-samples/s"
        lines.append(f"| {name} | {row['T at auto']:.2f} | {row['best T at auto']:.2f} |")
    row = found["mnist, 10^6 images/s"][0]
    for key in ("pixels to classes", "pixels to scores", "Booleans to classes", "packed bits to classes"):
        name = f"{row['gates']:,} gates, {key}, 10^6 images/s"
        lines.append(f"| {name} | {row[key]:.1f} | {row['best ' + key]:.1f} |")
    other = found["torchlogix, 10^6 samples/s, one core"]
    for level in ("-O1", "-O3"):
        seconds = other[f"compile seconds, {level}"]
        name = f"torchlogix 0.2.2, the same, Booleans to classes, compiled by gcc {level} in {seconds:.0f} s"
        lines.append(f"| {name} | {other[f'Booleans to classes, {level}']:.2f} | |")
    first = found["first call, seconds"]
    lines.append(f"| seconds from import to first classes, compiled code cached | {first['warm']:.2f} | |")
    lines.append(f"| the same, nothing cached | {first['cold']:.1f} | |")
    return "\n".join(lines)


def beats() -> str:
    """Sensitivity and precision of each class of heart beats."""
    rows = [row for row in Results(HERE / "pareto.json").rows() if describe(row.data).kind == "signal"]
    if not rows:
        return ""
    names = describe(rows[0].data).class_names
    lines = [
        f"| heart beats, test, % | {' | '.join(f'{name} sensitivity | {name} precision' for name in names)} |",
        f"|---|{'---:|' * (2 * len(names))}",
    ]
    for row in rows:
        pairs = zip(row.sensitivity, row.precision, strict=True)
        figures = ["-" if value is None else f"{100 * value:.1f}" for pair in pairs for value in pair]
        lines.append(f"| `{row.name}` | {' | '.join(figures)} |")
    return "\n".join(lines)


RECKONED = (  # shown below the table
    f"*Total ops, reckoned*: gates + {OPS_PER_BIT} x counted bits + {OPS_PER_COMPARISON} x (classes - 1) x w, where w "
    "is the width of a class's count: full adders for the popcount, comparing and choosing for argmax. "
    "The encoder is left out. In the plots these rows are hollow; [networks of other libraries that were trained and "
    "counted here](import.md#beside-ours) are filled. "
    "*Counted bits* follow from the papers' layer sizes; a dash means that they are not known."
)


def published_rows() -> str:
    """What others have published."""
    lines = [
        "| published | data | test accuracy, % | gates as the paper counts them | counted bits | total ops, reckoned |",
        f"|---|---|{'---:|' * 4}",
    ]
    for row in published():
        total = row.reckoned_total(len(describe(row.data).class_names))
        figures = [
            "not stated" if row.gates is None else f"{row.gates:,}",
            *("-" if figure is None else f"{figure:,}" for figure in (row.counted_bits, total)),
        ]
        lines.append(f"| {row.method} | {row.data} | {row.accuracy:.2f} | {' | '.join(figures)} |")
    sources = dict.fromkeys(f"{row.method}: {row.source}" for row in published())
    return "\n".join([*lines, "", RECKONED, "", "; ".join(sources) + "."])


def public_benchmark() -> str:
    """Rows in the currency of the public benchmark, its own and gatewright's, by data set and cost."""
    found = read("whole_cost") or {}
    rows = [(row.data, row.nand_inv, row.accuracy, row.method) for row in benchmark()]
    rows += [
        (row["data"], row["nand_inv"], 100 * row["correct"] / row["images"], f"**gatewright, `{name}`**")
        for name, row in found.items()
        if row["nand_inv"] is not None
    ]
    lines = ["| circuit | data | test accuracy, % | NAND + INV |", "|---|---|---:|---:|"]
    lines += [f"| {name} | {data} | {accuracy:.2f} | {cost:,} |" for data, cost, accuracy, name in sorted(rows)]
    images = sum(row.get("equal_to_engine", 0) for row in found.values())
    remark = (
        "NAND gates and inverters of the circuit from pixels to the class, mapped by the benchmark's script "
        "(`python benchmarks/whole_cost.py`). The accuracy is that of the mapped netlist on all 10,000 test images; "
        f"gatewright's netlists gave the class of the engine on each of {images:,} images. "
        f"Other rows: {benchmark()[0].source}."
    )
    return "\n".join([*lines, "", remark])


def searches() -> str:
    """What searches found, beside the presets of the same data, all judged on validation."""
    titles = ["search", "seconds", "trials (stopped)", "total ops", "validation, %", "test, %"]
    lines = [
        f"| {' | '.join([*titles, 'nearest preset: total ops', 'validation, %'])} |",
        f"|---|{'---:|' * 5}---|---:|",
    ]
    results = read("searches") or {"searches": {}, "presets": {}}
    for found in results["searches"].values():
        winner, seeds = found["winner"], found["seeds"]
        figures = []
        for key in ("validation", "test"):
            values = [100 * run[key] for run in seeds]
            spread = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            figures.append(f"{statistics.mean(values):.2f}{spread}")
        ops = [run["total_ops"] for run in seeds]
        ((currency, limit),) = found["limits"].items()
        near, cost, accuracy = _nearest(
            found["data"], limit if currency == "total_ops" else statistics.mean(ops), results
        )
        unit = {"total_ops": "total ops", "nand": "NAND + INV"}[currency]
        lines.append(
            f"| {found['data']}, {limit:,} {unit} | {winner['seconds']:,.0f} | {len(found['trials'])} "
            f"({winner['pruned']}) | {_range(ops)} | {' | '.join(figures)} "
            f"| `{near}`: {cost:,.0f} | {accuracy} |"
        )
    remark = (
        "Three seeds of the winner; one, the trial's own, where longer runs grew beyond the budget. Beside it the preset "
        "whose total ops are nearest to the limit (to the winner's, if the limit has another unit). Presets that learn "
        "from all training samples were trained once more, one seed, with a tenth held out as for searches "
        "(`python benchmarks/searches.py --presets NAME`). "
        f"{_predicted(results)}"
    )
    return "\n".join([*lines, "", remark])


def _predicted(results: dict[str, Any]) -> str:
    """How well the circuits of all trials were predicted."""
    factors = []
    for found in results["searches"].values():
        for trial in found["trials"]:
            if trial["figures"] is not None and "total_ops" in trial["figures"]:
                ratio = trial["figures"]["total_ops"] / trial["predicted"]["total_ops"]
                factors.append(max(ratio, 1 / ratio))
    return (
        f"The total ops of the {len(factors)} circuits of their trials, on none of which predictions were fitted, were "
        f"predicted to within a factor of {statistics.median(factors):.2f} (median) and {max(factors):.2f} (worst)."
    )


def _range(ops: list[int]) -> str:
    return f"{min(ops):,} to {max(ops):,}" if len(ops) > 1 else f"{ops[0]:,}"


def _nearest(data: str, ops: float, results: dict[str, Any]) -> tuple[str, float, str]:
    """The preset with about so many total ops: its name, total ops, and accuracy on validation."""
    rows = [row for row in Results(HERE / "pareto.json").rows() if row.data == data]
    near = min(rows, key=lambda row: abs(math.log(row.total_ops / ops)))
    apart = results["presets"].get(near.name)
    if apart is not None:
        return near.name, apart["total_ops"], f"{100 * apart['validation']:.2f}"
    return near.name, near.total_ops, "?" if near.validation is None else f"{100 * near.validation:.2f}"


def pictures() -> str:
    """The fronts that plots.py has drawn."""
    return _shown("pareto", "accuracy over cost")


def nand_pictures() -> str:
    """The plots in the currency of the public benchmark."""
    return _shown("nand", "accuracy over NAND gates and inverters")


def _shown(kind: str, what: str) -> str:
    files = sorted((ROOT / "docs").glob(f"{kind}-*.png"))
    return "\n\n".join(f"![{file.stem.removeprefix(f'{kind}-')}: {what}]({file.name})" for file in files)


PAGES = {
    ("README.md", "headline"): (headline,),
    ("README.md", "peers"): (peers,),
    ("docs/zoo.md", "results"): (complete,),
    ("docs/networks.md", "training"): (training,),
    ("docs/networks.md", "conv-steps"): (conv_steps,),
    ("docs/hardware.md", "hardware"): (hardware,),
    ("docs/hardware.md", "microcontroller"): (microcontroller,),
    ("docs/sklearn.md", "comparison"): (comparison,),
    ("docs/engine.md", "engine"): (engine,),
    ("docs/connections.md", "connections"): (connections,),
    ("docs/connections.md", "conv-rows"): (conv_rows,),
    ("docs/connections.md", "conv-prices"): (conv_prices,),
    ("docs/connections.md", "conv-stacks"): (conv_stacks,),
    ("docs/search.md", "searches"): (searches,),
    ("docs/ablation.md", "ablation"): (ablation,),
    ("docs/import.md", "rivals"): (rivals,),
    ("docs/import.md", "imports"): (imports,),
    ("docs/pareto.md", "pareto"): (pareto, beats, pictures, published_rows),
    ("docs/pareto.md", "benchmark"): (nand_pictures, public_benchmark),
}
"""Which tables stand in which page, between comments of which name."""


def main() -> None:
    """Rewrite or check the pages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    for (page, name), tables in PAGES.items():
        text = "\n\n".join(filter(None, (table() for table in tables)))
        old = (ROOT / page).read_text()
        new = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda m, t=text: f"{m[1]}{t}\n{m[2]}", old, flags=re.DOTALL
        )
        if options.check and new != old:
            sys.exit(f"{page} differs from benchmarks/*.json: run python benchmarks/tables.py")
        (ROOT / page).write_text(new)


if __name__ == "__main__":
    main()
