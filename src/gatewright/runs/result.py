"""`result.json`: what a run achieved, and on what."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch
from pydantic import ValidationError

from gatewright.errors import FormatError
from gatewright.training.config import Section
from gatewright.runtime.files import write_text_atomically

RESULT = "result.json"


class SplitAccuracy(Section):
    """Accuracy on one split, 0 to 1: of the relaxation and of the discretized network."""

    soft: float
    hard: float


class RunResult(Section):
    """What a run achieved.

    Attributes:
        name: Of the preset or config file.
        data: Of the data set.
        validation: Accuracy on the validation split, which chose the weights; None if there was none.
        test: Accuracy on the whole test split, read once, at the end.
        gates: Gates of the discretized network before simplification.
        logic_ops: Gates that are left after it, without constants, wires and inverters.
        total_ops: Those, and the encoder's and the head's.
        depth: Longest path of logic ops, without encoder and head.
        steps: Steps trained.
        best_step: Step whose weights were kept.
        seconds: Wall-clock time of training, evaluations included.
        seed: Of the run's random generator.
        versions: Of gatewright and what it computes with.
        machine: What it ran on.
    """

    name: str
    data: str
    validation: SplitAccuracy | None
    test: SplitAccuracy
    gates: int
    logic_ops: int
    total_ops: int
    depth: int
    steps: int
    best_step: int
    seconds: float
    seed: int
    versions: dict[str, str]
    machine: dict[str, str | int]

    def save(self, folder: Path) -> None:
        """Write `result.json` in one step."""
        write_text_atomically(folder / RESULT, json.dumps(self.model_dump(mode="json"), indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> RunResult:
        """Read a run's `result.json`.

        Raises:
            FormatError: It is missing or damaged.
        """
        path = folder / RESULT
        try:
            return cls.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise FormatError(
                f"{folder} has no {RESULT}: the run is not finished (train with --resume goes on)"
            ) from error
        except (OSError, ValidationError) as error:
            raise FormatError(f"{path} is damaged: {' '.join(str(error).split())}") from error


def versions() -> dict[str, str]:
    """Versions of gatewright, Python and the libraries that compute."""
    return {"gatewright": version("gatewright"), "python": platform.python_version()} | {
        name: version(name) for name in ("torch", "numpy", "numba")
    }


def machine(device: torch.device) -> dict[str, str | int]:
    """The machine that a run is on: processor, cores, threads, system, and the GPU if it is used."""
    description: dict[str, str | int] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.type == "cuda":
        description["gpu"] = torch.cuda.get_device_name(device)
    return description


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
