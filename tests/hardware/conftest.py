"""Foreign tools that the figures come from."""

from support.tools import run, tool

__all__ = ["run", "tool"]
