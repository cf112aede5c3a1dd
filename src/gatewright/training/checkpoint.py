"""Trees of state (numbers, texts, tensors) in one safetensors file.

The tensors are the file's tensors; everything else is JSON in its header, where `{"$tensor": name}` stands for a
tensor. A checksum per tensor, and one of the header with the tensors' types and shapes, tell a damaged file from a good
one; files of versions before 0.2 have no checksum of the header. No pickle is involved, so a file from anywhere is safe to
read.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gatewright.errors import FormatError, shown
from gatewright.runtime.documents import parse_json, reading
from gatewright.runtime.files import write_atomically
from gatewright.runtime.tensors import read_frame

FORMAT = "gatewright-state-1"
_ENTRIES = ("kind", "state", "checksums")
"""Of the header, beside the format and the checksum of the rest."""


def save_state(path: Path, state: dict[str, Any], kind: str) -> None:
    """Write a tree of state in one step.

    Args:
        path: The file to make or replace.
        state: Nested dicts, lists, tuples, numbers, texts, None and tensors (any device).
        kind: What the file is ("checkpoint", "model"); `load_state` checks it.

    Raises:
        OSError: It cannot be written.
    """
    tensors: dict[str, torch.Tensor] = {}
    tree = _pack(state, "", tensors)
    sums = {name: _checksum(tensor) for name, tensor in tensors.items()}
    header = {"format": FORMAT, "kind": kind, "state": json.dumps(tree), "checksums": json.dumps(sums)}
    header["sha256"] = header_digest(header, tensors)

    def write(temporary: Path) -> None:
        try:
            save_file(tensors, temporary, metadata=header)
        except SafetensorError as error:  # a full disk, for example
            raise OSError(0, f"{path} cannot be written ({error})") from error

    write_atomically(path, write)


def load_state(path: Path, kind: str) -> dict[str, Any]:
    """Read what `save_state` wrote, with all tensors on the CPU.

    Raises:
        FormatError: The file is missing, truncated, damaged, not from gatewright, or of another kind.
    """
    with reading(path):
        try:
            with path.open("rb") as raw:
                read_frame(raw, path.stat().st_size, kind)
            with safe_open(path, framework="pt") as file:
                header = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except FileNotFoundError as error:
            raise FormatError(f"there is no {kind} at {path}") from error
        except (OSError, SafetensorError, FormatError) as error:
            raise FormatError(f"{path} is no {kind}, or truncated or damaged: {str(error)[:1000]}") from error
        return _read(header, tensors, kind, path)


def _read(header: Mapping[str, str], tensors: Mapping[str, torch.Tensor], kind: str, path: Path) -> dict[str, Any]:
    if header.get("format") != FORMAT:
        found = header.get("format", "no gatewright file")
        raise FormatError(
            f"{path} is not a {kind} that this version reads: its format is {shown(found)}, expected {FORMAT!r}"
        )
    if set(header) - {"format", "sha256"} != set(_ENTRIES):
        raise FormatError(f"the header of {path} is damaged: it has {shown(sorted(header))}, expected {_ENTRIES}")
    if header["kind"] != kind:
        raise FormatError(f"{path} is a {shown(header['kind'])} file, expected a {kind!r} file")
    what = f"the header of {path} is damaged: it"
    sums = parse_json(header["checksums"], what)
    tree = parse_json(header["state"], what, infinite=True)
    if not isinstance(sums, dict):
        raise FormatError(f"the header of {path} is damaged: its checksums are no mapping")
    for name in sorted(set(sums) ^ set(tensors)):
        raise FormatError(
            f"{path}: the entry {shown(name)} is {'missing' if name in sums else 'not listed in the header'}"
        )
    for name, tensor in tensors.items():
        if _checksum(tensor) != sums[name]:
            raise FormatError(f"{path}: the entry {shown(name)} is damaged (its checksum differs)")
    if "sha256" in header and header["sha256"] != header_digest(header, tensors):
        raise FormatError(f"the header of {path} is damaged (its checksum differs)")
    state = _unpack(tree, tensors)
    if not isinstance(state, dict):
        raise FormatError(f"the header of {path} is damaged: state is not a mapping")
    return state


def header_digest(header: Mapping[str, str], tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of what the header says, and of the types and shapes of the tensors whose bytes have their own checksums."""
    forms = {name: [str(tensor.dtype).removeprefix("torch."), list(tensor.shape)] for name, tensor in tensors.items()}
    text = json.dumps([[header.get(name) for name in _ENTRIES], forms], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _checksum(tensor: torch.Tensor) -> int:
    return zlib.crc32(tensor.flatten().view(torch.uint8).numpy().data) if tensor.numel() else 0


def _pack(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """The JSON form of a value; its tensors go to `tensors`, each with memory of its own, named by its path."""
    if isinstance(value, torch.Tensor):
        tensors[path] = value.detach().to("cpu", copy=True).contiguous()
        return {"$tensor": path}
    if isinstance(value, dict):
        items = [(key, _pack(item, f"{path}/{key}" if path else str(key), tensors)) for key, item in value.items()]
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return dict(items)
        return {"$items": [list(item) for item in items]}
    if isinstance(value, (list, tuple)):
        packed = [_pack(item, f"{path}/{i}", tensors) for i, item in enumerate(value)]
        return packed if isinstance(value, list) else {"$tuple": packed}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"state at {path!r} has type {type(value).__name__}, which a checkpoint cannot hold")


def _unpack(value: Any, tensors: Mapping[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    marks = [key for key in value if key.startswith("$")]
    if not marks:
        return {key: _unpack(item, tensors) for key, item in value.items()}
    if len(value) == 1:
        ((mark, content),) = value.items()
        if mark == "$tensor" and isinstance(content, str):
            if content not in tensors:
                raise FormatError(f"the entry {shown(content)} is missing")
            return tensors[content]
        if mark == "$tuple" and isinstance(content, list):
            return tuple(_unpack(item, tensors) for item in content)
        if mark == "$items" and isinstance(content, list):
            if not all(isinstance(item, list) and len(item) == 2 and _is_key(item[0]) for item in content):
                raise FormatError("its header has a mapping that is none")
            return {key: _unpack(item, tensors) for key, item in content}
    raise FormatError(f"its header has {shown(value)}, which stands for nothing")


def _is_key(value: object) -> bool:
    return value is None or isinstance(value, (bool, int, float, str))
