"""Output of commands: tables for people, or one JSON document for programs, never both on stdout.

Text is printed as it is: brackets in names and messages are no markup.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else.")]


def err() -> Console:
    """Make the console for progress and messages."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def out() -> Console:
    """Make the console for results; without a terminal it is wide, so that programs can read lines."""
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 160
    return console


def complain(message: str) -> None:
    """Print an error message on stderr."""
    err().print(f"error: {message}", style="red" if sys.stderr.isatty() else None)


def say(message: str) -> None:
    """Print a message about progress on stderr."""
    err().print(message)


def emit_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def show_pairs(pairs: Mapping[str, object] | Iterable[tuple[str, object]], title: str | None = None) -> None:
    """Print a table of names and values."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
        table.add_row(name, text(value))
    out().print(table)


def show_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a table with a heading; columns of numbers are right-aligned."""
    rows = list(rows)
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        number = bool(rows) and all(isinstance(row[i], (int, float)) for row in rows)
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(text, row))
    out().print(table)


def text(value: object) -> str:
    """Format a value for people: thousands separated, lists without brackets."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(text, value))
    return str(value)


def percent(share: float) -> str:
    """Format a share of 1 in per cent."""
    return f"{100 * share:.2f} %"
