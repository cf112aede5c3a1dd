"""A full run in one folder: data, network, training, the one look at the test split, and the result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import Annotated, Any, cast

import torch
from pydantic import ConfigDict, Field, PositiveInt

from gatewright.circuit import Circuit, cost, simplify
from gatewright.columns import Column
from gatewright.data import Dataset
from gatewright.errors import DataError, FormatError, OptionError
from gatewright.learning.state import entry, real, whole
from gatewright.lowering import lower
from gatewright.nn.temperature import SAMPLES, measure_temperature
from gatewright.nn.thermometer import Thermometer
from gatewright.nn.weighted_sum import WeightedSum
from gatewright.runs.folder import CONFIG, MODEL, RunFolder, lock_run, naming, read_model
from gatewright.runs.own import is_own, own_config
from gatewright.runs.result import RESULT, RunResult, SplitAccuracy
from gatewright.runs.targets import check_numbers, fits, number_line, objective, targets
from gatewright.runtime.documents import validated
from gatewright.runtime.machine import machine, versions
from gatewright.runtime.schema import Section
from gatewright.runtime.threads import use_threads
from gatewright.training import load
from gatewright.training.batches import Feed
from gatewright.training.build import build_trainer, training_generator
from gatewright.training.checkpoint import save_state
from gatewright.training.config import RunConfig
from gatewright.training.config.values import Finite
from gatewright.training.evaluate import evaluate
from gatewright.training.processes import Ranks, join, pick_device
from gatewright.training.sink import Sink
from gatewright.training.trainer import Trainer, Watcher

Source = RunConfig | str | os.PathLike[str]
"""Options, or the name of a preset, or the path of a YAML config or of a run's folder."""


@dataclass(frozen=True)
class TrainedRun:
    """A finished run, loaded from its folder.

    Attributes:
        name: Of its preset or config file.
        config: Its options.
        model: The network with the weights that were kept, from raw features to scores, in eval mode, on the CPU.
        class_names: One name per class; none if it gives a number.
        feature_names: One name per raw feature, or empty.
        columns: The columns of the table that the raw features are made from, or empty.
        data: Name of the data set.
        number: Base and scale that make numbers of the circuit's counts; empty for classes.
    """

    name: str
    config: RunConfig
    model: torch.nn.Sequential
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    columns: tuple[Column, ...] = ()
    data: str = ""
    number: tuple[float, ...] = ()


def resolve(source: Source, overrides: Sequence[str] = (), out: Path | None = None) -> tuple[str, RunConfig, Path]:
    """A run's name, its config, and its folder.

    Args:
        source: See `Source`; or the path of a table, or of a folder of images, which is trained with options by rule.
        overrides: Options to change, `key=value`; only where the source is not a config already.
        out: The folder, or None for the source's own or `runs/NAME`.

    Raises:
        OptionError: There is no such preset or option, or the folder holds no run.
        FormatError: The file is not YAML.
    """
    if isinstance(source, RunConfig):
        if overrides:
            raise OptionError("overrides are for presets and files; a config is taken as it is")
        return source.data.title, source, out or Path("runs") / source.data.title
    path = Path(source)
    preset = str(source) in load.preset_names()
    if not preset and is_own(path) and not (path / CONFIG).exists():
        config = own_config(path, overrides)
        return config.data.title, config, out or Path("runs") / config.data.title
    if not preset and path.is_dir():
        if not (path / CONFIG).exists():
            raise OptionError(f"{path} is a folder, but holds no run (there is no {CONFIG} in it)")
        return path.name, load.load_file(path / CONFIG, overrides), out or path
    if not preset and (path.suffix in {".yaml", ".yml"} or path.exists()):
        return path.stem, load.load_file(path, overrides), out or Path("runs") / path.stem
    return str(source), load.load_preset(str(source), overrides), out or Path("runs") / str(source)


def train(
    config: Source,
    name: str | None = None,
    out: Path | str | None = None,
    *,
    overrides: Sequence[str] = (),
    dataset: Dataset | None = None,
    data_root: Path | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    progress: bool = False,
    watch: Watcher | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> RunResult | None:
    """Train, and write everything to a folder.

    Processes that find each other in the environment (see `gatewright.training.processes`) train together; the main one
    writes.

    >>> import gatewright as gw
    >>> result = gw.train("digits", out="runs/x", overrides=["train.steps=200"])  # doctest: +SKIP

    Args:
        config: The run's options: a config, or the name of a preset, or the path of a YAML file or of a run's folder.
        name: What to call it in results; None for the name of the preset, file or data set.
        out: The folder, made if needed; None for `runs/NAME`. It must not hold a run unless `resume`.
        overrides: Options to change in a preset or file, `key=value`.
        dataset: What to learn from instead of the config's own data set.
        data_root: Where the data sets are; None for the usual places (see `gatewright.load_dataset`).
        resume: Resume from the folder's checkpoint; a finished run is returned as it is, a missing one is begun.
        tensorboard: Whether to write TensorBoard events.
        progress: Whether to show downloads.
        watch: Called after each step.
        stop: Called after each step; true ends the run with a checkpoint.

    Returns:
        The result, or None if the run was stopped.

    Raises:
        OptionError: The folder holds a run and `resume` is false, another process trains in it, or the config does not fit
            the data.
        FormatError: The checkpoint is damaged or of another run.
        DataError: The data are missing or damaged, or the loss is not finite.
    """
    found, config, path = resolve(config, overrides, None if out is None else Path(out))
    folder = RunFolder(path, config, tensorboard=tensorboard)
    device = pick_device(config.train.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    with join(device) as processes, ExitStack() as stack:
        if processes.main and not (path / RESULT).exists():  # what is finished does not change
            stack.enter_context(lock_run(path))
        finished = processes.from_main(folder.finished(resume=resume) if processes.main else None)
        if finished is not None:
            return finished
        if dataset is None:
            dataset = config.data.load(data_root, progress=progress and processes.main)
        else:
            dataset = config.data.arranged(dataset)
        if not len(dataset.test):
            raise DataError(f"{dataset.name} has no test samples, on which a finished network is measured")
        if processes.main:
            folder.create()
        with prepared(config, dataset, folder, device, processes) as trainer:
            if processes.from_main(resume and folder.checkpoint_path.exists()):
                folder.resume(trainer, processes)
            try:
                complete = trainer.fit(watch=watch, stop=stop)
            except DataError as error:
                raise DataError(f"{error} (the last good checkpoint is kept in {path})") from error
            if not complete:
                return None
            result = None
            if processes.main:
                step = trainer.load_best()
                _save_model(path, config, name or found, dataset, cast("torch.nn.Sequential", trainer.model), step)
                result = _result(path, dataset, trainer, device, step)
                folder.finish(result)
            return processes.from_main(result)


@contextmanager
def prepared(
    config: RunConfig, dataset: Dataset, sink: Sink, device: torch.device, processes: Ranks
) -> Iterator[Trainer]:
    """The trainer that a config describes, before its first step, with the threads that it trains with.

    Args:
        config: The run's options.
        dataset: What `config.data` loads.
        sink: Where metrics, checkpoints and best weights go.
        device: Where to train.
        processes: The processes that train together.
    """
    check_numbers(dataset, config)
    generator = torch.Generator().manual_seed(config.train.seed)
    encoder = config.data.encoder.build(dataset)
    plan = config.model.plan(encoder.out_shape, dataset.n_outputs, dataset.label_shape)
    model = plan.build(encoder, generator)
    if config.model.tau == "measured":
        measure_temperature(model, torch.from_numpy(dataset.train.x[:SAMPLES]))
    model = model.to(device)
    generator = training_generator(config.train.seed, device, generator)
    with use_threads(config.train.thread_count(plan.candidates)):
        training = Feed(targets(dataset, "train"), device, config.data.augment.build(dataset, generator, processes))
        validation = Feed(targets(dataset, "validation"), device) if len(dataset.validation) else None
        yield build_trainer(config, model, training, validation, generator, sink, processes, objective(dataset))


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
        "encoder": {
            "shape": list(encoder.shape),
            "dtype": encoder.dtype,
            "thresholds": _thresholds(encoder),
            "types": list(encoder.types),
        },
        "columns": [asdict(column) | {"categories": list(column.categories)} for column in dataset.columns],
        "data": dataset.name,
        "model": model.state_dict(),
    }
    if dataset.numbers:
        state["number"] = number_line(model, dataset)
    if config.model.tau == "measured":
        state["tau"] = model[-1].tau
    save_state(folder / MODEL, state, "model")


def _thresholds(encoder: Thermometer) -> list[list[float]]:
    """The lists of thresholds that make this encoder: per channel for images, per feature otherwise."""
    feature, threshold = encoder.feature.cpu().numpy(), encoder.threshold.cpu().numpy()
    pixels = prod(encoder.shape[1:]) if len(encoder.shape) == 3 else 1
    first = feature % pixels == 0
    return [threshold[first & (feature // pixels == i)].tolist() for i in range(prod(encoder.shape) // pixels)]


def _result(folder: Path, dataset: Dataset, trainer: Trainer, device: torch.device, best_step: int) -> RunResult:
    """Evaluate the kept weights, also on the test split (the only time it is read), and count the circuit's ops."""
    run = load_run(folder)
    raw = lower_run(run)
    figures = cost(simplify(raw))

    def accuracy(part: str) -> SplitAccuracy:
        split = dataset.split(part)
        if dataset.numbers:
            soft, hard = fits(trainer.model, run.number, split, device)
            return SplitAccuracy(soft=soft.r2, hard=hard.r2)
        return SplitAccuracy(**evaluate(trainer.model, Feed(split, device))._asdict())

    return RunResult(
        name=run.name,
        data=dataset.name,
        figure="R^2" if dataset.numbers else "accuracy",
        validation=accuracy("validation") if len(dataset.validation) else None,
        test=accuracy("test"),
        gates=raw.n_gates,
        logic_ops=figures.logic_ops,
        total_ops=figures.total_ops,
        depth=figures.depth,
        steps=run.config.train.steps,
        best_step=best_step,
        seconds=round(trainer.seconds, 3),
        seed=run.config.train.seed,
        versions=versions(),
        machine=machine(device),
    )


def load_run(folder: Path) -> TrainedRun:
    """Load a finished run.

    Raises:
        FormatError: The folder holds no finished run, or its model file is damaged.
    """
    path = folder / MODEL
    state = read_model(folder)
    with naming(path, "does not hold a run that this version reads"):
        saved = validated(_SavedRun, state, str(path))
        config = load.from_dict(saved.config, str(path))
        whole(state, "step", 0, config.train.steps)
        pixels = prod(saved.encoder.shape[1:]) if len(saved.encoder.shape) == 3 else 1
        bits = pixels * sum(map(len, saved.encoder.thresholds))
        _check_sizes(saved.model, {"0.feature": bits, "0.threshold": bits})
        encoder = Thermometer(
            saved.encoder.thresholds, saved.encoder.shape, saved.encoder.dtype, types=saved.encoder.types
        )
        classes = tuple(saved.class_names)
        plan = config.model.plan(encoder.out_shape, len(classes) or 1, tuple(saved.label_shape))
        if bool(classes) == (saved.number is not None):
            raise FormatError("it holds names of classes and the line of numbers, or neither")
        _check_sizes(saved.model, {".candidates.logits": plan.logits, ".candidates.gate": plan.logits})
        for name in ("feature", "threshold"):
            if not torch.equal(entry(saved.model, f"0.{name}"), getattr(encoder, name)):
                raise FormatError(f"the entry '0.{name}' is not what the encoder's thresholds say")
        model = plan.build_trained(encoder)
        if config.model.tau == "measured":
            cast("WeightedSum", model[-1]).tau = real(state, "tau")
        model.load_state_dict(saved.model)
        columns = tuple(Column(**column.model_dump()) for column in saved.columns)
        names = tuple(saved.feature_names)
        title, number = saved.data or config.data.title, tuple(saved.number or ())
        return TrainedRun(saved.name, config, model.eval(), classes, names, columns, title, number)


class _SavedEncoder(Section):
    shape: list[PositiveInt]
    dtype: str
    thresholds: list[list[float]]
    types: list[str] = []  # noqa: RUF012 - pydantic copies it


class _SavedColumn(Section):
    name: str
    kind: str
    categories: list[str]
    missing: bool


class _SavedRun(Section):
    """What a model file holds; what has a default is absent in those of earlier versions."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str
    config: dict[str, Any]
    step: int
    class_names: list[str]
    number: Annotated[list[Finite], Field(min_length=2, max_length=2)] | None = None
    label_shape: list[PositiveInt] = []  # noqa: RUF012 - pydantic copies it
    feature_names: list[str]
    encoder: _SavedEncoder
    columns: list[_SavedColumn] = []  # noqa: RUF012
    data: str = ""
    model: dict[str, torch.Tensor]
    tau: float | None = None


def _check_sizes(tensors: Mapping[str, torch.Tensor], sizes: Mapping[str, int]) -> None:
    """Compare what the options say with what is there, before memory is taken for it."""
    for end, size in sizes.items():
        found = sum(tensor.numel() for name, tensor in tensors.items() if name.endswith(end))
        if found != size:
            raise FormatError(f"its options make {size} numbers of {end!r}, but it holds {found}")


def read_circuit(folder: Path) -> Circuit:
    """The network of a finished run as a circuit, not simplified; the errors are those of `load_run`."""
    return lower_run(load_run(folder))


def lower_run(run: TrainedRun) -> Circuit:
    """The run's discretized network as a circuit, not simplified."""
    metadata = {
        "name": run.name,
        "data": run.data,
        **({"target": run.config.data.target} if run.config.data.target else {}),
        "seed": str(run.config.train.seed),
        "steps": str(run.config.train.steps),
    }
    circuit = lower(
        run.model,
        class_names=run.class_names,
        feature_names=run.feature_names,
        columns=run.columns,
        metadata=metadata,
    )
    if not run.number or circuit.head is None:
        return circuit
    return circuit.replace(head=replace(circuit.head, number=run.number))
