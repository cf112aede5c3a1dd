"""Lists that other code may add to: formats, hardware targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from gatewright.errors import OptionError, unknown_name

T = TypeVar("T")


class Registry(dict[str, T]):
    """A dictionary by name that explains a missing name, and refuses a wrong entry or a name that is taken.

    Args:
        kind: What an entry is, in the singular, for messages.
        of: Type that an entry must have, as for `isinstance`.
        entries: The first entries.

    Raises:
        OptionError: From `registry[name]`, if there is no such entry; from `registry[name] = entry`, if the name is taken
            (delete it first to replace it), is no text, or the entry is not of the type.

    >>> colours = Registry("colour", str, {"red": "#f00"})
    >>> colours["blue"] = "#00f"
    >>> colours["bleu"]
    Traceback (most recent call last):
    gatewright.errors.OptionError: unknown colour 'bleu'; did you mean 'blue'? (valid: blue, red)
    """

    def __init__(self, kind: str, of: Any, entries: Mapping[str, T]) -> None:
        super().__init__()
        self._kind, self._of = kind, of
        for name, entry in entries.items():
            self[name] = entry

    def __missing__(self, name: object) -> T:
        raise unknown_name(self._kind, str(name), self)

    def __setitem__(self, name: str, entry: T) -> None:
        if not isinstance(name, str) or not name:
            raise OptionError(f"{self._kind}: the name is {name!r}, expected a text that is not empty")
        if name in self:
            raise OptionError(f"{self._kind} {name!r} exists already; choose another name, or delete that one first")
        if not isinstance(entry, self._of):
            raise OptionError(f"{self._kind} {name!r} is {entry!r}, expected: {self._of.__name__}")
        super().__setitem__(name, entry)
