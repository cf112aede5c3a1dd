"""Run ABC, Berkeley's logic synthesis and verification system, which the yosys wheel contains."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from gatewright.errors import MissingExtraError, ToolError, install_command
from gatewright.runtime.programs import TimeLimitError, run_program

_NAMES = ("yosys-abc", "berkeley-abc", "abc")


def find_abc() -> Path | None:
    """The ABC binary: that of the `pyosys` wheel, or one on PATH, or None."""
    # Located without importing the wheel: the import loads all of yosys.
    spec = importlib.util.find_spec("pyosys")
    if spec is not None and spec.origin is not None:
        for name in ("yosys-abc", "yosys-abc.exe"):
            binary = Path(spec.origin).parent / name
            if binary.is_file():
                return binary
    return next((Path(found) for found in map(shutil.which, _NAMES) if found is not None), None)


def run_abc(script: str, folder: Path, timeout: float) -> str | None:
    """Run an ABC script.

    Args:
        script: Commands, separated by semicolons; file names are relative to the folder.
        folder: Where to run it.
        timeout: Seconds after which to stop it.

    Returns:
        What it printed, or None if it was stopped.

    Raises:
        MissingExtraError: ABC is not installed.
        ToolError: It cannot be run, crashed, or refused a command.
    """
    binary = find_abc()
    if binary is None:
        raise MissingExtraError(
            f"ABC is not installed (looked for the pyosys package and for {', '.join(_NAMES)} on PATH), and this "
            f"feature needs it: {install_command('prove')}"
        )
    name = f"ABC ({binary}) on {script!r}"
    try:
        printed = run_program([binary, "-q", script], folder, timeout, name=name)
    except TimeLimitError:
        return None
    if "cmd error" in printed:
        raise ToolError(f"{name} failed: {printed.strip()[-500:]}")
    return printed
