"""Memory that steps free is kept: checked in a process of its own, as the setting holds for good."""

from __future__ import annotations

import platform
import subprocess
import sys

PROGRAM = """
import resource, torch
from gatewright.runtime.memory import keep_freed_memory
kept = keep_freed_memory()
assert keep_freed_memory() is kept
for round in range(50):
    if round == 40:  # blocks have found their places by then
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(1 << 24)
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def test_freed_memory_is_not_cleared_again():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    kept, faults = done.stdout.split()
    assert kept == str(platform.libc_ver()[0] == "glibc")
    # Cleared anew each time, 64 MiB ten times over would be 163,840 pages.
    assert kept == "False" or int(faults) < 80_000
