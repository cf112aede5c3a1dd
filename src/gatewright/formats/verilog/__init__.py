"""Verilog: modules out of circuits, and circuits out of modules that yosys reads."""

from gatewright.formats.verilog.module import to_verilog
from gatewright.formats.verilog.reader import from_verilog

__all__ = ["from_verilog", "to_verilog"]
