"""Drive ABC, Berkeley's logic synthesis and verification system, which the yosys wheel contains."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path

from gatewright.errors import MissingExtraError, ToolError

_NAMES = ("yosys-abc", "berkeley-abc", "abc")


def find_abc() -> Path | None:
    """The ABC binary: the one in the `pyosys` wheel, else one on PATH, else None."""
    # The wheel is only looked at, not imported: importing it loads all of yosys.
    spec = importlib.util.find_spec("pyosys")
    if spec is not None and spec.origin is not None:
        for name in ("yosys-abc", "yosys-abc.exe"):
            binary = Path(spec.origin).parent / name
            if binary.is_file():
                return binary
    for name in _NAMES:
        found = shutil.which(name)
        if found is not None:
            return Path(found)
    return None


def run_abc(script: str, folder: Path, timeout: float) -> str | None:
    """Run an ABC script.

    Args:
        script: Commands, separated by semicolons; file names are relative to the folder.
        folder: Where to run it.
        timeout: Seconds after which it is stopped.

    Returns:
        What it printed, or None if it was stopped.

    Raises:
        MissingExtraError: There is no ABC.
        ToolError: It cannot be run, or crashed.
    """
    binary = find_abc()
    if binary is None:
        raise MissingExtraError(
            f"ABC is not installed (looked for the pyosys package and for {', '.join(_NAMES)} on PATH), and this "
            "feature needs it: pip install 'gatewright[prove]'"
        )
    try:
        done = subprocess.run(
            [str(binary), "-q", script],
            cwd=folder,
            timeout=timeout,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        raise ToolError(f"cannot run {binary}: {error}") from error
    if done.returncode != 0 or "cmd error" in done.stdout:
        told = (done.stdout + done.stderr).strip()[-500:]
        raise ToolError(f"ABC ({binary}) failed with exit code {done.returncode} on {script!r}: {told}")
    return done.stdout
