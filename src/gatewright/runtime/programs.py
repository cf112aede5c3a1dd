"""Running foreign programs: found by name, stopped after a time limit, quoted when they fail."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gatewright.errors import MissingExtraError, ToolError, install_command

_YOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in open(sys.argv[1], encoding="utf-8"):
    libyosys.run_pass(line.strip(), design)
"""
"""Yosys is a library. In a process of its own it can be stopped, and its crash ends no other process."""


class TimeLimitError(ToolError):
    """A program was stopped at its time limit."""


def find_program(name: str, *, package: str) -> str:
    """Path of a program.

    Raises:
        ToolError: It is not on PATH; the message says to install `package`.
    """
    if (found := shutil.which(name)) is None:
        raise ToolError(f"{name} is not on PATH, and this feature needs it: install {package}")
    return found


def run_program(
    command: Sequence[str | Path], folder: Path, timeout: float, *, name: str | None = None, stderr: bool = False
) -> str:
    """Run a program without input, and return what it printed.

    Args:
        command: Program and arguments.
        folder: Where to run it.
        timeout: Seconds after which to stop it.
        name: What messages call it; by default the name of its file.
        stderr: Whether to return its standard error after its standard output.

    Raises:
        TimeLimitError: It was stopped.
        ToolError: It cannot be run, or failed.
    """
    name = name or Path(command[0]).name
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeLimitError(f"{name} was stopped after {timeout:.0f} s: allow a longer timeout") from error
    except OSError as error:
        raise ToolError(f"cannot run {name}: {error}") from error
    if done.returncode != 0:
        printed = (done.stdout + done.stderr).strip()[-800:]
        raise ToolError(f"{name} failed with exit code {done.returncode}: {printed}")
    return done.stdout + done.stderr if stderr else done.stdout


def run_yosys(commands: Sequence[str], folder: Path, timeout: float) -> str:
    """Run commands of yosys in order; see `run_program`.

    Raises:
        MissingExtraError: The `pyosys` package is not installed.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise MissingExtraError(
            "pyosys (the yosys synthesis tool) is not installed, and this feature needs it: "
            f"{install_command('hardware')}"
        )
    script = folder / "script.ys"
    script.write_text("".join(f"{command}\n" for command in commands), encoding="utf-8")
    return run_program([sys.executable, "-c", _YOSYS, script], folder, timeout, name="yosys")
