"""Trees of state (numbers, texts, tensors) in one safetensors file.

The tensors are the file's tensors; everything else is JSON in its header, where `{"$tensor": name}` stands for a
tensor. A checksum per tensor tells a damaged file from a good one. No pickle is involved, so a file from anywhere is
safe to read.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gatewright.errors import FormatError
from gatewright.runtime.files import write_atomically

FORMAT = "gatewright-state-1"


def save_state(path: Path, state: dict[str, Any], kind: str) -> None:
    """Write a tree of state in one step.

    Args:
        path: The file to make or replace.
        state: Nested dicts, lists, tuples, numbers, texts, None and tensors (any device).
        kind: What the file is ("checkpoint", "model"); `load_state` checks it.
    """
    tensors: dict[str, torch.Tensor] = {}
    tree = _pack(state, "", tensors)
    sums = {name: _checksum(tensor) for name, tensor in tensors.items()}
    header = {"format": FORMAT, "kind": kind, "state": json.dumps(tree), "checksums": json.dumps(sums)}
    header["header_checksum"] = _header_checksum(header)
    write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=header))


def load_state(path: Path, kind: str) -> dict[str, Any]:
    """Read what `save_state` wrote, with all tensors on the CPU.

    Raises:
        FormatError: The file is missing, truncated, damaged, not from gatewright, or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except FileNotFoundError as error:
        raise FormatError(f"there is no {kind} at {path}") from error
    except (OSError, SafetensorError) as error:
        raise FormatError(f"{path} is no {kind}, or truncated or damaged: {error}") from error
    if header.get("format") != FORMAT:
        found = header.get("format", "no gatewright file")
        raise FormatError(
            f"{path} is not a {kind} that this version reads: its format is {found!r}, expected {FORMAT!r}"
        )
    if header.get("kind") != kind:
        raise FormatError(f"{path} is a {header.get('kind')!r} file, expected a {kind!r} file")
    # Files of version 0.1 have no checksum of the header.
    if header.get("header_checksum", _header_checksum(header)) != _header_checksum(header):
        raise FormatError(f"the header of {path} is damaged (its checksum differs)")
    try:
        sums, tree = json.loads(header["checksums"]), json.loads(header["state"])
    except (KeyError, ValueError, RecursionError) as error:
        raise FormatError(f"the header of {path} is damaged: {error!r}") from error
    for name in sorted(set(sums) ^ set(tensors)):
        raise FormatError(f"{path}: the entry {name!r} is {'missing' if name in sums else 'not listed in the header'}")
    for name, tensor in tensors.items():
        if _checksum(tensor) != sums[name]:
            raise FormatError(f"{path}: the entry {name!r} is damaged (its checksum differs)")
    state = _unpack(tree, tensors)
    if not isinstance(state, dict):
        raise FormatError(f"the header of {path} is damaged: state is not a mapping")
    return state


def _header_checksum(header: Mapping[str, str]) -> str:
    text = "\n".join(header.get(key, "") for key in ("format", "kind", "state", "checksums"))
    return f"{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


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


def _unpack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "$tensor" in value:
        name = value["$tensor"]
        if name not in tensors:
            raise FormatError(f"the entry {name!r} is missing")
        return tensors[name]
    if "$tuple" in value:
        return tuple(_unpack(item, tensors) for item in value["$tuple"])
    if "$items" in value:
        return {key: _unpack(item, tensors) for key, item in value["$items"]}
    return {key: _unpack(item, tensors) for key, item in value.items()}
