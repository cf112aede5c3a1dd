"""From a preset, a YAML file and `key=value` overrides to one validated `RunConfig`.

A file may build on a preset with `extends: NAME`: sections are merged key by key, lists are replaced as a whole, and a
section whose `kind` changes starts afresh, since the options of the old kind mean nothing to the new one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from gatewright.errors import DataError, FormatError, OptionError, shown, unknown_name
from gatewright.runtime.documents import reading
from gatewright.runtime.files import read_bytes
from gatewright.runtime.schema import UNKNOWN_SECTION, Choice
from gatewright.runtime.yaml_text import parse_yaml
from gatewright.training.config import RunConfig

Tree = dict[str, Any]

_PROBLEMS = 5
"""Problems of one config that a message lists."""


def preset_names() -> list[str]:
    """Names of all presets."""
    files = [file.name for file in resources.files("gatewright.presets").iterdir()]
    return sorted(file.removesuffix(".yaml") for file in files if file.endswith(".yaml"))


def load_preset(name: str, overrides: Iterable[str] = ()) -> RunConfig:
    """A preset by name, with `key=value` overrides.

    Raises:
        OptionError: There is no such preset, or an override names no option or gives it a bad value.
    """
    return from_dict(_override(_preset_tree(name), overrides), f"preset {name}")


def load_file(path: Path, overrides: Iterable[str] = ()) -> RunConfig:
    """A YAML file, with `key=value` overrides.

    Raises:
        FormatError: The file is not YAML.
        OptionError: There is no such file, or a key or value in it or in an override is not valid.
    """
    try:
        text = read_bytes(path).decode()
    except (DataError, UnicodeDecodeError) as error:
        if not path.exists():
            raise OptionError(
                f"there is no preset, file or run {shown(str(path))}; `gatewright presets` lists the presets"
            ) from error
        raise FormatError(f"cannot read the config {path}: {error}") from error
    with reading(path):
        return from_dict(_override(_extended(_parse(text, str(path)), ()), overrides), str(path))


def from_dict(tree: Tree, source: str = "config") -> RunConfig:
    """A config from plain values, as `RunConfig.as_dict` gives them.

    Raises:
        OptionError: A key or value is not valid.
    """
    try:
        return RunConfig.model_validate(tree)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = [_explain(detail, tree) for detail in found[:_PROBLEMS]]
        more = f"; and {len(found) - _PROBLEMS} more" if len(found) > _PROBLEMS else ""
        raise OptionError(f"{source}: {'; '.join(problems)}{more}") from error


def from_tree(tree: Tree, overrides: Iterable[str], source: str) -> RunConfig:
    """A config from plain values, with `key=value` overrides.

    Raises:
        OptionError: A key or value is not valid.
    """
    return from_dict(_override(tree, overrides), source)


def dump(config: RunConfig) -> str:
    """The config as YAML that `load_file` reads back to an equal config."""
    return yaml.safe_dump(config.as_dict(), sort_keys=False, width=120)


def _preset_tree(name: str, seen: tuple[str, ...] = ()) -> Tree:
    names = preset_names()
    if name not in names:
        raise unknown_name("preset", name, names)
    text = resources.files("gatewright.presets").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return _extended(_parse(text, f"preset {name}"), (*seen, name))


def _parse(text: str, source: str) -> Tree:
    tree = parse_yaml(text, source)
    if not isinstance(tree, dict):
        raise FormatError(f"{source} must hold sections (data, model, train, ...), got {type(tree).__name__}")
    return tree


def _extended(tree: Tree, seen: tuple[str, ...]) -> Tree:
    base = tree.pop("extends", None)
    if base is None:
        return tree
    if not isinstance(base, str):
        raise OptionError(f"extends must name a preset, got {shown(base)}")
    if base in seen:
        raise OptionError(f"presets extend each other in a circle: {' -> '.join([*seen, base])}")
    return _merge(_preset_tree(base, seen), tree)


def _merge(base: Tree, change: Tree) -> Tree:
    merged = dict(base)
    for key, value in change.items():
        old = base.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            fresh = "kind" in value and "kind" in old and value["kind"] != old["kind"] and key != "encoder"
            merged[key] = value if fresh else _merge(old, value)
        else:
            merged[key] = value
    return merged


def _override(tree: Tree, overrides: Iterable[str]) -> Tree:
    changes: Tree = {}
    known = set(_paths(RunConfig))
    for text in overrides:
        key, equals, value = text.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            raise OptionError(f"an override must look like train.steps=1000, got {shown(text)}")
        dotted = ".".join(path)
        # Keys that cannot exist are refused for any choice of kinds.
        if dotted not in known:
            raise OptionError(_unknown_key(dotted, known))
        try:
            parsed = parse_yaml(value, f"the value of {dotted}")
        except FormatError as error:
            raise OptionError(f"{error} (given {shown(value)})") from error
        if parsed == {} and any(name.startswith(f"{dotted}.") for name in known):
            raise OptionError(f"{dotted}={{}} changes nothing, as sections are merged; set the options themselves")
        target = changes
        for part in path[:-1]:
            target = target.setdefault(part, {})
            if not isinstance(target, dict):
                raise OptionError(f"the overrides contradict each other at {dotted}")
        target[path[-1]] = parsed
    return _merge(tree, changes)


def _sections(field: FieldInfo) -> list[type[BaseModel]]:
    """The sections that a field can hold (several where a key names one); lists are values, not sections."""
    for choice in field.metadata:
        if isinstance(choice, Choice):
            return list(choice.sections.values())
    return [field.annotation] if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel) else []


def _paths(section: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted names of all keys below a section, sections included."""
    for name, field in section.model_fields.items():
        yield prefix + name
        for inner in _sections(field):
            yield from _paths(inner, f"{prefix}{name}.")


def _unknown_key(dotted: str, known: set[str]) -> str:
    parent, _, name = dotted.rpartition(".")
    siblings = sorted(key for key in known if key.rpartition(".")[0] == parent)
    by_name = {key.rpartition(".")[2]: key for key in sorted(known)}
    near = (
        difflib.get_close_matches(dotted, siblings, n=1, cutoff=0.75)
        or difflib.get_close_matches(dotted, sorted(known), n=1, cutoff=0.75)
        or [by_name[match] for match in difflib.get_close_matches(name, list(by_name), n=1, cutoff=0.6)]
    )
    hint = f"; did you mean {near[0]!r}?" if near else ""
    valid = f" (valid there: {', '.join(siblings)})" if siblings else ""
    return f"unknown key {shown(dotted)}{hint}{valid}"


def _explain(detail: ErrorDetails, tree: Tree) -> str:
    """One pydantic complaint in our words: the dotted key, what was given, what was expected."""
    loc = detail["loc"]
    parents = loc[:-1]
    dotted, prefix = ".".join(map(str, loc))[:200], ".".join(map(str, parents))
    if detail["type"] == "extra_forbidden":
        here = {f"{prefix}.{name}" if prefix else name for name in _section_at(parents, tree).model_fields}
        in_list = any(isinstance(part, int) for part in loc)
        elsewhere = set() if in_list else {key for key in _paths(RunConfig) if key.rpartition(".")[0] != prefix}
        return _unknown_key(dotted, here | elsewhere)
    if detail["type"] == "missing":
        return f"{dotted} is missing"
    if detail["type"] == UNKNOWN_SECTION:
        return f"{dotted}.{detail['msg']}"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if not loc:  # options that do not go together; the message names them
        return message
    return f"{dotted} {message}" + ("" if "got" in message else f", got {shown(detail['input'])}")


def _section_at(path: Sequence[int | str], tree: Any) -> type[BaseModel]:
    """The section that was chosen for the value at a path of a tree."""
    section: type[BaseModel] = RunConfig
    annotation: Any
    metadata: Sequence[Any]
    for part in path:
        tree = tree[part]
        if isinstance(part, str):
            field = section.model_fields[part]
            annotation, metadata = field.annotation, field.metadata
        else:  # an item of a list, whose annotation has its own metadata
            annotation, *metadata = get_args(get_args(annotation)[0])
        choice = next((each for each in metadata if isinstance(each, Choice)), None)
        found = annotation if choice is None else choice.section_of(tree)
        if isinstance(found, type) and issubclass(found, BaseModel):
            section = found
    return section
