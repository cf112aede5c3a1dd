"""JSON from anywhere: what it may hold is limited before it is built, and every fault is a `FormatError`.

`reading` is the last resort around a loader: whatever a hostile file still provokes there becomes a `FormatError`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from gatewright.errors import FormatError, GatewrightError, shown

M = TypeVar("M", bound=BaseModel)

MOST_DIGITS = 1000
"""Of one number."""

_ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
SURROGATE = re.compile(r"[\ud800-\udfff]")


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Around a loader: what is wrong with the file is a `FormatError` that names file and cause, and nothing else.

    Gatewright's other errors, errors of the system, and want of memory remain what they are.
    """
    try:
        yield
    except FormatError as error:
        if str(path) in str(error):
            raise
        raise FormatError(f"{path}: {error}") from error
    except (GatewrightError, OSError, MemoryError):
        raise
    except RecursionError as error:
        raise FormatError(f"{path} is damaged, or made to do harm: its content is nested too deeply") from error
    except Exception as error:
        what = " ".join(str(error).split())[:300]
        raise FormatError(
            f"{path} is damaged, or made to do harm: it cannot be read ({type(error).__name__}: {what})"
        ) from error


def parse_json(text: str | bytes, source: str, *, first: int | None = None, infinite: bool = False) -> Any:
    """Read JSON.

    Refused besides what is no JSON: a key that is given twice, numbers of more than 1,000 digits or beyond the range of
    floats, and texts that no encoding can write.

    Args:
        text: The text, or its bytes in UTF-8.
        source: What it is, for messages.
        first: Where in its file it begins; None if it is the whole file.
        infinite: Whether NaN, Infinity and -Infinity are numbers, as `json.dumps` writes them.

    Raises:
        FormatError: It cannot be read; the message names the byte or character.
    """
    place, start = ("byte", first) if first is not None else ("character", 0)

    def refuse(value: str) -> NoReturn:
        raise FormatError(f"{source} has the number {value}, expected a finite one")

    def whole(digits: str) -> int:
        if len(digits) > MOST_DIGITS:
            raise FormatError(f"{source} has a number of {len(digits)} digits")
        return int(digits)

    def real(digits: str) -> float:
        number = float(digits)
        if not math.isfinite(number):
            raise FormatError(f"{source} has the number {shown(digits)}, which is out of range")
        return number

    def mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for i, key in enumerate(keys) if key in keys[:i])
            raise FormatError(f"{source} has the key {shown(twice)} twice")
        return result

    try:
        if isinstance(text, bytes):
            text = text.decode()
        tree = json.loads(
            text,
            parse_int=whole,
            parse_float=real,
            parse_constant=float if infinite else refuse,
            object_pairs_hook=mapping,
        )
        if _ESCAPED.search(text) or SURROGATE.search(text):
            json.dumps(tree, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise FormatError(f"{source} at byte {start + error.start} is no UTF-8") from error
    except UnicodeEncodeError as error:
        raise FormatError(f"{source} has half a character ({error.object[error.start]!r}), which is no text") from error
    except json.JSONDecodeError as error:
        raise FormatError(f"{source} at {place} {start + error.pos} is no JSON ({error.msg})") from error
    except RecursionError as error:
        raise FormatError(f"{source} is nested too deeply") from error
    return tree


def validated(schema: type[M], tree: object, source: str) -> M:
    """A tree as the section that describes it.

    Raises:
        FormatError: It does not fit; the message names the first entry that does not.
    """
    try:
        return schema.model_validate(tree)
    except ValidationError as error:
        raise FormatError(f"{source}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """The first complaint of pydantic in one short line: the entry, what is wrong, what was given."""
    first = error.errors(include_url=False)[0]
    field = ".".join(str(part)[:40] for part in first["loc"][:10]) or "the header"
    return f"{field}: {first['msg'][:200]} (given {shown(first['input'])})"
