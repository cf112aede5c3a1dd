"""A short run of each harness; `script/soak MINUTES` runs them long. A run that fails says how to repeat the case."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

RUNS = {
    "kills": "kills --only moment operation twice --count 8",
    "loaders": "fuzz --count 4000 --seconds 10",
    "networks": "networks --count 1",
    "changes": "mutations --count 60",
    "texts": "hostile --count 150",
    "packed tensors": "tensors --count 150",
}
"""By name, a harness and its arguments."""


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
