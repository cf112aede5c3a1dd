"""What a circuit takes on real hardware, as tools say that build it: `synth` for FPGAs, `footprint` for controllers."""

from __future__ import annotations

from gatewright.hardware.luts import Mapped, map_luts
from gatewright.hardware.microcontrollers import CORES, Footprint, footprint
from gatewright.hardware.report import Figure, Part, Report
from gatewright.hardware.synthesis import synth
from gatewright.hardware.targets import TARGETS

__all__ = ["CORES", "TARGETS", "Figure", "Footprint", "Mapped", "Part", "Report", "footprint", "map_luts", "synth"]
