"""What each part of the method is worth: one thing changed at a time, three seeds each unless told otherwise.

    python benchmarks/ablation.py                       # all studies: nine hours of one core, of which `recipe` and
                                                        # `paper`, with three seeds, take three each
    python benchmarks/ablation.py heads pruning         # some of them
    python benchmarks/ablation.py paper --seeds 0       # one seed only
    python benchmarks/ablation.py --show                # only print

Needs GATEWRIGHT_DATA. Adds to `ablation.json` beside itself after every run; a run that is there with the same options is
not repeated, so it may be stopped at any time. Accuracies are on the validation split; `python benchmarks/tables.py` writes
the table of docs/ablation.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from conv_studies import CONV_STUDIES
from gatewright import data
from gatewright.circuit import Circuit, cost
from gatewright.circuit.evaluate import encode
from gatewright.circuit.simplify.lossy import by_samples
from gatewright.engine import Engine
from gatewright.runs.prune import TOLERANCES
from gatewright.runtime.machine import machine, versions
from gatewright.training.load import load_preset
from short_runs import SEEDS, run_once, seeds, summary
from study import Study

HERE = Path(__file__).parent
RESULT = HERE / "ablation.json"


def pruned(circuit: Circuit, name: str) -> dict[str, Any]:
    """Lossy removal by training samples, judged on one half of the validation samples and evaluated on the other."""
    dataset = data.load_dataset(name)
    bits = encode(circuit, dataset.train.x[:20_000])
    judge, evaluation = (np.arange(len(dataset.validation)) % 2 == half for half in (0, 1))

    def accuracy(candidate: Circuit, part: Any) -> float:
        right = Engine(candidate).predict(dataset.validation.x[part]) == dataset.validation.y[part]
        return float(right.mean())

    candidates = {"lossless": circuit}
    candidates |= {f"tolerance {t:g}": by_samples(circuit, bits, tolerance=t)[0] for t in TOLERANCES}
    goal = accuracy(circuit, judge)
    good = [candidate for candidate in candidates.values() if accuracy(candidate, judge) >= goal]
    chosen = min(good, key=lambda candidate: cost(candidate).logic_ops)
    shown = {"lossless": circuit, "tolerance 0": candidates["tolerance 0"], "chosen on validation": chosen}
    return {
        arm: {
            "validation": round(accuracy(candidate, evaluation), 4),
            "logic_ops": cost(candidate).logic_ops,
            "total_ops": cost(candidate).total_ops,
            "head_ops": cost(candidate).head_ops,
        }
        for arm, candidate in shown.items()
    }


def dense(*widths: int) -> str:
    return f"model.layers=[{{type: flatten}}, {', '.join(f'{{type: dense, width: {w}}}' for w in widths)}]"


def trees(first: int, levels: int, gates: str) -> str:
    """A layer of `first` neurons, then layers whose neurons read two neighbours each."""
    widths = (f"{{type: dense, width: {first >> level}, inputs: 2, gates: {gates}}}" for level in range(1, levels + 1))
    return f"model.layers=[{{type: flatten}}, {{type: dense, width: {first}, gates: {gates}}}, {', '.join(widths)}]"


def conv(first: int, *, tree: int = 1) -> str:
    """The paper's stack at a quarter of its dense layers; with `tree`, each gate becomes a tree over that many leaves.

    A tree's leaves are gates on the window; then pairs of neighbouring channels meet in 1x1 convolutions up to its root.
    """
    layers = []
    for channels, stride in ((first, 2), (first, 1), (4 * first, 2), (4 * first, 1)):
        layers.append(
            f"{{type: conv, channels: {channels * tree}, stride: {stride}, channels_in: {1 if tree == 1 else 0}}}"
        )
        size = tree
        while size > 1:
            size //= 2
            layers.append(f"{{type: conv, channels: {channels * size}, kernel: 1, channels_in: 2}}")
    return f"model.layers=[{', '.join(layers)}, {{type: flatten}}, {{type: dense, width: 2500, repeat: 2}}]"


HARD = ["model.relaxation=hard", "model.candidates=8", "optimizer={schedule: one-cycle}", "train.eval_every=250"]
SOFT = [
    "model.relaxation=soft",
    "model.candidates=16",
    "optimizer={schedule: one-cycle, lr: 0.02}",
    "train.eval_every=250",
]
QUICK = ["train.batch=128"]

STUDIES = {
    "connections": Study(
        "learned connections: the paper's resampling (constants as published, and scaled to the length of the run), guided",
        "mnist-fast",
        [*SOFT, *QUICK, dense(2000), "train.steps=1000"],
        {
            "fixed": ["connections={kind: fixed}"],
            "resample": ["connections={kind: resample}"],
            "resample, scaled": ["connections={kind: resample, patience: 10, decay: 0.9, tolerance: 0.005}"],
            "guided": ["connections={kind: guided, every: 20, trials: 32, stop: 0.8}"],
        },
    ),
    "convolution": Study(
        "compact convolutions (one gate a channel) against trees of three gates, at equal channels and at equal gates",
        "cifar10-conv-k16",
        [
            *HARD,
            *QUICK,
            "model.tau=null",
            "discretization={kind: none}",
            "connections={kind: fixed}",
            "train.steps=600",
        ],
        {
            "compact, 24 channels": [conv(24)],
            "trees, 24 channels": [conv(24, tree=2)],
            "trees, 8 channels": [conv(8, tree=2)],
        },
    ),
    "discretization": Study(
        "freezing layers one after the other while the network learns, three soft layers",
        "mnist-fast",
        [*SOFT, *QUICK, dense(1000, 1000, 1000), "connections={kind: fixed}", "train.steps=1500", "train.keep=last"],
        {
            "at the end": ["discretization={kind: none}"],
            "adaptive": ["discretization={kind: adaptive, start: 0.6, patience: 20, decay: 0.9, tolerance: 0.001}"],
        },
    ),
    "relaxation": Study(
        "hard against soft relaxation, equal steps, guided connections",
        "mnist-fast",
        [*QUICK, dense(2000, 2000), "connections={kind: guided, every: 20}", "train.steps=1000"],
        {"hard": HARD, "soft": SOFT, "hard, 16 candidates": [*HARD, "model.candidates=16"]},
    ),
    "heads": Study(
        "narrow heads: fewer bits for the group sum",
        "mnist-fast",
        [*HARD, *QUICK, "connections={kind: guided, every: 20, trials: 32, stop: 0.8}", "train.steps=1500"],
        {
            "8000": [dense(8000)],
            "2000": [dense(2000)],
            "6000, 2000": [dense(6000, 2000)],
            "7000, 1000": [dense(7000, 1000)],
            "7500, 500": [dense(7500, 500)],
        },
    ),
    "weights": Study(
        "whole-number weights in the head, against counting, and against a layer of wires before it, 3,000 gates",
        "mnist-fast",
        [
            *HARD,
            *QUICK,
            "connections={kind: guided, every: 20, trials: 32, stop: 0.8}",
            "train.batch=512",
            "train.steps=3000",
        ],
        {
            "counted": [dense(3000)],
            "weighted": [dense(3000), "model.head={kind: weighted}"],
            "weighted, up to 3": [dense(3000), "model.head={kind: weighted, limit: 3, lr: 0.003}"],
            "9,000 wires, counted": [
                "model.layers=[{type: flatten}, {type: dense, width: 3000}, {type: dense, width: 9000, gates: wires}]"
            ],
        },
    ),
    "rates": Study(
        "how fast and how far the weights of a head are learned, and at which temperature, 4,000 gates",
        "cifar10-16k",
        [dense(4000), "train.steps=2000", "train.eval_every=500"],
        {
            "up to 1, rate 0.001": ["model.head={kind: weighted, limit: 1, lr: 0.001}"],
            "up to 1, rate 0.01": ["model.head={kind: weighted, limit: 1, lr: 0.01}"],
            "up to 3, rate 0.001": ["model.head={kind: weighted, limit: 3, lr: 0.001}"],
            "up to 3, rate 0.01": ["model.head={kind: weighted, limit: 3, lr: 0.01}"],
            "up to 3, rate 0.01, tau doubled": ["model.head={kind: weighted, limit: 3, lr: 0.01}", "model.tau=34.6"],
        },
    ),
    "trees": Study(
        "few outputs behind many gates: connections learned in all layers, or in the first one of trees",
        "mnist-fast",
        [
            *HARD,
            *QUICK,
            "connections={kind: guided, every: 20, trials: 32, stop: 0.8}",
            "train.batch=512",
            "train.steps=1500",
        ],
        {
            "in all layers": [dense(3200, 1600, 800, 400, 200)],
            "in all layers, from wires": [dense(3200, 1600, 800, 400, 200), "model.init=residual"],
            "trees": [trees(3200, 4, "all")],
            "trees of gates that need both inputs": [trees(3200, 4, "logic")],
        },
    ),
    "wide-trees": Study(
        "a weighted head on 32,400 gates: each counts, or trees of three do, and how fast these learn",
        "mnist-32k",
        ["data.validation=holdout", "train.steps=4500", "train.eval_every=1500"],
        {
            "gates, rate 0.01": [dense(32400), "model.tau=98.0", "optimizer.lr=0.01"],
            "trees, rate 0.01": [trees(21600, 1, "logic"), "model.tau=57.0", "optimizer.lr=0.01"],
            "trees, rate 0.0025": [trees(21600, 1, "logic"), "model.tau=57.0", "optimizer.lr=0.0025"],
        },
    ),
    "gradients": Study(
        "gradients as int8 against float32",
        "mnist-fast",
        [
            *HARD,
            *QUICK,
            dense(2000, 2000),
            "connections={kind: guided, every: 20}",
            "train.batch=512",
            "train.steps=1500",
        ],
        {"int8": ["model.gradients=int8"], "float": ["model.gradients=float"]},
    ),
    "augmentation": Study(
        "training images moved, turned, bent",
        "mnist-fast",
        [
            *HARD,
            *QUICK,
            dense(5000),
            "model.head={kind: weighted}",
            "connections={kind: guided, every: 20, trials: 32, stop: 0.8}",
            "train.batch=512",
            "train.steps=5000",
        ],
        {
            "none": ["data.augment={shift: 0}"],
            "shift 1": ["data.augment={shift: 1}"],
            "shift 1, rotation 8": ["data.augment={shift: 1, rotation: 8}"],
            "and scale 0.08, bend 0.7": ["data.augment={shift: 1, rotation: 8, scale: 0.08, bend: 0.7}"],
        },
    ),
    **CONV_STUDIES,
    "pruning": Study(
        "removal of gates that 20,000 training samples do not need, judged on one half of validation, shown on the other",
        "mnist-fast",
        [*HARD, *QUICK, dense(3000, 2000), "connections={kind: guided, every: 20}", "train.steps=1000"],
        {},
        pruned,
    ),
}


def read() -> dict[str, Any]:
    """What was measured so far."""
    found: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"studies": {}}
    return found


def measure(name: str, numbers: Sequence[int]) -> None:
    """Run what is missing of a study, seed by seed, arms in turn, so that a drifting machine is unfair to none."""
    study = STUDIES[name]
    for seed in numbers:
        for arm, changes in (study.arms or {"": []}).items():
            options = [*study.changes, *changes]
            results = read()
            entry = results["studies"].setdefault(name, {"arms": {}})
            if _is_there(entry, study, arm, options, seed):
                continue
            circuits: list[Circuit] = []
            run = run_once(study.preset, options, seed, keep=circuits.append)
            if not study.curves:
                del run["curve"]
            if study.circuits is None:
                made = {arm: run}
            else:
                config = load_preset(study.preset, options)
                made = {k: {"seed": seed, **v} for k, v in study.circuits(circuits[0], config.data.name).items()}
            for key, row in made.items():
                old = entry["arms"].get(key, {"options": options, "runs": []})
                runs = old["runs"] if old["options"] == options else []
                runs = [*(each for each in runs if each["seed"] != seed), row]
                entry["arms"][key] = {"options": options, "runs": runs, **summary(runs)}
            entry |= {"question": study.question, "preset": study.preset, "machine": machine(torch.device("cpu"))}
            results["studies"] = {key: results["studies"][key] for key in STUDIES if key in results["studies"]}
            results["versions"] = versions()
            RESULT.write_text(json.dumps(results, indent=1) + "\n")
            print(name, seed, {key: row["validation"] for key, row in made.items()}, flush=True)


def _is_there(entry: dict[str, Any], study: Study, arm: str, options: list[str], seed: int) -> bool:
    arms = entry["arms"] if study.circuits is not None else {arm: entry["arms"].get(arm)}
    return bool(arms) and all(
        found is not None and found["options"] == options and any(run["seed"] == seed for run in found["runs"])
        for found in arms.values()
    )


def main() -> None:
    """Measure, then print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="*", choices=[*STUDIES, []])
    parser.add_argument("--seeds", type=seeds, default=SEEDS)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if not options.show:
        for name in options.study or STUDIES:
            measure(name, options.seeds)
    for name, study in read()["studies"].items():
        print(f"\n{name}: {study['question']}")
        for arm, row in study["arms"].items():
            spread = "" if row["deviation"] is None else f" +- {100 * row['deviation']:.2f}"
            print(f"  {arm:24} {100 * row['mean']:6.2f}{spread}  {row['logic_ops']:,.0f} / {row['total_ops']:,.0f} ops")


if __name__ == "__main__":
    main()
