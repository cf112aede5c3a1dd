"""What a circuit takes on hardware, measured by the tools that build it: `synth` for FPGAs, `footprint` for controllers."""

from __future__ import annotations

from gatewright.hardware.luts import Mapped, map_luts
from gatewright.hardware.microcontrollers import CORES, Core, Footprint, footprint
from gatewright.hardware.report import Figure, Part, Report
from gatewright.hardware.synthesis import synth
from gatewright.hardware.targets import TARGETS, Device, Target

__all__ = [
    "CORES",
    "TARGETS",
    "Core",
    "Device",
    "Figure",
    "Footprint",
    "Mapped",
    "Part",
    "Report",
    "Target",
    "footprint",
    "map_luts",
    "synth",
]
