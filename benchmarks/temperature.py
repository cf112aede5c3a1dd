"""Is the measured temperature as good as the best constant? Short trainings on validation.

python benchmarks/temperature.py [--seeds 0,1,2] [CASE ...]   # writes temperature.json beside itself

Each case is trained with the temperature that `measure_temperature` chooses, with half, twice and four times as much, and
with the rule of independent bits. What is already measured is kept, so a stopped run resumes. One thread, one-cycle
schedule.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch

from gatewright import Thermometer, data
from gatewright.nn.temperature import SAMPLES, measure_temperature
from gatewright.runtime.machine import machine
from gatewright.runtime.threads import use_threads
from gatewright.training.batches import Feed
from gatewright.training.build import build_trainer
from gatewright.training.config import Recipe
from short_runs import seeds

FILE = Path(__file__).with_suffix(".json")

CONV = [
    {"type": "conv", "channels": 16, "stride": 2},
    {"type": "conv", "channels": 16},
    {"type": "conv", "channels": 64, "stride": 2},
    {"type": "conv", "channels": 64},
    {"type": "flatten"},
]
TREES = [
    {"type": "dense", "width": 1900 * 2**i, "gates": "logic", **({} if i == 2 else {"inputs": 2})} for i in (2, 1, 0)
]


def dense(width: int) -> dict[str, Any]:
    """A dense layer."""
    return {"type": "dense", "width": width}


def case(name: str, layers: list[Any], steps: int, *, conv: bool = False, **more: Any) -> dict[str, Any]:
    """Data set, encoder, and the recipe of a training."""
    return {
        "data": name,
        "thresholds": more.get("thresholds", 1),
        "recipe": {
            "model": {
                "layers": layers,
                "relaxation": "hard",
                "candidates": 8,
                "init": "residual" if conv else "gaussian",
                "head": more.get("head", {"kind": "sum"}),
            },
            "optimizer": {"lr": more.get("lr", 0.02 if conv else 0.01), "schedule": "one-cycle"},
            "connections": {"kind": "guided", "margin": 1.5 if conv else 0.3, "stop": 0.8},
            "train": {"steps": steps, "batch": 256, "eval_every": steps, "threads": 1},
        },
    }


FLAT = {"type": "flatten"}
WEIGHTED = {"kind": "weighted", "lr": 0.01}
CASES = {
    "mnist, dense 4,000": case("mnist", [FLAT, dense(4000)], 3000),
    "mnist, trees": case("mnist", [FLAT, *TREES], 3000, lr=0.0025),
    "mnist, conv k = 16": case("mnist", [*CONV, dense(3000)], 3000, conv=True),
    "fashion-mnist, conv k = 16": case("fashion-mnist", [*CONV, dense(4000)], 3000, conv=True, thresholds=3),
    "cifar10, dense 8,000": case("cifar10", [FLAT, dense(8000)], 3000, thresholds=7),
    "cifar10, dense 4,000, weighted": case("cifar10", [FLAT, dense(4000)], 3000, thresholds=3, head=WEIGHTED),
    "cifar10, conv k = 16": case("cifar10", [*CONV, dense(6000)], 3000, conv=True, thresholds=3),
    "adult, dense 100": case("adult", [dense(100)], 2000, thresholds=32),
    "mit-bih, dense 500": case("mit-bih", [dense(500)], 2000, thresholds=8),
}


def accuracy(setting: dict[str, Any], seed: int, factor: float | None) -> tuple[float, float]:
    """Validation accuracy after training, and the temperature; factor None for the rule of independent bits."""
    recipe = Recipe.model_validate(setting["recipe"])
    dataset = data.load_dataset(setting["data"])
    binary = dataset.binary_features if dataset.binary_features.any() else None
    generator = torch.Generator().manual_seed(seed)
    encoder = encoder_of(dataset, setting["thresholds"], binary)
    model = recipe.model.plan(encoder.out_shape, dataset.n_classes, dataset.label_shape).build(encoder, generator)
    tau = measure_temperature(model, torch.from_numpy(dataset.train.x[:SAMPLES]))
    head = model[-1]
    head.tau = head.rule(recipe.model.layers[-1].width) if factor is None else factor * tau
    cpu = torch.device("cpu")
    trainer = build_trainer(recipe, model, Feed(dataset.train, cpu), Feed(dataset.validation, cpu), generator)
    with use_threads(1):
        trainer.fit()
    return trainer.best.accuracy, head.tau


def encoder_of(dataset: data.Dataset, thresholds: int, binary: Any) -> Thermometer:
    """Uniform thresholds for images, quantiles for everything else."""
    if len(dataset.shape) == 3:
        return Thermometer.uniform(thresholds, dataset.shape, dataset.dtype)
    return Thermometer.quantile(thresholds, dataset.train.x, binary=binary)


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", type=seeds, default="0")
    options = parser.parse_args()
    found = json.loads(FILE.read_text()) if FILE.exists() else {"machine": machine(torch.device("cpu")), "cases": {}}
    for seed in options.seeds:
        for name in options.cases:
            rows = found["cases"].setdefault(name, [])
            for factor in (1.0, None, 0.5, 2.0, 4.0):
                if any((row["seed"], row["factor"]) == (seed, factor) for row in rows):
                    continue
                begin = time.perf_counter()
                reached, tau = accuracy(CASES[name], seed, factor)
                row = {"seed": seed, "factor": factor, "tau": round(tau, 3), "validation": round(reached, 5)}
                rows.append({**row, "seconds": round(time.perf_counter() - begin, 1)})
                FILE.write_text(json.dumps(found, indent=1) + "\n")
                print(name, rows[-1], flush=True)


if __name__ == "__main__":
    main()
