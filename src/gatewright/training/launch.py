"""Several processes of one command on this machine; several machines start theirs with torchrun."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from types import FrameType

GRACE = 60.0
"""Seconds that the other processes get to end after the first one failed."""


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run `python -m gatewright ARGUMENTS` in this many processes that find each other, and wait for them.

    Ctrl-C and SIGTERM are passed on. If one process fails, the others are ended.

    Args:
        processes: How many.
        arguments: What each is told.

    Returns:
        See `exit_code`.
    """
    environment = {**os.environ, "WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    environment |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    command = [sys.executable, "-m", "gatewright", *arguments]
    children = [
        subprocess.Popen(command, env={**environment, "RANK": str(i), "LOCAL_RANK": str(i)}, start_new_session=True)
        for i in range(processes)
    ]

    def pass_on(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of signal handlers
        for child in children:
            child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while all(child.poll() is None for child in children):
            time.sleep(0.05)
        return _gather(children)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for child in children:
            if child.poll() is None:
                child.kill()


def _gather(children: list[subprocess.Popen[bytes]]) -> int:
    """Wait for all, for a while only if one failed; the code to end with."""
    deadline: float | None = None
    while any(child.poll() is None for child in children):
        if deadline is None and any(child.poll() for child in children):
            deadline = time.monotonic() + GRACE
            for child in children:
                if child.poll() is None:
                    child.terminate()
        if deadline is not None and time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return exit_code([child.returncode for child in children])


def exit_code(codes: Sequence[int | None]) -> int:
    """The code to end with: a process's own before that of one ended by a signal, as the others are when one has failed."""
    return next((code for code in codes if code and code > 0), next((-code for code in codes if code), 0))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
