"""Training steps a second of whole presets, on random samples, with the roofline beside each kernel."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from functools import partial
from pathlib import Path
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
from gatewright.runs.result import machine, versions
from gatewright.runs.run import augmentation, pick_device, training_generator
from gatewright.runtime.threads import use_threads
from gatewright.training.batches import Feed
from gatewright.training.build import build_encoder, build_model, thread_count
from gatewright.training.config import RunConfig
from gatewright.training.load import load_preset
from gatewright.training.processes import Ranks
from gatewright.training.trainer import Trainer

BATCHES = 4
"""Batches of random samples that there are to draw from."""


def bench_presets(
    presets: Sequence[str],
    *,
    device: str = "auto",
    changes: Sequence[str] = (),
    seconds: float = 2.0,
    reference: bool = False,
    kernels: bool = True,
) -> dict[str, Any]:
    """Measure whole training steps of presets: sampling, augmentation, learning, connection learning.

    Args:
        presets: Their names.
        device: As `train.device`.
        changes: `KEY=VALUE` overrides for all of them.
        seconds: Least time for the steps of each.
        reference: Whether to measure the reference kernels, too.
        kernels: Whether to measure the kernels one by one.

    Returns:
        JSON-ready: machine, ceilings, and per preset the steps a second and the kernels' rows.
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
            layers, left = _one_pass(_trainer(config, where, Path()))
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
        with reference_kernels() if kind == "reference" else nullcontext(), tempfile.TemporaryDirectory() as folder:
            trainer = _trainer(config, device, Path(folder))
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


def _stepper(trainer: Trainer) -> Any:
    """Steps for ever, with the look at the losses that training takes, too."""

    def step() -> None:
        trainer.one_step()
        if trainer.step % trainer.config.train.log_every == 0:
            trainer.read_losses()

    return step


def _trainer(config: RunConfig, device: torch.device, folder: Path) -> Trainer:
    dataset = random_dataset(config.data.name, BATCHES * config.train.batch)
    generator = torch.Generator().manual_seed(config.train.seed)
    encoder = build_encoder(config, dataset)
    model = build_model(config, encoder, dataset.n_classes, generator, dataset.label_shape).to(device)
    generator = training_generator(config, device, generator)
    feed = Feed(dataset.train, device, augmentation(config, dataset, generator, Ranks()))
    with use_threads(thread_count(config, encoder, dataset.n_classes, dataset.label_shape)):
        return Trainer(config, model, feed, None, generator, folder)


def _one_pass(trainer: Trainer) -> tuple[Any, list[Recorded]]:
    """One step, and what it left of each layer that learns."""
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
    return Dataset(
        name=name,
        train=part,
        validation=part,
        test=part,
        shape=about.shape,
        dtype=about.dtype,
        class_names=tuple(map(str, range(about.n_classes))),
    )
