"""Strict schemas: trees of options and figures that refuse what they do not know."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from gatewright.errors import OptionError, shown


class Section(BaseModel):
    """Base of all sections: no unknown keys, no silent conversions, no changes after validation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


S = TypeVar("S", bound=Section)

UNKNOWN_SECTION = "unknown_section"
"""Type of the validation error of a section whose name is missing or unknown; its message begins with the key."""


class Choice(Generic[S]):
    """A field that holds one of several sections; the value of one key names the section.

    It is the metadata of an annotation, `head: Annotated[Head, HEADS]`, and knows the sections that are registered when a
    value is validated, so new ones can be added from anywhere. With `SHAPES = Choice("kind")` and

        @SHAPES.register
        class Circle(Section):
            kind: Literal["circle"]
            radius: float

    `SHAPES.read({"kind": "circle", "radius": 2.0})` is a `Circle`.

    Args:
        key: The field that names a section; its type is a literal of one text.
        default: The name where the key is missing; None if the key is required.
    """

    def __init__(self, key: str, default: str | None = None) -> None:
        self.key = key
        self.default = default
        self.sections: dict[str, type[S]] = {}

    def register(self, section: type[S]) -> type[S]:
        """Add a section; for use as a decorator.

        Raises:
            OptionError: Another section has its name.
        """
        (name,) = get_args(section.model_fields[self.key].annotation)
        if name in self.sections:
            raise OptionError(f"{self.key} {name!r} is already {self.sections[name].__name__}")
        self.sections[name] = section
        return section

    def section_of(self, value: Any) -> type[S] | None:
        """The section that a mapping is for, or None."""
        name = value.get(self.key, self.default) if isinstance(value, dict) else None
        return self.sections.get(name) if isinstance(name, str) else None

    def read(self, value: Any) -> S:
        """Validate a mapping; a section is returned as it is."""
        known: tuple[type[S], ...] = tuple(self.sections.values())
        if isinstance(value, known):
            return value
        section = self.section_of(value)
        if section is None:
            given = value.get(self.key) if isinstance(value, dict) else value
            expected = ", ".join(map(repr, self.sections))
            context = {"key": self.key, "given": shown(given), "expected": expected}
            raise PydanticCustomError(UNKNOWN_SECTION, "{key} is {given}, expected {expected}", context)
        return section.model_validate({self.key: self.default, **value})

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)
