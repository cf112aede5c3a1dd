"""The one family of errors that gatewright raises for its users' mistakes.

Every message says what was given, what was expected and what to do. All of them are `ValueError`s, so code that
catches `ValueError` keeps working; the subclasses exist for callers who want to tell one kind from another.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.metadata
import re
import reprlib
from collections.abc import Iterable
from types import ModuleType


class GatewrightError(ValueError):
    """Base of every error that gatewright raises on purpose.

    Example:
        >>> import gatewright as gw
        >>> try:
        ...     gw.load("mnist-9k")
        ... except gw.GatewrightError as error:
        ...     print(str(error)[:71])
        unknown file or circuit of the zoo 'mnist-9k'; did you mean 'mnist-8k'?
    """


class ShapeError(GatewrightError):
    """An array, tensor or image has a shape that does not fit."""


class DtypeError(GatewrightError, TypeError):
    """An array, tensor or value has a type that does not fit."""


class OptionError(GatewrightError):
    """An option, key or name is unknown, or its value is out of range."""


class DataError(GatewrightError):
    """Data are missing, damaged, or contain values that cannot be used (NaN, unknown labels)."""


class NotFittedError(GatewrightError, AttributeError):
    """Something is used before `fit` has given it what it needs."""


class FormatError(GatewrightError):
    """A file (circuit, checkpoint, netlist) is damaged, truncated, or of another format."""


class UnsupportedError(GatewrightError):
    """Something cannot be turned into an exact circuit (or exported), and is refused rather than approximated."""


class VerificationError(GatewrightError):
    """A check or proof of equality failed; the message names a counter-example."""


class ToolError(GatewrightError, RuntimeError):
    """A foreign tool (ABC, yosys, a compiler, a simulator) is missing or failed."""


class MissingExtraError(GatewrightError, ImportError):
    """An optional dependency is not installed; the message names the pip command that brings it."""


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 3, 80, 80
_SHORT.maxdict = _SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxfrozenset = 4


def shown(value: object) -> str:
    """What a message shows of a value from outside, as `repr` but never long: no part of a large one is written out.

    >>> shown({"a": list(range(1000))})
    "{'a': [0, 1, 2, 3, ...]}"
    """
    try:
        return _SHORT.repr(value)[:200]
    except Exception:  # noqa: BLE001 - numbers of thousands of digits, and whatever else has no text
        return f"a {type(value).__name__}"


def unknown_name(kind: str, given: str, valid: Iterable[str]) -> OptionError:
    """Build the error for a misspelled name, with the nearest valid one.

    Args:
        kind: What the name stands for, in the singular ("preset", "data set", "option").
        given: The name as the user gave it.
        valid: All valid names.
    """
    names = sorted(valid)
    near = difflib.get_close_matches(given[:200], names, n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return OptionError(f"unknown {kind} {shown(given)}{hint} (valid: {', '.join(names)})")


def install_command(extra: str) -> str:
    """The command that brings the packages of one of gatewright's extras.

    It names the packages themselves, so it works wherever gatewright came from: an index, a clone, a wheel.

    >>> install_command("report")
    "pip install 'matplotlib>=3.9' (the extra [report])"
    """
    try:
        lines = importlib.metadata.requires("gatewright") or []
    except importlib.metadata.PackageNotFoundError:  # run from its sources, not installed
        lines = []
    packages = [f"'{line.partition(';')[0].strip()}'" for line in lines if re.search(rf"extra == .{extra}.$", line)]
    return f"pip install {' '.join(packages) or 'gatewright'} (the extra [{extra}])"


def require_extra(module: str, extra: str) -> ModuleType:
    """Import an optional dependency, or say which of gatewright's extras brings it.

    Raises:
        MissingExtraError: The module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and error.name != module.split(".", maxsplit=1)[0]:
            raise
        raise MissingExtraError(
            f"{module} is not installed, and this feature needs it: {install_command(extra)}"
        ) from error
