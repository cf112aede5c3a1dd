"""How fast training steps are: side by side, in one run, on one machine.

Contenders take turns for a fixed number of rounds, so a drift of the machine's speed affects all of them alike.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import nn

from gatewright.errors import OptionError
from gatewright.kernels.ops import reference_kernels
from gatewright.learning import GuidedProposals
from gatewright.nn import GroupSum, LogicDense
from gatewright.nn.thermometer import Thermometer
from gatewright.runtime.machine import machine, versions
from gatewright.runtime.threads import use_threads

CONTENDERS = ("hard", "hard guided", "soft", "soft reference", "torchlogix fixed")
CLASSES = 10


class Setting(NamedTuple):
    """What is trained: a dense network on random images.

    Attributes:
        features: Pixels of a random uint8 image, one bit each.
        widths: Neurons of each layer.
        candidates: Candidates per neuron.
        batch: Samples per step.
        threads: Threads of torch and of the kernels.
    """

    features: int
    widths: tuple[int, ...]
    candidates: int
    batch: int
    threads: int


Step = Callable[[], None]


def compare(
    setting: Setting, *, contenders: tuple[str, ...] = (), rounds: int = 5, seconds: float = 2.0
) -> dict[str, Any]:
    """Measure training steps of several contenders in turn.

    Args:
        setting: What is trained.
        contenders: Some of `CONTENDERS`; empty for all that are installed.
        rounds: Turns each contender takes.
        seconds: Least length of a turn, which has at least one step.

    Returns:
        JSON-ready: the setting, the machine, and for each contender the median milliseconds of a step over rounds, with the
        least and greatest, and steps and samples per second.
    """
    if rounds < 1 or not seconds > 0:
        raise OptionError(f"rounds and seconds must be positive, got {rounds} and {seconds}")
    installed = importlib.util.find_spec("torchlogix") is not None
    wanted = contenders or tuple(name for name in CONTENDERS if name != "torchlogix fixed" or installed)
    with use_threads(setting.threads):
        steps = {name: _contender(name, setting) for name in wanted}
        for step in steps.values():
            step()  # compiles, allocates
        turns: dict[str, list[float]] = {name: [] for name in wanted}
        for _ in range(rounds):
            for name, step in steps.items():
                turns[name].append(_turn(step, seconds))
    return {
        "setting": setting._asdict(),
        "machine": machine(torch.device("cpu")),
        "versions": versions(),
        "contenders": {name: _summary(values, setting.batch) for name, values in turns.items()},
    }


def _turn(step: Step, seconds: float) -> float:
    """Milliseconds per step over one turn."""
    count = 0
    start = time.perf_counter()
    while True:
        step()
        count += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return elapsed / count * 1e3


def _summary(values: list[float], batch: int) -> dict[str, float]:
    middle = statistics.median(values)
    return {
        "ms_per_step": round(middle, 3),
        "ms_least": round(min(values), 3),
        "ms_greatest": round(max(values), 3),
        "steps_per_s": round(1e3 / middle, 2),
        "samples_per_s": round(batch * 1e3 / middle, 1),
    }


def _contender(name: str, setting: Setting) -> Step:
    g = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (setting.batch, setting.features), generator=g, dtype=torch.uint8)
    y = torch.randint(0, CLASSES, (setting.batch,), generator=g)
    sizes = list(zip((setting.features, *setting.widths), setting.widths, strict=False))
    if name == "torchlogix fixed":
        return _torchlogix(sizes, (x >= 128).float(), y)
    if name not in CONTENDERS:
        raise OptionError(f"unknown contender {name!r} (valid: {', '.join(CONTENDERS)})")
    relaxation = name.split(maxsplit=1)[0]
    layers = [LogicDense(i, o, candidates=setting.candidates, relaxation=relaxation, generator=g) for i, o in sizes]
    thermometer = Thermometer([[128]] * setting.features, (setting.features,), "uint8")
    model = nn.Sequential(thermometer, *layers, GroupSum(CLASSES))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, fused=True)
    guide = GuidedProposals(model, optimizer, generator=g) if name == "hard guided" else None
    kernels = reference_kernels if name == "soft reference" else nullcontext

    def step() -> None:
        with kernels():
            _learn(model, optimizer, x, y)
        if guide is not None:
            guide.step()

    return step


def _learn(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


def _torchlogix(sizes: list[tuple[int, int]], x: torch.Tensor, y: torch.Tensor) -> Step:
    """Torchlogix's dense layers with fixed random wiring and 16 gates per neuron, in its own default parametrization."""
    layers = importlib.import_module("torchlogix.layers")
    dense = (layers.LogicDense(i, o, device="cpu", connections="fixed") for i, o in sizes)
    model = nn.Sequential(*dense, layers.GroupSum(CLASSES, tau=10))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=True)
    return lambda: _learn(model, optimizer, x, y)
