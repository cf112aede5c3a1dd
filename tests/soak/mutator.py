"""Hostile input made from good input: bytes, texts by token and line, and JSON trees."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Rng = np.random.Generator


class Raw(str):
    """JSON as it is to be written, which `json.dumps` would refuse or change."""

    __slots__ = ()


NUMBERS: tuple[Any, ...] = (
    *(0, 1, -1, 2, 7, 255, 256, 65_535, 1 << 20, 2**31 - 1, 2**31, 2**32, -(2**31) - 1, 2**53 + 1, 2**62),
    *(2**63 - 1, 2**63, -(2**63), 2**64, 10**40, -0.0, 0.5, 1e-320, 1e38, 1e308, -1e308),
    *(float("nan"), float("inf"), float("-inf")),
    *(Raw("9" * 5000), Raw("1e999"), Raw("-1e999"), Raw("0." + "3" * 5000)),
)
TEXTS = (
    *("", " ", "\0", "a" * 5000, "\ud800", "\ud83d\ude00", "é", "\u2028", "\x85", "\x1b[2J", "[/red]", "*\\ x \\*"),
    *("../../x", "/dev/null", "/dev/zero", "nan", "-1", "true", "{}", "%s%n", "__class__", "$tensor", "1" * 5000),
)


def one(rng: Rng, items: Sequence[Any]) -> Any:
    """One of some things, whatever they are."""
    return items[int(rng.integers(len(items)))]


def value(rng: Rng) -> Any:
    """Any hostile JSON value."""
    kind = rng.integers(8)
    if kind < 4:
        return one(rng, NUMBERS)
    if kind < 6:
        return one(rng, TEXTS)
    depth = int(rng.choice([10, 900, 1100, 50_000]))
    return one(
        rng,
        (
            *(None, True, False, [], {}, [[]], {"": {}}, [0] * 3, ["a"] * 2000, {"$tensor": 5}, {"$items": [1]}),
            *(
                Raw("[" * depth + "]" * depth),
                Raw('{"a":' * depth + "1" + "}" * depth),
                Raw("]"),
                Raw("1 2"),
                Raw("'a'"),
            ),
        ),
    )


def _places(tree: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    for key in tree if isinstance(tree, dict) else range(len(tree)):
        found.append((tree, key))
        if isinstance(tree[key], (dict, list)):
            _places(tree[key], found)
    return found


def mutate_tree(rng: Rng, tree: Any, fresh: Callable[[Rng], Any] = value) -> Any:
    """Change one to three values or keys of nested dicts and lists, in place; returns the tree, or what replaced it."""
    if rng.random() < 0.01:
        return fresh(rng)
    for _ in range(int(rng.integers(1, 4))):
        places = _places(tree, [])
        if not places:
            return fresh(rng)
        parent, key = one(rng, places)
        how = rng.random()
        old = parent[key]
        if how < 0.15:
            del parent[key]
        elif how < 0.25 and isinstance(parent, dict):
            parent[one(rng, TEXTS)] = parent.pop(key)
        elif how < 0.35 and isinstance(parent, list):
            parent.insert(key, old)
        elif how < 0.5 and isinstance(old, (int, float)) and not isinstance(old, bool):
            parent[key] = old + one(rng, (1, -1, 2, 100, -1000))
        elif how < 0.6:
            other, at = one(rng, places)
            if at in other if isinstance(other, dict) else at < len(other):
                parent[key] = _copied(other[at])
        else:
            parent[key] = fresh(rng)
    return tree


def _copied(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: _copied(item) for key, item in tree.items()}
    return [_copied(item) for item in tree] if isinstance(tree, list) else tree


def dumps(tree: Any, **options: Any) -> str:
    """JSON of a tree with `Raw` parts."""
    raws: list[str] = []

    def marked(item: Any) -> Any:
        if isinstance(item, Raw):
            raws.append(str(item))
            return f"@raw{len(raws) - 1}@"
        if isinstance(item, dict):
            return {str(key): marked(inner) for key, inner in item.items()}
        return [marked(inner) for inner in item] if isinstance(item, (list, tuple)) else item

    text = json.dumps(marked(tree), **options)
    return re.sub(r'"@raw(\d+)@"', lambda match: raws[int(match[1])], text) if raws else text


def mutate_bytes(rng: Rng, data: bytes, *, most: int = 4) -> bytes:
    """Flip, cut, repeat, insert, overwrite with hostile integers: one to `most` times."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, most + 1))):
        at = int(rng.integers(len(out) + 1)) if rng.random() < 0.5 else int(rng.integers(min(len(out), 200) + 1))
        size = int(rng.integers(1, 9))
        match int(rng.integers(8)):
            case 0 | 1 if at < len(out):
                out[at] ^= 1 << int(rng.integers(8))
            case 2 if at < len(out):
                out[at] = int(one(rng, (0, 1, 9, 10, 13, 32, 45, 48, 57, 127, 128, 255)))
            case 3:
                del out[at:]
            case 4:
                del out[at : at + size]
            case 5:
                out[at:at] = out[at : at + size] * int(one(rng, (1, 2, 300)))
            case 6:
                number = int(one(rng, (0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)))
                width = int(one(rng, (1, 2, 4, 8)))
                raw = (number % 256**width).to_bytes(width, str(one(rng, ("little", "big"))))
                out[at : at + width] = raw
            case 7:
                out[at:at] = rng.bytes(size)
    return bytes(out)


ODD = ("\f", "\v", "\x1c", "\x1e", "\x85", "\u2028", "\u2029", "\r", "\0", "\ufeff", "\\", "\\\n", "#", '"', "'", "\t")
"""Characters that end a line, a word or a text for some programs and not for others."""


def mutate_text(rng: Rng, text: str, words: Sequence[str], *, most: int = 4) -> str:
    """Change lines (drop, repeat, swap, cut) and words (replaced by some of `words`, of the text, or numbers)."""
    lines = text.split("\n")
    for _ in range(int(rng.integers(1, most + 1))):
        at = int(rng.integers(len(lines)))
        parts = re.findall(r"\s+|\w+|[^\w\s]", lines[at])
        match int(rng.integers(10)):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(int(rng.integers(len(lines) + 1)), lines[at])
            case 2:
                other = int(rng.integers(len(lines)))
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines.insert(at, str(one(rng, words)))
            case 4:
                where = int(rng.integers(len(lines[at]) + 1))
                lines[at] = lines[at][:where] + str(one(rng, ODD)) + lines[at][where:]
            case 5:
                lines = lines[:at]
                lines = lines or [""]
            case _ if parts:
                where = int(rng.integers(len(parts)))
                number = one(rng, NUMBERS)
                other = re.findall(r"\w+", text) or ["x"]
                parts[where] = str(one(rng, (one(rng, words), number, one(rng, other), one(rng, TEXTS), "")))
                lines[at] = "".join(parts)
    return "\n".join(lines)
