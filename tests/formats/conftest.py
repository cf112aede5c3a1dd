"""Foreign tools that the exports are checked with."""

from support.tools import abc, run, tool

__all__ = ["abc", "run", "tool"]
