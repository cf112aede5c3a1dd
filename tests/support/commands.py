"""The command line, called in this process."""

from __future__ import annotations

import json
import resource
import subprocess
from typing import NamedTuple

from typer.testing import CliRunner

from gatewright.cli import app


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def gatewright(*args):
    """Run a command in this process."""
    result = CliRunner().invoke(app, [str(arg) for arg in args], prog_name="gatewright")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Outcome(result.exit_code, result.stdout, result.stderr)


def seconds(*command):
    """Processor seconds of a program, the least of some runs: other work on the machine adds to them."""

    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    taken = []
    for _ in range(7):
        before = used()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        taken.append(used() - before)
    return min(taken)
