"""Guided proposals against resampling and fixed wiring: same network, three seeds, in the same steps and in the same time.

    python benchmarks/connections.py                      # all cases, about 20 minutes on 2 cores
    python benchmarks/connections.py --case mnist-dense   # one of them
    python benchmarks/connections.py --draw               # only draw docs/connections.png again

Needs GATEWRIGHT_DATA. Adds to `connections.json` beside itself; a case that is there already is not run again. Accuracies
are on the validation split: the test split takes no part in choosing a method.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import torch

from gatewright.runtime.machine import machine, versions
from short_runs import SEEDS, run_once, summary

HERE = Path(__file__).parent
RESULT = HERE / "connections.json"
PICTURE = HERE.parent / "docs" / "connections.png"
DENSE = ["model.layers=[{type: flatten}, {type: dense, width: 8000}]", "train.batch=128"]
CASES: dict[str, tuple[str, list[str]]] = {
    "mnist-dense": ("mnist-fast", [*DENSE, "train.steps=1500"]),
    "fashion-mnist-dense": ("mnist-fast", [*DENSE, "data.name=fashion-mnist", "train.steps=1500"]),
    "cifar10-dense": (
        "mnist-fast",
        [*DENSE, "data.name=cifar10", "data.encoder.thresholds=3", "data.augment.shift=0", "train.steps=1500"],
    ),
    "cifar10-conv": (
        "cifar10-conv-k16",
        [
            "model.relaxation=hard",
            "model.candidates=8",
            "model.tau=null",
            "optimizer={schedule: one-cycle}",
            "discretization={kind: none}",
            "train.steps=1500",
        ],
    ),
}
# Deep networks change a tenth of their neurons a round (see `GuidedProposals`); the other setting is shown beside it.
GUIDED = {
    "cifar10-conv": {
        "guided": "connections={kind: guided, share: 0.1}",
        "guided, share 1": "connections={kind: guided}",
    }
}
KINDS = {
    "guided": "connections={kind: guided}",
    "resample": "connections={kind: resample}",
    "fixed": "connections={kind: fixed}",
}


def measure(case: str) -> dict[str, Any]:
    """All kinds and seeds of a case; kinds take turns, so that a drifting machine is unfair to none."""
    preset, changes = CASES[case]
    kinds = {kind: [*changes, change] for kind, change in (KINDS | GUIDED.get(case, {})).items()}
    found = {"preset": preset, "changes": changes, "kinds": _over_seeds(case, preset, kinds)}
    found["equal_time"] = equal_time(case, found)
    return found


def equal_time(case: str, found: dict[str, Any]) -> dict[str, Any]:
    """The other kinds again, with as many steps as take the time that guided proposals took."""
    rows, kinds = found["kinds"], {}
    for kind in ("resample", "fixed"):
        steps = round(rows[kind]["runs"][0]["curve"][-1][0] * rows["guided"]["seconds"] / rows[kind]["seconds"], -1)
        kinds[kind] = [*found["changes"], KINDS[kind], f"train.steps={int(steps)}"]
    return _over_seeds(case, found["preset"], kinds)


def _over_seeds(case: str, preset: str, kinds: dict[str, list[str]]) -> dict[str, Any]:
    rows: dict[str, Any] = {kind: {"runs": []} for kind in kinds}
    for seed in SEEDS:
        for kind, changes in kinds.items():
            row = run_once(preset, [*changes, "train.eval_every=100"], seed)
            rows[kind]["runs"].append(row)
            print(case, kind, seed, row["validation"], row["seconds"], flush=True)
    return {kind: row | summary(row["runs"]) for kind, row in rows.items()}


def draw(results: dict[str, Any]) -> None:
    """Learning curves over steps, the band spanning the seeds."""
    import matplotlib as mpl  # noqa: PLC0415 - the measurements need no plots

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    cases = results["cases"]
    figure, axes = plt.subplots(1, len(cases), figsize=(4 * len(cases), 3.4), constrained_layout=True, squeeze=False)
    for axis, (case, found) in zip(axes[0], cases.items(), strict=True):
        for kind, row in found["kinds"].items():
            steps = [point[0] for point in row["runs"][0]["curve"]]
            values = [[100 * run["curve"][i][2] for run in row["runs"]] for i in range(len(steps))]
            (line,) = axis.plot(steps, [statistics.mean(v) for v in values], label=kind)
            axis.fill_between(
                steps, [min(v) for v in values], [max(v) for v in values], alpha=0.2, color=line.get_color()
            )
        axis.set(title=case, xlabel="steps")
        axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("validation accuracy, %")
    axes[0][0].legend()
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    """Run what is missing, then draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"cases": {}}
    if not options.draw:
        results |= {"machine": machine(torch.device("cpu")), "versions": versions()}
        for case in options.case or CASES:
            if case not in results["cases"]:
                results["cases"][case] = measure(case)
                RESULT.write_text(json.dumps(results, indent=1) + "\n")
    draw(results)


if __name__ == "__main__":
    main()
