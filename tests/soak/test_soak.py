"""A short run of each harness; `script/soak MINUTES` runs them long. A run that fails says how to repeat the case."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

RUNS = {
    "kills": "kills --only moment operation --count 4 --seed 2",
    "loaders that hold": "fuzz --only aag cifar verilog --count 1500 --seconds 5",
    "networks": "networks --count 1",
    "changed circuits": "mutations --only circuit --count 30",
    "hostile texts": "hostile --only verilog blif aiger --count 60",
}
"""By name, a harness and its arguments."""

BROKEN = {
    "two runs in one folder": ("kills --only twice --count 3", "a folder has no lock"),
    "circuit files": ("fuzz --only gw --count 1000 --seconds 5", "headers are read without a schema and limits"),
    "models and checkpoints": (
        "fuzz --only state model --count 1500 --seconds 5",
        "headers have no checksum and no schema",
    ),
    "netlists": (
        "fuzz --only aiger blif blif-registers --count 1500 --seconds 5",
        "numbers and messages have no limits",
    ),
    "configs": ("fuzz --only yaml override --count 500 --seconds 5", "YAML and messages have no limits"),
    "figures and data": ("fuzz --only npy card result results idx --count 1000 --seconds 5", "no limits"),
    "changed BLIF": ("mutations --only blif --count 120", "lines end for us where they do not for others"),
    "changed Verilog": ("mutations --only verilog pipeline --count 24", "verify proves what it has not understood"),
    "hostile texts in C": ("hostile --only c --count 30", "a comment can be ended"),
    "hostile texts in pages": ("hostile --only html --count 30", "lone surrogates"),
    "hostile texts on the terminal": ("hostile --only cli --count 20", "control characters are passed on"),
    "packed tensors": ("tensors --count 40", "writes vanish"),
}
"""The same, of what does not hold yet, and why."""


def run(arguments: str) -> str:
    """The line of figures of a harness that finds nothing."""
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_WAIT_POLICY": "PASSIVE"}
    name, *rest = arguments.split()
    command = [sys.executable, "-m", f"soak.{name}", *rest]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", RUNS)
def test_nothing_is_found(name):
    assert ", 0 failures " in run(RUNS[name])


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(text, id=name, marks=pytest.mark.xfail(strict=True, reason=why))
        for name, (text, why) in BROKEN.items()
    ],
)
def test_what_does_not_hold_yet(arguments):
    run(arguments)
