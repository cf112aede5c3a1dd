"""The command line: `gatewright COMMAND`. Nothing heavy is imported before a command needs it, so help is quick."""

from __future__ import annotations

from gatewright.cli.app import app, main

__all__ = ["app", "main"]
