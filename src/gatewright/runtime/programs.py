"""Running foreign tools: found or missed by name, stopped after a time, their last words quoted when they fail."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from gatewright.errors import MissingExtraError, ToolError

_YOSYS = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in open(sys.argv[1], encoding="utf-8"):
    libyosys.run_pass(line.strip(), design)
"""
"""Yosys is a library; in a process of its own it can be stopped, and a crash ends nobody else."""


def find_program(name: str, *, package: str) -> str:
    """Path of a program.

    Args:
        name: Its name.
        package: What to install, for the message.

    Raises:
        ToolError: It is not on PATH.
    """
    found = shutil.which(name)
    if found is None:
        raise ToolError(f"{name} is not on PATH, and this feature needs it: install {package}")
    return found


def run_tool(command: Sequence[str | Path], folder: Path, timeout: float, *, errors_too: bool = False) -> str:
    """Run a tool.

    Args:
        command: Program and arguments.
        folder: Where to run it.
        timeout: Seconds after which it is stopped.
        errors_too: Whether what it wrote to standard error is returned, too.

    Returns:
        Its standard output.

    Raises:
        ToolError: It failed, or took too long.
    """
    name = Path(command[0]).name
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
        raise ToolError(f"{name} was stopped after {timeout:.0f} s: allow a longer timeout") from error
    except OSError as error:
        raise ToolError(f"cannot run {name}: {error}") from error
    if done.returncode != 0:
        told = (done.stdout + done.stderr).strip()[-800:]
        raise ToolError(f"{name} failed with exit code {done.returncode}: {told}")
    return done.stdout + done.stderr if errors_too else done.stdout


def run_yosys(commands: Sequence[str], folder: Path, timeout: float) -> str:
    """Run commands of yosys, one after the other; see `run_tool`.

    Raises:
        MissingExtraError: The `pyosys` package is not installed.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise MissingExtraError(
            "pyosys (the yosys synthesis tool) is not installed, and this feature needs it: "
            "pip install 'gatewright[hardware]'"
        )
    script = folder / "script.ys"
    script.write_text("".join(f"{command}\n" for command in commands), encoding="utf-8")
    return run_tool([sys.executable, "-c", _YOSYS, script], folder, timeout)
