"""What all harnesses share: numbered cases, limits of time and memory, and the one line of figures at the end.

A harness is a function `case(rng, only) -> tag`: one run, made from nothing but the generator, which says what came of it
in a word, or raises `Failure`. Case `index` of seed `seed` is always the same, so `--seed 1 --first 123 --count 1` repeats
it; `only` are the words after `--only`, which choose among the kinds of cases.
"""

from __future__ import annotations

import argparse
import atexit
import json
import mmap
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

Case = Callable[[np.random.Generator, Sequence[str]], str]
Outcome = tuple[str, str, str]
"""(tag, kind of failure or empty, detail)."""

SECONDS, MEGABYTES = 2, 512
"""What one case under limits may take: processor time, and memory beyond what the libraries have taken."""

MEMORY = Path("/dev/shm")
"""Where files cost least: nothing here outlives its case."""

ROOT = Path(__file__).parents[2]
"""The checkout."""


@cache
def scratch() -> Path:
    """A folder for files, removed when the process that first asked for it ends."""
    folder = Path(tempfile.mkdtemp(prefix="soak-", dir=MEMORY if MEMORY.is_dir() else None))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


_PATIENCE = 60
"""Wall-clock seconds after which a case under limits is taken to wait for something that never comes."""

_PART = 5000
"""Cases per child."""

_DEATHS = {signal.SIGPROF: f"more than {SECONDS} s", signal.SIGALRM: "waits", signal.SIGSEGV: "segmentation fault"}


class Failure(Exception):  # noqa: N818 - what harnesses look for, no error of theirs
    """A broken promise.

    Args:
        kind: What all cases with the same cause share; failures are counted by it.
        detail: What this case adds.
    """

    def __init__(self, kind: str, detail: str = "") -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


def unexpected(what: str, error: BaseException) -> Failure:
    """The failure of an exception that should not have come out, counted by its type and where gatewright let it."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/gatewright/" in f.filename]
    place = f"{'/'.join(Path(frames[-1].filename).parts[-2:])} {frames[-1].name}" if frames else "no code of gatewright"
    return Failure(f"{what}: {type(error).__name__} in {place}", str(error)[:200])


class Tally:
    """What became of the cases: by tag, and for each kind of failure how many, the first one, and its detail."""

    def __init__(self) -> None:
        self.tags: Counter[str] = Counter()
        self.failures: dict[str, tuple[int, int, str]] = {}

    def add(self, index: int, outcome: Outcome) -> None:
        """Count a case."""
        tag, kind, detail = outcome
        if not kind:
            self.tags[tag] += 1
            return
        count, first, about = self.failures.get(kind, (0, index, detail))
        self.failures[kind] = count + 1, first, about

    @property
    def failed(self) -> int:
        """Number of cases that failed."""
        return sum(count for count, _, _ in self.failures.values())


@dataclass
class Plan:
    """Which cases to run: from `first` on, until there were `count` or `seconds` are over."""

    seed: int
    first: int
    count: int
    seconds: float
    only: Sequence[str]
    start: float = field(default_factory=time.monotonic)

    def goes_on(self) -> bool:
        """Whether there is time left."""
        return time.monotonic() - self.start < self.seconds


def _outcome(case: Case, plan: Plan, index: int) -> Outcome:
    try:
        return case(np.random.default_rng([plan.seed, index]), plan.only), "", ""
    except Failure as failure:
        return "", failure.kind, failure.detail
    except Exception as error:  # noqa: BLE001 - whatever comes out is what we look for
        failure = unexpected("unexpected", error)
        return "", failure.kind, failure.detail


def plainly(case: Case, plan: Plan) -> Iterator[tuple[int, Outcome]]:
    """Outcomes of cases run in this process."""
    for index in range(plan.first, plan.first + plan.count):
        if not plan.goes_on():
            return
        yield index, _outcome(case, plan, index)


_NOW = mmap.mmap(-1, 256)
"""What a child is doing, for its parent to read if it dies."""


def doing(what: str) -> None:
    """Say what the present case is about, for the case that it kills its process."""
    _NOW[:] = what.encode()[:256].ljust(256)


def limited(case: Case, plan: Plan) -> Iterator[tuple[int, Outcome]]:
    """Outcomes of cases run in forked children under limits of time and memory; what kills a child is a failure."""
    at, stop = plan.first, plan.first + plan.count
    while at < stop and plan.goes_on():
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _child(case, plan, range(at, min(at + _PART, stop)), writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as lines:
            for line in lines:
                index, *said = json.loads(line)
                yield index, (said[0], said[1], said[2])
                at = index + 1
                if not plan.goes_on():
                    os.kill(child, signal.SIGKILL)
                    break
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status) and plan.goes_on():
            death = signal.Signals(os.WTERMSIG(status))
            yield at, ("", f"{_NOW[:].decode().strip()}: {_DEATHS.get(death, death.name)}", "the process died")
            at += 1


def _child(case: Case, plan: Plan, indices: range, pipe: int) -> None:
    """Run cases, report each on the pipe, and leave; at a limit of time the system ends the process."""
    status = 1
    try:
        data = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmData"))
        most = int(data.split()[1]) * 1024 + MEGABYTES * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for index in indices:
            doing("unexpected")
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
            said = _outcome(case, plan, index)
            signal.setitimer(signal.ITIMER_PROF, 0)
            os.write(pipe, json.dumps([index, *said]).encode() + b"\n")
        status = 0
    except BaseException:  # noqa: BLE001 - nothing of the parent's may run in the child
        traceback.print_exc()
    finally:
        os._exit(status)


def main(name: str, case: Case, *, limits: bool = False, size: int = 1) -> int:
    """Run a harness from the command line: a line per kind of failure, then one line of figures.

    Args:
        name: Of its module.
        case: The harness.
        limits: Whether cases run in children under limits.
        size: Runs that one case consists of.

    Returns:
        The exit code: 0 if no case failed.
    """
    parser = argparse.ArgumentParser(prog=f"python -m soak.{name}", description=sys.modules["__main__"].__doc__)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--count", type=int, help="stop after so many cases (1,000 if no --seconds are given)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--only", nargs="*", default=(), metavar="KIND")
    given = parser.parse_args()
    if MEMORY.is_dir():
        tempfile.tempdir = str(MEMORY)
    count = given.count or (1000 if given.seconds == float("inf") else 10**9)
    plan = Plan(given.seed, given.first, count, given.seconds, given.only)
    tally = Tally()
    for index, outcome in (limited if limits else plainly)(case, plan):
        tally.add(index, outcome)
    only = f" --only {' '.join(plan.only)}" if plan.only else ""
    for kind, (failures, first, detail) in sorted(tally.failures.items()):
        again = f"python -m soak.{name} --seed {plan.seed} --first {first} --count 1{only}"
        print(f"FAILED {failures:,} times: {kind}: {detail!r}\n    {again}")
    tags = ", ".join(f"{tag} {size * times:,}" for tag, times in sorted(tally.tags.items()))
    taken = time.monotonic() - plan.start
    print(
        f"{name}: {size * (tally.tags.total() + tally.failed):,} runs, "
        f"{tally.failed:,} failures of {len(tally.failures)} kinds "
        f"({tags}; seed {plan.seed}, {taken:.0f} s)"
    )
    return int(tally.failed > 0)
