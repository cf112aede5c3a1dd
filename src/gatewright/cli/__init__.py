"""The command line: `gatewright COMMAND`. Commands import what they need when they run, so help is quick."""

from __future__ import annotations

from gatewright.cli.app import app, main

__all__ = ["app", "main"]
