"""Training steps of compact convolutions on the CPU: the paper's stack in front of 2 x 10,000 or 2 x 40,000 neurons.

    python benchmarks/conv_steps.py [--rounds 5]   # writes conv_steps.json beside itself

A step is a full one: samples are drawn and augmented, the network computed forward and backward, logits updated and
connections learned by guided proposals, with 8 candidates. The cases take turns, and each row is its least and its median.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does, before torch is imported

import torch

from conv_stacks import stack
from gatewright.bench.presets import bench_presets
from gatewright.runtime.machine import machine, versions
from gatewright.runtime.threads import use_threads

FILE = Path(__file__).with_suffix(".json")


class Case(NamedTuple):
    """Channels of the first convolution, neurons of each of the two dense layers, samples, threads."""

    k: int
    width: int
    batch: int
    threads: int


CASES = (Case(16, 10_000, 128, 1), Case(64, 40_000, 256, 1), Case(64, 40_000, 256, 2))


def changes(case: Case) -> list[str]:
    """What makes the preset the case's network."""
    return [
        f"model.k={case.k}",
        stack(f"{{type: dense, width: {case.width}, repeat: 2}}"),
        f"train.batch={case.batch}",
        f"train.threads={case.threads}",
    ]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    times: dict[Case, list[float]] = {case: [] for case in CASES}
    for _ in range(asked.rounds):
        for case, found in times.items():
            with use_threads(case.threads):
                measured = bench_presets(["cifar10-conv-48k"], device="cpu", changes=changes(case), kernels=False)
            found.append(measured["presets"]["cifar10-conv-48k"]["gatewright"]["ms_per_step"])
            print(case, found[-1], flush=True)
    rows = [
        {**case._asdict(), "ms_least": min(found), "ms_median": round(statistics.median(found), 3)}
        for case, found in times.items()
    ]
    result = {"machine": machine(torch.device("cpu")), "versions": versions(), "cases": rows}
    FILE.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
