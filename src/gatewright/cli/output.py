"""Output of commands: tables for people, or one JSON document for programs, never both on stdout.

Text is printed as it is: brackets in names and messages are no markup.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

LONGEST_NAME, LONGEST_WORD, LEAST_FOLD = 40, 16, 8
"""Letters up to which names, and other texts, are never folded on a narrow terminal; and the least width of a fold."""

MOST_WIDTH = 100_000
"""Characters of a line that no table reaches."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout, and nothing else.")]


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""What moves a terminal's cursor, colours it, or turns the order of letters; and halves of characters."""


def printable(given: object, *, lines: bool = False) -> str:
    """Text from anywhere (names, files, metadata, messages) as text: control characters are shown as Python writes them.

    Everything that a command prints for people goes through here.

    Args:
        given: The text, or what has one.
        lines: Whether new lines may begin; they are indented, so that none passes for a message of its own.
    """
    escaped = _CONTROL.sub(lambda found: found[0] if lines and found[0] in "\n\t" else repr(found[0])[1:-1], str(given))
    return escaped.replace("\n", "\n  ") if lines else escaped


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
    err().print(f"error: {printable(message, lines=True)}", style="red" if sys.stderr.isatty() else None)


def say(message: str) -> None:
    """Print a message about progress on stderr."""
    err().print(printable(message, lines=True))


def emit_json(value: Any) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def show_pairs(pairs: Mapping[str, object] | Iterable[tuple[str, object]], title: str | None = None) -> None:
    """Print a table of names and values."""
    table = Table(title=None if title is None else printable(title), show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs.items() if isinstance(pairs, Mapping) else pairs:
        table.add_row(printable(name), text(value))
    out().print(table)


def show_rows(
    columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None, *, whole: bool = False
) -> bool:
    """Print a table with a heading; columns of numbers are right-aligned.

    Where the terminal is too narrow, columns are left out from the right, which is said; the first two remain.

    Args:
        columns: Headings.
        rows: Values, as many as headings.
        title: Of the table.
        whole: Print all columns or nothing.

    Returns:
        Whether the table was printed with all columns.
    """
    rows, console = list(rows), out()
    kept = len(columns)
    unlimited = console.options.update_width(MOST_WIDTH)  # what is measured is cut to the width of the options
    while kept > 2 and console.measure(_table(columns[:kept], rows, title), options=unlimited).minimum > console.width:
        kept -= 1
    left_out = ", ".join(map(printable, columns[kept:]))
    if left_out and whole:
        return False
    console.print(_table(columns[:kept], rows, title))
    if left_out:
        console.print(f"no room for: {left_out} (all: --json, or a wider terminal)")
    return not left_out


def _table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str | None) -> Table:
    """The table of the first columns; texts but the first may be folded, numbers may not."""
    table = Table(title=None if title is None else printable(title), title_justify="left")
    for i, column in enumerate(columns):
        number = bool(rows) and all(isinstance(row[i], (int, float)) for row in rows)
        widest = max((len(text(row[i])) for row in rows), default=0)
        fold = not number and (i > 0 or widest > LONGEST_NAME) and widest > LONGEST_WORD
        table.add_column(
            printable(column),
            justify="right" if number else "left",
            overflow="fold",
            no_wrap=not fold,
            min_width=LEAST_FOLD if fold else max(widest, len(printable(column))),
        )
    for row in rows:
        table.add_row(*map(text, row[: len(columns)]))
    return table


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
    return printable(value)


def percent(share: float) -> str:
    """Format a share of 1 in per cent."""
    return f"{100 * share:.2f} %"
