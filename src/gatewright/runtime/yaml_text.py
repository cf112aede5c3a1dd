"""YAML from anywhere, as `documents` reads JSON: numbers, texts, lists and sections, limited before they are built."""

from __future__ import annotations

import re
from typing import Any, NoReturn

import yaml

from gatewright.errors import FormatError, shown
from gatewright.runtime.documents import MOST_DIGITS, SURROGATE

_NODES = 200_000
"""Of one YAML text, with everything repeated that it refers to."""

_DEPTH = 50
"""Of sections within sections in YAML."""

_TEXT = 1 << 16
"""Characters of one YAML text."""

_PLAIN = re.compile(r"tag:yaml\.org,2002:(null|bool|int|float|str|seq|map|merge)")


class _Loader(yaml.SafeLoader):
    """YAML without its traps: `1e-3` is a number, a key given twice is a mistake, and nothing explodes or has a type."""

    def get_single_node(self) -> yaml.Node | None:
        node = super().get_single_node()
        if node is not None:
            self._check(node, {}, 0)
        return node

    def _check(self, node: yaml.Node, sizes: dict[int, int], depth: int) -> int:
        """Number of nodes below this one, with everything repeated that is referred to; 0 marks those that are open."""
        key = id(node)
        if key in sizes:
            if not sizes[key]:
                self._refuse("a part that contains itself", node)
            return sizes[key]
        if depth > _DEPTH:
            self._refuse(f"more than {_DEPTH} levels", node)
        if not _PLAIN.fullmatch(node.tag):
            self._refuse(f"the type {shown(node.tag.removeprefix('tag:yaml.org,2002:'))}", node)
        sizes[key] = 0
        if isinstance(node, yaml.MappingNode):
            for name, _ in node.value:
                if not isinstance(name, yaml.ScalarNode):
                    self._refuse("a key that is no text", name)
        parts = [] if isinstance(node, yaml.ScalarNode) else node.value
        inner = (each for part in parts for each in (part if isinstance(part, tuple) else (part,)))
        size = 1 + sum(self._check(each, sizes, depth + 1) for each in inner)
        if size > _NODES:
            self._refuse(f"more than {_NODES} entries, with everything that it refers to", node)
        if isinstance(node, yaml.ScalarNode):
            if node.tag.endswith((":int", ":float")) and len(node.value) > MOST_DIGITS:
                self._refuse(f"a number of {len(node.value)} digits", node)
            if SURROGATE.search(node.value):
                self._refuse("half a character, which is no text", node)
        sizes[key] = size
        return size

    def _refuse(self, what: str, node: yaml.Node) -> NoReturn:
        raise yaml.constructor.ConstructorError(None, None, f"it has {what}", node.start_mark)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {shown(key.value)} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def parse_yaml(text: str, source: str) -> Any:
    """Read YAML: sections, lists, texts, numbers, truth values, and nothing else.

    Raises:
        FormatError: It cannot be read, has other types, or is too large, with everything that it refers to.
    """
    if len(text) > _TEXT:
        raise FormatError(f"{source} has {len(text)} characters, expected YAML of at most {_TEXT}")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise FormatError(f"{source} is not valid YAML: {' '.join(str(error).split())[:500]}") from error
    except RecursionError as error:
        raise FormatError(f"{source} is not valid YAML: it is nested too deeply") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # values that do not fit their tags
        raise FormatError(f"{source} is not valid YAML: a value does not fit its type ({shown(error)})") from error
