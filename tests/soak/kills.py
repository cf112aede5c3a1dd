"""Trainings that are killed and resumed, and two at once in one folder: the bits are those of an undisturbed one.

Kinds: moment (killed at a random time), operation (before a random file operation), processes (two that train together,
one of them, both, or their launcher killed), twice (two trainings in one folder: one is refused, or both agree).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_map

from gatewright.errors import GatewrightError
from gatewright.runs.run import train
from gatewright.training.checkpoint import load_state
from gatewright.training.metrics import read_lines
from soak.dying import before_file_operation
from soak.harness import Failure, doing, main
from soak.mutator import Rng, one

CONFIG = """
data: {name: digits, encoder: {thresholds: 2, low: 0, high: 16}, augment: {shift: 1}}
model: {relaxation: hard, candidates: 4, layers: [{type: flatten}, {type: dense, width: 60}, {type: dense, width: 40}]}
optimizer: {schedule: one-cycle}
connections: {kind: guided, every: 4, trials: 4}
discretization: {kind: adaptive, start: 0.5, patience: 2, tolerance: 0.5}
train: {steps: 30, batch: 32, eval_every: 6, checkpoint_every: 4, log_every: 3, threads: 1}
"""

KINDS = (*["moment"] * 5, *["operation"] * 8, *["twice"] * 5, "processes")
"""As often as it takes to spend about the same time on each."""

_MARK = "SOAK_TRAINING"
"""Environment variable that tells the processes of one training from all others."""

REFUSED = 3
"""Exit code of a child whose training ended with one of gatewright's errors."""


@dataclass(frozen=True)
class Whole:
    """An undisturbed training.

    Attributes:
        content: What its folder says, times left out.
        seconds: Wall-clock time it took.
        operations: File operations it made.
    """

    content: dict[str, Any]
    seconds: float
    operations: int


def content(folder: Path) -> dict[str, Any]:
    """What a finished run's folder says, times left out, every bit of the model included."""
    result = json.loads((folder / "result.json").read_text())
    lines = [
        {key: value for key, value in line.items() if key != "seconds"} for line in read_lines(folder / "metrics.jsonl")
    ]
    names = sorted(path.name for path in folder.iterdir() if path.name[0] != "." and path.suffix != ".lock")
    state = load_state(folder / "model.safetensors", "model")  # not the bytes: the order in the file's header is random
    model = tree_map(lambda leaf: leaf.numpy().tobytes() if isinstance(leaf, torch.Tensor) else leaf, state)
    del result["seconds"]
    return {
        "result": result,
        "metrics": lines,
        "model": model,
        "files": names,
        "config": (folder / "config.yaml").read_text(),
    }


def child(work: Callable[[], object], log: Path) -> int:
    """Start work in a forked process, which leaves without any clean-up; returns its number."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        with log.open("a") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        work()
        status = 0
    except GatewrightError as error:
        log.write_text(str(error))
        status = REFUSED
    except BaseException:  # noqa: BLE001 - nothing of the parent's may run in the child
        traceback.print_exc(file=log.open("a"))
    finally:
        os._exit(status)


def ended(pid: int) -> int:
    """The exit code of a child, negative if a signal ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def config(folder: Path, seed: int) -> Path:
    """A config file beside a run's folder."""
    path = folder.parent / f"seed-{seed}.yaml"
    path.write_text(CONFIG.replace("threads: 1", f"threads: 1, seed: {seed}"))
    return path


@cache
def whole(seed: int, processes: int = 1) -> Whole:
    """An undisturbed training."""
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder, log = Path(name) / "run", Path(name) / "log"
        start = time.monotonic()
        if processes > 1:
            code = together(config(folder, seed), folder, processes, log).wait()
            operations = 0
        else:
            counting = Path(name) / "operations"

            def work() -> None:
                counted = before_file_operation(str(folder), 0)
                train(config(folder, seed), out=folder)
                counting.write_text(str(counted[0]))

            code = ended(child(work, log))
            operations = int(counting.read_text()) if code == 0 else 0
        if code:
            raise Failure(f"an undisturbed training of {processes} fails", log.read_text()[-300:])
        return Whole(content(folder), time.monotonic() - start, operations)


def together(path: Path, folder: Path, processes: int, log: Path, **environment: str) -> subprocess.Popen[bytes]:
    """Start a training of several processes, in a group of its own."""
    here = Path(__file__).parent
    paths = [str(here / "child"), str(here.parent), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "gatewright", "train", path, "--out", folder, "--devices", processes, "--resume"]
    return subprocess.Popen(
        [str(word) for word in command],
        env={**os.environ, "PYTHONPATH": ":".join(paths), _MARK: str(log), **environment},
        stdout=subprocess.DEVNULL,
        stderr=log.open("ab"),
        start_new_session=True,
    )


def compare(kind: str, folder: Path, undisturbed: Whole) -> None:
    """Fail if a folder says anything else than that of an undisturbed training."""
    try:
        found = content(folder)
    except (OSError, ValueError, KeyError) as error:
        raise Failure(f"{kind}: the folder holds no result", str(error)) from error
    for name, value in undisturbed.content.items():
        if found[name] != value:
            detail = "" if name == "model" else f"{found[name]!r:.200} {value!r:.200}"
            raise Failure(f"{kind}: another {name}", detail)


def killed(kind: str, rng: Rng, folder: Path, log: Path) -> str:
    """One to three kills, then the training is let finish."""
    seed = int(rng.integers(5, 7))
    undisturbed = whole(seed)
    path = config(folder, seed)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(1, undisturbed.operations + 1)) if kind == "operation" else 0
        after = undisturbed.seconds * float(rng.random()) if kind == "moment" else 0.0

        def work(at: int = at, after: float = after) -> None:
            before_file_operation(str(folder), at)
            signal.setitimer(signal.ITIMER_REAL, after)  # SIGALRM ends a process that does not know it
            train(path, out=folder, resume=True)

        code = ended(child(work, log))
        if code not in {0, -signal.SIGKILL, -signal.SIGALRM}:
            raise Failure(f"{kind}: a resumed training fails", log.read_text()[-300:])
    if ended(child(lambda: train(path, out=folder, resume=True), log)) != 0:
        raise Failure(f"{kind}: a resumed training fails", log.read_text()[-300:])
    compare(kind, folder, undisturbed)
    return kind


def _alive(log: Path) -> list[int]:
    """Processes of a training, wherever torch has put them: those whose environment has its mark."""
    mark = f"{_MARK}={log}".encode()
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
        except OSError:
            continue
    return found


def _end(log: Path) -> None:
    for pid in _alive(log):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def processes(rng: Rng, folder: Path, log: Path) -> str:
    """Two processes train together; one is killed before a file operation, or all or the launcher at a random time."""
    seed = 5
    undisturbed = whole(seed, 2)
    path = config(folder, seed)
    how = str(one(rng, ("operation", "launcher", "one", "all")))
    environment = {}
    if how == "operation":
        number = int(rng.integers(1, whole(seed).operations + 1))
        environment = {"SOAK_DIE_UNDER": str(folder), "SOAK_DIE_AT": str(number), "SOAK_DIE_RANK": "0"}
    started = together(path, folder, 2, log, **environment)
    if how != "operation":
        time.sleep(undisturbed.seconds * float(rng.uniform(0.2, 1)))
        members = _alive(log)
        if how == "all":
            _end(log)
        elif members:
            victim = (
                started.pid
                if how == "launcher"
                else int(one(rng, [pid for pid in members if pid != started.pid] or members))
            )
            os.kill(victim, signal.SIGKILL)
    try:
        started.wait(90)
        deadline = time.monotonic() + 30
        while (left := _alive(log)) and time.monotonic() < deadline:
            time.sleep(0.2)
    except subprocess.TimeoutExpired as error:
        _end(log)
        raise Failure(f"processes: {how} killed, and the others wait for ever") from error
    if left:
        _end(log)
        raise Failure(f"processes: {how} killed, and {len(left)} processes live on")
    if together(path, folder, 2, log).wait(120) != 0:
        raise Failure("processes: a resumed training fails", log.read_text()[-300:])
    compare("processes", folder, undisturbed)
    return f"processes, {how}"


def twice(rng: Rng, folder: Path, log: Path) -> str:
    """Two trainings with different seeds in one folder: one wins and is undisturbed, the other is refused."""
    seeds = (5, 6)
    undisturbed = [whole(seed) for seed in seeds]
    pids = []
    for seed in seeds:
        path = config(folder, seed)
        pids.append(child(lambda path=path: train(path, out=folder, resume=bool(rng.random() < 0.5)), log))
        time.sleep(undisturbed[0].seconds * float(one(rng, (0, 0, 0.02, 0.3, 0.8))))
    codes = [ended(pid) for pid in pids]
    if sorted(codes) != [0, REFUSED]:
        raise Failure(
            f"twice: exit codes are {sorted(codes)}, expected one success and one refusal", log.read_text()[-300:]
        )
    compare("twice", folder, undisturbed[codes.index(0)])
    return "twice"


def case(rng: Rng, only: Sequence[str]) -> str:
    """One training, or two, disturbed."""
    kind = str(one(rng, [k for k in KINDS if not only or k in only]))
    doing(kind)
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        folder, log = Path(name) / "run", Path(name) / "log"
        log.touch()
        if kind == "processes":
            return processes(rng, folder, log)
        return twice(rng, folder, log) if kind == "twice" else killed(kind, rng, folder, log)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as start:  # loads the kernels, once for all children
        train(config(Path(start) / "run", 5), out=Path(start) / "run", overrides=["train.steps=2"])
    sys.exit(main("kills", case))
