"""What stands behind compact convolutions, and what they read: short trainings, judged on validation.

    python benchmarks/conv_stacks.py [--seeds 0] [CASE ...]   # writes conv_stacks.json beside itself

Every case is a stack of convolutions and one kind of head, trained by the recipe of the presets on one thread. What is
measured already is kept, so a stopped run resumes. One seed sorts; single runs scatter by 0.15 points on MNIST.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from gatewright.runtime.machine import machine
from short_runs import run_once, seeds

FILE = Path(__file__).with_suffix(".json")
PAPER = ("k, stride: 2", "k", "4 * k, stride: 2", "4 * k")
MIXED = (*PAPER[:2], "4 * k, stride: 2, channels_in: 4", "4 * k, channels_in: 4")
NARROW = "data.augment={rotation: 8, scale: 0.08, bend: 0.7, shift: 1}"


def dense(width: int) -> str:
    """One layer, each gate of which is counted."""
    return f"{{type: dense, width: {width}}}"


def trees(n: int, leaves: int) -> str:
    """Trees of `leaves - 1` gates that need both inputs."""
    width, layers = n * leaves // 2, [f"{{type: dense, width: {n * leaves // 2}, gates: logic, init: gaussian}}"]
    while width > n:
        width //= 2
        layers.append(f"{{type: dense, width: {width}, inputs: 2, gates: logic, init: gaussian}}")
    return ", ".join(layers)


def stack(head: str, convolutions: tuple[str, ...] = PAPER) -> str:
    """The option that sets layers: convolutions, and what stands behind them."""
    layers = ", ".join(f"{{type: conv, channels: {each}}}" for each in convolutions)
    return f"model.layers=[{layers}, {{type: flatten}}, {head}]"


def case(data: str, k: int, head: str, *more: str, steps: int, convolutions: tuple[str, ...] = PAPER) -> dict[str, Any]:
    """A preset and what is changed in it."""
    preset = {"mnist": "mnist-conv-22k", "fashion": "fashion-mnist-conv-28k", "cifar10": "cifar10-conv-48k"}[data]
    own = (NARROW,) if data == "mnist" else ()
    every = "train.eval_every=2000" if steps > 6000 else "train.eval_every=1000"
    return {
        "preset": preset,
        "changes": [
            "data.validation=holdout",
            f"train.steps={steps}",
            every,
            f"model.k={k}",
            stack(head, convolutions),
            *own,
            *more,
        ],
    }


CASES = {
    "mnist k 16, 1,400 trees of 7": case("mnist", 16, trees(1400, 8), steps=12_000),
    "mnist k 16, 800 trees of 15": case("mnist", 16, trees(800, 16), steps=12_000),
    "mnist k 24, 1,000 trees of 7": case("mnist", 24, trees(1000, 8), steps=12_000),
    "mnist k 12, 500 trees of 7": case("mnist", 12, trees(500, 8), steps=12_000),
    "fashion k 16, 4,000 gates, 3 thresholds": case(
        "fashion", 16, dense(4000), "data.encoder.thresholds=3", steps=12_000
    ),
    "fashion k 16, 4,000 gates, 3 thresholds, channels mixed": case(
        "fashion", 16, dense(4000), "data.encoder.thresholds=3", steps=12_000, convolutions=MIXED
    ),
    "fashion k 16, 4,000 gates, 7 thresholds": case("fashion", 16, dense(4000), steps=12_000),
    "fashion k 16, 4,000 gates, 11 thresholds": case(
        "fashion", 16, dense(4000), "data.encoder.thresholds=11", steps=12_000
    ),
    "fashion k 16, 4,000 gates, 7 thresholds, shifts by 1": case(
        "fashion", 16, dense(4000), "data.augment.shift=1", steps=12_000
    ),
    "fashion k 32, 5,000 gates, 3 thresholds": case(
        "fashion", 32, dense(5000), "data.encoder.thresholds=3", steps=12_000
    ),
    "fashion k 32, 5,000 gates, 7 thresholds": case("fashion", 32, dense(5000), steps=12_000),
    "fashion k 16, 4,000 gates, 7 thresholds, 6,000 steps": case("fashion", 16, dense(4000), steps=6000),
    **{
        f"fashion k 16, 1,800 trees of 7, temperature {tau}": case(
            "fashion", 16, trees(1800, 8), f"model.tau={tau}", steps=steps
        )
        for tau, steps in ((8.05, 12_000), (18, 6000), (32, 6000))
    },
    "cifar10 k 16, 6,000 gates": case("cifar10", 16, dense(6000), steps=16_000),
    "cifar10 k 16, 6,000 gates, channels mixed": case("cifar10", 16, dense(6000), steps=16_000, convolutions=MIXED),
    "cifar10 k 16, 6,000 gates, 4,000 steps": case("cifar10", 16, dense(6000), steps=4000),
    **{
        f"cifar10 k 16, 2,800 trees of 7, temperature {tau}": case(
            "cifar10", 16, trees(2800, 8), f"model.tau={tau}", steps=steps
        )
        for tau, steps in ((10, 16_000), (25, 4000), (50, 4000))
    },
    "mnist k 10, 240 trees of 15": case("mnist", 10, trees(240, 16), steps=8000),
    **{
        f"mnist k {k}, {n} trees of 15, a thousand gates cost {weight}": case(
            "mnist", k, trees(n, 16), f"cost.weight={weight}", steps=8000
        )
        for k, n, weight in ((10, 240, 0.001), (10, 240, 0.01), (10, 240, 0.1), (12, 300, 0.01), (16, 400, 0.01))
    },
    "cifar10 k 12, 1,100 gates": case("cifar10", 12, dense(1100), steps=20_000),
    **{
        f"cifar10 k {k}, {n:,} gates, a thousand NANDs cost {weight}": case(
            "cifar10", k, dense(n), f"cost.weight={weight}", "cost.currency=nand", steps=20_000
        )
        for k, n, weight in ((12, 1100, 0.01), (16, 1300, 0.01), (16, 1500, 0.02))
    },
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*CASES, []])
    parser.add_argument("--seeds", type=seeds, default="0")
    asked = parser.parse_args()
    results = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in asked.names or CASES:
        for seed in asked.seeds:
            runs = results.setdefault(name, [])
            if any(run["seed"] == seed for run in runs):
                continue
            runs.append(
                run_once(CASES[name]["preset"], CASES[name]["changes"], seed)
                | {"machine": machine(torch.device("cpu"))}
            )
            FILE.write_text(json.dumps(results, indent=1) + "\n")
            print(name, runs[-1]["validation"], runs[-1]["total_ops"], flush=True)


if __name__ == "__main__":
    main()
