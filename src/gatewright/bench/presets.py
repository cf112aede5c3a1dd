"""Training steps per second of full presets, on random samples, with the roofline of each kernel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch

from gatewright import data
from gatewright.bench.roofline import measure_ceilings, roofline
from gatewright.bench.timing import seconds_of
from gatewright.data import Dataset, Split
from gatewright.errors import OptionError
from gatewright.kernels.ops import reference_kernels
from gatewright.nn import logic_layers
from gatewright.nn.functional import Recorded
from gatewright.runtime.machine import machine, versions
from gatewright.runtime.threads import use_threads
from gatewright.training.batches import Feed
from gatewright.training.build import build_trainer, training_generator
from gatewright.training.config import RunConfig
from gatewright.training.load import load_preset
from gatewright.training.processes import Ranks, pick_device
from gatewright.training.trainer import Trainer

BATCHES = 4
"""Number of batches of random samples to draw from."""


def bench_presets(
    presets: Sequence[str],
    *,
    device: str = "auto",
    changes: Sequence[str] = (),
    seconds: float = 2.0,
    reference: bool = False,
    kernels: bool = True,
) -> dict[str, Any]:
    """Measure full training steps of presets: sampling, augmentation, learning, connection learning.

    Args:
        presets: Their names.
        device: As `train.device`.
        changes: `KEY=VALUE` overrides for all of them.
        seconds: Least time for the steps of each.
        reference: Whether to measure the reference kernels as well.
        kernels: Whether to measure the kernels one by one.

    Returns:
        JSON-ready: machine, ceilings, and per preset the steps per second and the kernels' rows.
    """
    if not presets:
        raise OptionError("name at least one preset to measure")
    where = pick_device(device)
    ceilings = measure_ceilings(where)
    rows = {}
    for name in presets:
        config = load_preset(name, [*changes, f"train.device={device}"])
        rows[name] = _measure(config, where, seconds, reference=reference)
        if kernels:
            layers, left = _one_pass(_trainer(config, where))
            rows[name]["kernels"] = roofline(layers, left, ceilings)
        if where.type == "cuda":
            torch.cuda.empty_cache()
    return {
        "machine": machine(where),
        "versions": versions(),
        "ceilings": {key: round(value) for key, value in ceilings._asdict().items()},
        "presets": rows,
    }


def _measure(config: RunConfig, device: torch.device, seconds: float, *, reference: bool) -> dict[str, Any]:
    result: dict[str, Any] = {"batch": config.train.batch}
    for kind in ("gatewright", "reference") if reference else ("gatewright",):
        with reference_kernels() if kind == "reference" else nullcontext():
            trainer = _trainer(config, device)
            with trainer.computing():
                for _ in range(config.train.log_every):  # compiles, records
                    trainer.one_step()
                trainer.read_losses()
                step = seconds_of(_stepper(trainer), device, least=seconds)
        result[kind] = {
            "ms_per_step": round(step * 1e3, 3),
            "steps_per_s": round(1 / step, 2),
            "samples_per_s": round(config.train.batch / step, 1),
        }
    return result


def _stepper(trainer: Trainer) -> Callable[[], None]:
    """One training step, including the periodic loss read-back."""

    def step() -> None:
        trainer.one_step()
        if trainer.step % trainer.options.log_every == 0:
            trainer.read_losses()

    return step


def _trainer(config: RunConfig, device: torch.device) -> Trainer:
    dataset = random_dataset(config.data.name, BATCHES * config.train.batch)
    generator = torch.Generator().manual_seed(config.train.seed)
    encoder = config.data.encoder.build(dataset)
    plan = config.model.plan(encoder.out_shape, dataset.n_classes, dataset.label_shape)
    model = plan.build(encoder, generator).to(device)
    generator = training_generator(config.train.seed, device, generator)
    feed = Feed(dataset.train, device, config.data.augment.build(dataset, generator, Ranks()))
    with use_threads(config.train.thread_count(plan.candidates)):
        return build_trainer(config, model, feed, None, generator)


def _one_pass(trainer: Trainer) -> tuple[Any, list[Recorded]]:
    """One step, and what its backward pass recorded of each layer that learns."""
    layers = [layer for layer in logic_layers(trainer.model) if not layer.frozen]
    left: dict[int, Recorded] = {}
    with ExitStack() as handles:
        for i, layer in enumerate(layers):
            handles.enter_context(layer.register_recorder(partial(left.__setitem__, i)))
        trainer.one_step()
    return layers, [left[i] for i in range(len(layers))]


def random_dataset(name: str, samples: int) -> Dataset:
    """Random samples of a data set's shape and type, with random labels; nothing is read."""
    about = data.describe(name)
    draw = np.random.default_rng(0)
    shape = (samples, *about.shape)
    x = draw.random(shape, np.float32) if about.dtype == "float32" else draw.integers(0, 256, shape).astype(about.dtype)
    part = Split(x, draw.integers(0, about.n_classes, samples))
    names = tuple(map(str, range(about.n_classes)))
    return Dataset(
        name=name, train=part, validation=part, test=part, shape=about.shape, dtype=about.dtype, class_names=names
    )
