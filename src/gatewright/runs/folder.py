"""A run's folder: what is in it, and the sink that a training run writes to.

The folder holds `config.yaml` and `metrics.jsonl`, and at the end `model.safetensors` and `result.json`. While the run
lasts, it also holds `checkpoint.safetensors` and `best-STEP.safetensors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch

from gatewright.errors import FormatError, OptionError, shown
from gatewright.learning.state import entry, whole
from gatewright.runs.result import RESULT, RunResult
from gatewright.runtime.files import make_folder, remove_temporaries, write_text_atomically
from gatewright.runtime.locks import locked
from gatewright.training import load
from gatewright.training.checkpoint import load_state, save_state
from gatewright.training.config import RunConfig
from gatewright.training.metrics import MetricsLog
from gatewright.training.processes import Ranks
from gatewright.training.sink import Sink, Weights
from gatewright.training.trainer import Trainer

CONFIG = "config.yaml"
CHECKPOINT = "checkpoint.safetensors"
MODEL = "model.safetensors"
LOCK = ".train.lock"
SWEEP_LOCK = ".lock"

FREE_ON_RESUME = frozenset({"description", "train.checkpoint_every", "train.device", "train.graph", "train.log_every"})
"""Options that may differ between a checkpoint and the run that resumes from it: they do not change the result."""


@contextmanager
def lock_run(path: Path, lock: str = LOCK) -> Iterator[None]:
    """Make a run's folder, and keep all others from training into it within the context.

    A folder that is made and in which nothing is left is removed again.

    Args:
        path: The folder.
        lock: Name of the lock's file; a sweep has one of its own around training and what follows.

    Raises:
        BusyError: Another process trains there.
        OptionError: The path is a file.
    """
    existed = path.exists()
    make_folder(path)

    def finished() -> bool:
        return (path / RESULT).exists() or {each.name for each in path.iterdir()} <= {LOCK, SWEEP_LOCK}

    todo = "wait until it has ended, or choose another --out"
    try:
        with locked(path / lock, f"another process trains into {path}", todo, finished=finished):
            yield
    finally:
        if not existed:
            with suppress(OSError):
                path.rmdir()


class RunFolder(Sink):
    """The folder of one run, with metrics also as TensorBoard events if wanted; `lock_run` makes it."""

    def __init__(self, path: Path, config: RunConfig, *, tensorboard: bool = False) -> None:
        self.path = path
        self.checkpoint_path = path / CHECKPOINT
        self._config = config
        self._tensorboard = tensorboard
        self._log: MetricsLog | None = None

    def finished(self, *, resume: bool) -> RunResult | None:
        """The result if the run is finished.

        Raises:
            OptionError: The folder holds a run, and is not to be resumed.
            FormatError: The finished run has other options.
        """
        if not resume and any((self.path / file).exists() for file in (CHECKPOINT, RESULT, MODEL)):
            raise OptionError(f"{self.path} holds a run already; resume it with --resume, or choose another --out")
        if resume and (self.path / RESULT).exists():
            config = self.path / CONFIG
            check_same_run(load.load_file(config).as_dict(), self._config.as_dict(), config)
            result = RunResult.load(self.path)
            self.tidy()  # the process that finished may have been killed before it could
            return result
        return None

    def create(self) -> None:
        """Write the config, where an earlier process may have been killed; for the holder of the lock."""
        remove_temporaries(self.path)
        write_text_atomically(self.path / CONFIG, load.dump(self._config))

    def resume(self, trainer: Trainer, processes: Ranks) -> None:
        """Resume from the checkpoint, which the main process reads for all.

        Raises:
            FormatError: The checkpoint is missing, damaged, or of a run with other options; the message names the entry.
        """
        path = self.checkpoint_path
        state = processes.from_main(load_state(path, "checkpoint") if processes.main else {})
        with naming(path, "does not fit this run"):
            check_same_run(entry(state, "config"), self._config.as_dict(), path)
            trainer.load_state_dict(state)
        if processes.main and trainer.best is not None:
            self._check_best(trainer.best.step, trainer.model.state_dict())

    def begin(self, step: int) -> None:
        self._log = MetricsLog(self.path, step, tensorboard=self._tensorboard)

    def metrics(self, step: int, values: Mapping[str, Any]) -> None:
        if self._log is not None:
            self._log.write(step, values)

    def keep(self, step: int, weights: Weights) -> None:
        save_state(self._best(step), {"model": weights, "step": step}, "weights")

    def kept(self, step: int) -> Weights:
        path = self._best(step)
        state = load_state(path, "weights")
        with naming(path, "does not hold the weights of this run"):
            if whole({"step": step} | state, "step", 0, step) != step:  # files of 0.1 do not say it
                raise FormatError(f"it holds the weights of step {state['step']}, expected {step}")
            weights: Weights = dict(entry(state, "model"))
            return weights

    def checkpoint(self, state: dict[str, Any]) -> None:
        save_state(self.checkpoint_path, {"config": self._config.as_dict(), **state}, "checkpoint")
        kept = None if state["best"] is None else self._best(state["best"][0])
        for path in self._all_best():
            if path != kept:
                path.unlink()

    def end(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def finish(self, result: RunResult) -> None:
        """Write the result, then remove what only a run under way needs."""
        result.save(self.path)
        self.tidy()

    def tidy(self) -> None:
        """Remove what only a run under way needs."""
        for path in (self.checkpoint_path, *self._all_best()):
            path.unlink(missing_ok=True)

    def _check_best(self, step: int, like: Weights) -> None:
        path = self._best(step)
        if not path.exists():
            raise FormatError(f"the best weights so far are missing: {path}")
        forms = [
            {
                name: (value.dtype, value.shape) if isinstance(value, torch.Tensor) else None
                for name, value in each.items()
            }
            for each in (self.kept(step), like)
        ]
        if forms[0] != forms[1]:
            wrong = next(name for name in forms[0] | forms[1] if forms[0].get(name) != forms[1].get(name))
            raise FormatError(f"{path} does not hold the weights of this run: {shown(wrong)} differs")

    def _best(self, step: int) -> Path:
        return self.path / f"best-{step:08d}.safetensors"

    def _all_best(self) -> Iterator[Path]:
        return self.path.glob("best-*.safetensors")


def read_model(folder: Path) -> dict[str, Any]:
    """The model file of a finished run.

    Raises:
        FormatError: The folder holds no finished run, or the file is damaged.
    """
    path = folder / MODEL
    if not path.exists():
        if (folder / CHECKPOINT).exists():
            raise FormatError(
                f"the run in {folder} is not finished; resume it with: gatewright train {folder} --resume"
            )
        raise FormatError(f"{folder} holds no run (there is no {MODEL} in it)")
    return load_state(path, "model")


@contextmanager
def naming(path: Path, problem: str) -> Iterator[None]:
    """Turn what goes wrong with the contents of a file into an error that names the file and the entry."""
    try:
        yield
    except FormatError as error:
        if str(path) in str(error):
            raise
        raise FormatError(f"{path} {problem}: {error}") from error
    except KeyError as error:
        raise FormatError(f"{path} has no entry {shown(error.args[0] if error.args else None)}") from error
    except (OSError, MemoryError):
        raise
    except Exception as error:
        raise FormatError(f"{path} {problem}: {' '.join(str(error).split())[:1000]}") from error


def check_same_run(saved: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Refuse to resume a run under options that would change its result, naming the first that differs."""
    # Options that a later version has added are at their defaults in what an earlier one has saved.
    one, two = _flat(load.from_dict(saved, str(path)).as_dict()), _flat(wanted)
    for key in sorted(set(one) | set(two)):
        if key not in FREE_ON_RESUME and one.get(key) != two.get(key):
            raise FormatError(
                f"{path} is of a run with {key} = {shown(one.get(key))}, but {shown(two.get(key))} is asked for now; "
                "resume with the same options, or train into another folder"
            )


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
