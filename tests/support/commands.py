"""The command line, called in this process."""

from __future__ import annotations

import json
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
