"""What a figure was measured on: the machine, and the versions of what computes."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch


def versions() -> dict[str, str]:
    """Versions of gatewright, Python and the libraries that compute."""
    return {"gatewright": version("gatewright"), "python": platform.python_version()} | {
        name: version(name) for name in ("torch", "numpy", "numba")
    }


def machine(device: torch.device) -> dict[str, str | int]:
    """Describe this machine: processor, cores, threads, system, and the GPU if it is used."""
    description: dict[str, str | int] = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.type == "cuda":
        description["gpu"] = torch.cuda.get_device_name(device)
    return description


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
