"""Examples of docstrings as mkdocstrings knows them: it takes only sections named "Examples"."""

from __future__ import annotations

import re
from typing import Any

import griffe

BARE = re.compile(r"(?m)^>>> .*(?:\n(?!\n).+)*")
"""A doctest outside of any section: from its first line to the next empty one."""


def with_sections(text: str) -> str:
    """The docstring with "Examples:" for "Example:", and around doctests that stand in no section."""
    text = re.sub(r"(?m)^Example:$", "Examples:", text)
    return BARE.sub(lambda found: "Examples:\n    " + found[0].replace("\n", "\n    "), text)


class Examples(griffe.Extension):
    """Changes docstrings while they are collected."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Change one."""
        if obj.docstring is not None:
            obj.docstring.value = with_sections(obj.docstring.value)
