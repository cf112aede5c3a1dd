"""Folders that hold a network: one file of it, and what the file does not say."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gatewright.errors import FormatError, OptionError, UnsupportedError
from gatewright.runtime.documents import parse_json
from gatewright.runtime.files import read_bytes
from gatewright.runtime.schema import Section

OPTIONS_FILE = "network.json"


class Described(Section):
    """What `network.json` may say: options of `gatewright.import_network`."""

    classes: int | None = None
    tau: float | None = None
    inputs: int | None = None
    quantize: int | None = None
    dtype: str | None = None
    shape: list[int] | None = None
    class_names: list[str] | None = None
    feature_names: list[str] | None = None
    thermometer: str | list[Any] | None = None
    like: str | None = None


def network_of(folder: Path, suffixes: Collection[str]) -> tuple[Path, dict[str, Any]]:
    """The file of the network in a folder, and the options that `network.json` beside it gives.

    Args:
        folder: It holds one file with one of the suffixes, `network.json` or not, and files that this names: `thermometer`
            and `like` are relative to the folder.
        suffixes: Of files that can be imported.

    Raises:
        OptionError: No file, or several, can be meant.
        FormatError: `network.json` is damaged, or says something that is not known.
        UnsupportedError: `network.json` names a file outside of the folder.
    """
    about = folder / OPTIONS_FILE
    options = _options(about) if about.exists() else {}
    named = []
    for key in ("thermometer", "like"):
        if isinstance(options.get(key), str):
            named.append(folder / options[key])
            if named[-1].resolve().parent != folder.resolve():
                raise UnsupportedError(f"{about}: {key} is {options[key]!r}, expected a file of the same folder")
            options[key] = named[-1]
    found = sorted(
        p for p in folder.iterdir() if p.suffix in suffixes and p != about and p not in named and p.is_file()
    )
    if len(found) != 1:
        what = f"holds {', '.join(p.name for p in found[:5])}" if found else "holds no file of a foreign network"
        raise OptionError(
            f"the folder {folder} {what}; expected one file ({', '.join(suffixes)}), and {OPTIONS_FILE} for what it does "
            "not say; `gatewright compile` makes circuits of runs"
        )
    return found[0], options


def _options(path: Path) -> dict[str, Any]:
    tree = parse_json(read_bytes(path), str(path))
    try:
        given = Described.model_validate(tree).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise FormatError(
            f"{path}: {where}: {first['msg'].lower()}; expected a JSON object of {', '.join(Described.model_fields)}"
        ) from error
    return {
        key: tuple(value) if key in {"shape", "class_names", "feature_names"} else value for key, value in given.items()
    }
