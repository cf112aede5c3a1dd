"""A whole run in one folder: data, network, training, the one look at the test split, and the result.

The folder holds `config.yaml`, `metrics.jsonl`, `checkpoint.safetensors` (while it runs), and at the end
`model.safetensors` and `result.json`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import cast

import numpy as np
import torch

from gatewright import data
from gatewright.circuit import Circuit, cost, simplify
from gatewright.lowering import lower
from gatewright.data import Augment, Dataset, Split
from gatewright.nn.thermometer import Thermometer
from gatewright.errors import FormatError, OptionError
from gatewright.runtime.threads import use_threads
from gatewright.training import load
from gatewright.training.build import build_encoder, build_model, thread_count
from gatewright.training.checkpoint import load_state, save_state
from gatewright.training.config import RunConfig
from gatewright.training.evaluate import evaluate
from gatewright.training.batches import Feed
from gatewright.runtime.files import write_text_atomically
from gatewright.training.processes import Ranks, join, local_device
from gatewright.runs.result import RESULT, RunResult, SplitAccuracy, machine, versions
from gatewright.training.trainer import CHECKPOINT, Trainer, Watcher, check_same_run

CONFIG = "config.yaml"
MODEL = "model.safetensors"


@dataclass(frozen=True)
class TrainedRun:
    """A finished run, loaded from its folder.

    Attributes:
        name: Of its preset or config file.
        config: Its options.
        model: The network with the weights that were kept, from raw features to scores, in eval mode, on the CPU.
        class_names: One name per class.
        feature_names: One name per raw feature, or empty.
    """

    name: str
    config: RunConfig
    model: torch.nn.Sequential
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]


def pick_device(name: str) -> torch.device:
    """The torch device that `train.device` names.

    Raises:
        OptionError: It asks for CUDA, and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise OptionError(f"train.device is {name!r}, but torch finds no CUDA device here; use cpu or auto")
    return torch.device(name)


def train(
    config: RunConfig,
    name: str,
    folder: Path,
    *,
    data_root: Path | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    progress: bool = False,
    watch: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> RunResult | None:
    """Train, and write everything to a folder.

    Args:
        config: The run's options.
        name: What to call it in results.
        folder: Made if it is not there. It must not hold a run unless `resume`.
        data_root: Where the data sets are; None for the usual places (see `gatewright.data.load_dataset`).
        resume: Go on from the folder's checkpoint; a finished run is returned as it is, a missing one is begun.
        tensorboard: Whether to write TensorBoard events.
        progress: Whether to show downloads.
        watch: Told about each step.
        stop: Asked after each step; true ends the run with a checkpoint.

    Processes that find each other in the environment (see `gatewright.training.processes`) train together; the main one
    writes.

    Returns:
        The result, or None if the run was stopped.

    Raises:
        OptionError: The folder holds a run and `resume` was not asked for, or the config does not fit the data.
        FormatError: The checkpoint is damaged or of another run.
        DataError: The data are missing or damaged, or the loss is not finite.
    """
    device = local_device(pick_device(config.train.device))
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with join(device) as ranks:
        finished = ranks.from_main(_finished(config, folder, resume=resume) if ranks.main else None)
        if finished is not None:
            return finished
        dataset = _load_data(config, data_root, progress=progress and ranks.main)
        if ranks.main:
            folder.mkdir(parents=True, exist_ok=True)
            write_text_atomically(folder / CONFIG, load.dump(config))
        generator = torch.Generator().manual_seed(config.train.seed)
        encoder = build_encoder(config, dataset)
        shape = dataset.label_shape
        model = build_model(config, encoder, dataset.n_classes, generator, shape).to(device)
        generator = training_generator(config, device, generator)
        with use_threads(thread_count(config, encoder, dataset.n_classes, shape)):
            training = Feed(dataset.train, device, augmentation(config, dataset, generator, ranks))
            validation = Feed(dataset.validation, device) if len(dataset.validation) else None
            trainer = Trainer(config, model, training, validation, generator, folder, ranks)
            if ranks.from_main(resume and (folder / CHECKPOINT).exists()):
                trainer.resume()
            if not trainer.fit(tensorboard=tensorboard, watch=watch, stop=stop):
                return None
            result = _finish(folder, config, name, dataset, trainer, device) if ranks.main else None
            return ranks.from_main(result)


def _finished(config: RunConfig, folder: Path, *, resume: bool) -> RunResult | None:
    """The result of the folder's run if it is finished; refuses to begin where one is under way."""
    if not resume and any((folder / file).exists() for file in (CHECKPOINT, RESULT, MODEL)):
        raise OptionError(f"{folder} holds a run already; go on with --resume, or choose another --out")
    if resume and (folder / RESULT).exists():
        check_same_run(load.load_file(folder / CONFIG).as_dict(), config.as_dict(), folder / CONFIG)
        return RunResult.load(folder)
    return None


def _finish(
    folder: Path, config: RunConfig, name: str, dataset: Dataset, trainer: Trainer, device: torch.device
) -> RunResult:
    """Save the weights to keep and the result, then remove what only a run under way needs."""
    best_step = trainer.load_best()
    model = cast("torch.nn.Sequential", trainer.model)
    _save_model(folder, config, name, dataset, model, best_step)
    result = _result(folder, config, dataset, model, device, best_step, trainer.seconds)
    result.save(folder)
    for path in (folder / CHECKPOINT, *folder.glob("best-*.safetensors")):
        path.unlink(missing_ok=True)
    return result


def _load_data(config: RunConfig, root: Path | None, *, progress: bool) -> Dataset:
    """The data set; where validation is not wanted, its samples are learned from, too."""
    dataset = data.load_dataset(config.data.name, root, progress=progress)
    if config.data.validation == "holdout":
        return dataset
    parts = dataset.train, dataset.validation
    joined = Split(np.concatenate([part.x for part in parts]), np.concatenate([part.y for part in parts]))
    return replace(dataset, train=joined, validation=Split(joined.x[:0], joined.y[:0]))


def training_generator(config: RunConfig, device: torch.device, generator: torch.Generator) -> torch.Generator:
    """The generator to train with: on a GPU one of its own, so that the host never waits and never copies."""
    return generator if device.type == "cpu" else torch.Generator(device).manual_seed(config.train.seed)


def augmentation(
    config: RunConfig, dataset: Dataset, generator: torch.Generator, ranks: Ranks
) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """What changes this process's training images, or None."""
    options = config.data.augment
    if not options.active:
        return None
    if len(dataset.shape) != 3:
        raise OptionError(f"data.augment changes images, but the samples of {dataset.name} have shape {dataset.shape}")
    if dataset.label_shape:
        raise OptionError(f"data.augment would move the pixels of {dataset.name} away from their labels; leave it out")
    augment = Augment(**options.model_dump())
    return lambda images: augment(images, generator, rank=ranks.rank, size=ranks.size)


def _save_model(
    folder: Path, config: RunConfig, name: str, dataset: Dataset, model: torch.nn.Sequential, step: int
) -> None:
    encoder = cast("Thermometer", model[0])
    state = {
        "name": name,
        "config": config.as_dict(),
        "step": step,
        "class_names": list(dataset.class_names),
        "label_shape": list(dataset.label_shape),
        "feature_names": list(dataset.feature_names),
        "encoder": {"shape": list(encoder.shape), "dtype": encoder.dtype, "thresholds": _thresholds(encoder)},
        "model": model.state_dict(),
    }
    save_state(folder / MODEL, state, "model")


def _thresholds(encoder: Thermometer) -> list[list[float]]:
    """The lists of thresholds that make this encoder: per channel for images, per feature otherwise."""
    feature, threshold = encoder.feature.cpu().numpy(), encoder.threshold.cpu().numpy()
    pixels = prod(encoder.shape[1:]) if len(encoder.shape) == 3 else 1
    first = feature % pixels == 0
    return [threshold[first & (feature // pixels == i)].tolist() for i in range(prod(encoder.shape) // pixels)]


def _result(
    folder: Path,
    config: RunConfig,
    dataset: Dataset,
    model: torch.nn.Sequential,
    device: torch.device,
    best_step: int,
    seconds: float,
) -> RunResult:
    """Evaluate the kept weights, on the test split too (the only time it is read), and count the circuit's ops."""
    run = load_run(folder)
    raw = lower_run(run)
    figures = cost(simplify(raw))
    validation = evaluate(model, Feed(dataset.validation, device)) if len(dataset.validation) else None
    test = evaluate(model, Feed(dataset.test, device))
    return RunResult(
        name=run.name,
        data=dataset.name,
        validation=None if validation is None else SplitAccuracy(**validation._asdict()),
        test=SplitAccuracy(**test._asdict()),
        gates=raw.n_gates,
        logic_ops=figures.logic_ops,
        total_ops=figures.total_ops,
        depth=figures.depth,
        steps=config.train.steps,
        best_step=best_step,
        seconds=round(seconds, 3),
        seed=config.train.seed,
        versions=versions(),
        machine=machine(device),
    )


def load_run(folder: Path) -> TrainedRun:
    """Load a finished run.

    Raises:
        FormatError: The folder holds no finished run, or its model file is damaged.
    """
    path = folder / MODEL
    if not path.exists():
        if (folder / CHECKPOINT).exists():
            raise FormatError(f"the run in {folder} is not finished; go on with: gatewright train {folder} --resume")
        raise FormatError(f"{folder} holds no run (there is no {MODEL} in it)")
    state = load_state(path, "model")
    try:
        config = load.from_dict(state["config"], str(path))
        encoder = Thermometer(state["encoder"]["thresholds"], state["encoder"]["shape"], state["encoder"]["dtype"])
        classes = tuple(state["class_names"])
        label_shape = tuple(state.get("label_shape", ()))  # absent in models of versions without segmentation
        model = build_model(config, encoder, len(classes), torch.Generator(), label_shape)
        model.load_state_dict(state["model"])
        return TrainedRun(state["name"], config, model.eval(), classes, tuple(state["feature_names"]))
    except KeyError as error:
        raise FormatError(f"{path} has no entry {error}") from error
    except (ValueError, RuntimeError, TypeError) as error:
        raise FormatError(f"{path} does not hold a run that this version reads: {error}") from error


def read_circuit(folder: Path) -> Circuit:
    """The network of a finished run as a circuit, not simplified.

    Raises:
        FormatError: See `load_run`.
    """
    return lower_run(load_run(folder))


def lower_run(run: TrainedRun) -> Circuit:
    """The run's discretized network as a circuit, not simplified."""
    metadata = {
        "name": run.name,
        "data": run.config.data.name,
        "seed": str(run.config.train.seed),
        "steps": str(run.config.train.steps),
    }
    return lower(run.model, class_names=run.class_names, feature_names=run.feature_names, metadata=metadata)
