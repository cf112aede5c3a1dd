"""Accuracy over seconds of training: compact convolutions by the recipe and by the paper's method, beside torchlogix.

    python benchmarks/ablation.py paper --seeds 0        # the paper's method and the recipe on the same layers
    PYTHONPATH=LIBS python benchmarks/curves.py          # torchlogix, one core: writes curves.json beside itself
    python benchmarks/curves.py --draw                   # only draw docs/curves-cifar10.png and .svg

torchlogix trains the layers of `cifar10-conv-k16`, built of its own `LogicConv2d` (one gate a kernel; its convolutions have
the wiring that was drawn first) and `LogicDense` (wiring that was drawn first, or learned among eight inputs), with its
defaults, the same bits, augmentation, batches and temperature, for SECONDS of one thread. `rivals.py` says how to lay out
LIBS. All curves are of one seed and of 5,000 validation samples, of discretized networks. A case that is there is kept.
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import torch
from matplotlib.figure import Figure
from torch import nn

import gatewright as gw
from gatewright.data import Dataset
from gatewright.runtime.machine import machine
from gatewright.training.batches import Feed
from gatewright.training.load import load_preset
from gatewright.training.processes import Ranks
from measured import HERE, read

FILE = Path(__file__).with_suffix(".json")
DOCS = HERE.parent / "docs"
SECONDS = 1_200
CASES = {
    "torchlogix, fixed connections": {},
    "torchlogix, its dense layers learn connections": {
        "connections": "learnable",
        "connections_kwargs": {"num_candidates": 8},
    },
}


def stack(k: int, channels: int, dense: dict[str, Any]) -> nn.Sequential:
    """The layers of `cifar10-conv-k16`, of torchlogix' parts."""
    from torchlogix.layers import GroupSum, LogicConv2d, LogicDense  # noqa: PLC0415 - optional

    layers: list[nn.Module] = []
    side = 32
    for kernels, stride in ((k, 2), (k, 1), (4 * k, 2), (4 * k, 1)):
        options = {"tree_depth": 1, "receptive_field_size": 3, "stride": stride, "padding": 1}
        layers.append(LogicConv2d(in_dim=side, channels=channels, num_kernels=kernels, **options))
        channels, side = kernels, side // stride
    width = 625 * k
    sizes = (channels * side * side, width, width)
    layers += [nn.Flatten(), *(LogicDense(a, b, **dense) for a, b in pairwise(sizes))]
    return nn.Sequential(*layers, GroupSum(10, 20.0))


def measure(dense: dict[str, Any], data: Dataset) -> dict[str, Any]:
    """Train for SECONDS, evaluations included, as in the runs of gatewright."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    config = load_preset("cifar10-conv-k16")
    generator = torch.Generator().manual_seed(0)
    encoder = config.data.encoder.build(data)
    augment = config.data.augment.build(data, generator, Ranks())
    train, validation = (Feed(*part) for part in ((data.train, cpu, augment), (data.validation, cpu)))
    model = stack(config.model.k, encoder.out_shape[0], dense)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    curve, seconds, step, due = [], 0.0, 0, SECONDS / 40
    begin = time.perf_counter()
    while seconds < SECONDS:
        x, y = train.batch(torch.randint(len(train), (config.train.batch,), generator=generator))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(encoder(x).float()), y.long()).backward()
        optimizer.step()
        step += 1
        seconds = time.perf_counter() - begin
        if seconds >= due or seconds >= SECONDS:
            due += SECONDS / 40
            model.eval()
            with torch.no_grad():
                right = sum(int((model(encoder(x).float()).argmax(1) == y).sum()) for x, y in validation.all())
            model.train()
            curve.append([step, round(seconds, 1), round(right / len(validation), 4)])
            print(*curve[-1], flush=True)
    return {"steps": step, "seconds": round(seconds, 1), "curve": curve, "machine": machine(cpu)}


def draw(curves: dict[str, list[list[float]]]) -> None:
    """Validation accuracy over seconds, of (step, seconds, accuracy)."""
    with mpl.rc_context({"svg.hashsalt": "gatewright", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7.5, 4.2), layout="constrained")
        axis = figure.subplots()
        for name, curve in curves.items():
            _, seconds, accuracy = zip(*curve, strict=True)
            axis.plot(seconds, [100 * each for each in accuracy], label=name, lw=1.5, ls="-" if "gate" in name else ":")
        axis.set(xscale="log", xlabel="seconds of one core", ylabel="validation accuracy, %")
        axis.set(title="cifar10: compact convolutions, k = 16, and two layers of 10,000")
        axis.grid(alpha=0.3, which="both")
        axis.legend(fontsize=8, loc="lower right")
        for kind, options in (("png", {"dpi": 110}), ("svg", {"metadata": {"Date": None}})):
            figure.savefig(DOCS / f"curves-cifar10.{kind}", **options)
            print(DOCS / f"curves-cifar10.{kind}")


def main() -> None:
    """Measure what is missing, then draw all that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true")
    results = read("curves") or {}
    if not parser.parse_args().draw:
        data = gw.load_dataset("cifar10")
        for name, dense in CASES.items():
            if name not in results:
                results[name] = measure(dense, data)
                FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    arms = (read("ablation") or {"studies": {}})["studies"].get("paper", {"arms": {}})["arms"]
    curves = {
        f"gatewright, {name}": arms[name]["runs"][0]["curve"]
        for name in ("the recipe", "the paper's method", "connections fixed")
        if name in arms
    }
    curves |= {name: row["curve"] for name, row in results.items()}
    draw(curves)


if __name__ == "__main__":
    main()
