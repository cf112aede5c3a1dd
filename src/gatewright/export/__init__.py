"""Circuits as sources and netlists for other tools: each format a function `circuit, directory -> files`."""

from gatewright.export.c import to_c

__all__ = ["to_c"]
