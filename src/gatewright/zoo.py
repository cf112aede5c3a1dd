"""The zoo: trained circuits by name, each with a card that says what it is, what it achieves, and how to make it again.

A zoo is a folder with `NAME.json`, the card, and `NAME.gw.xz`, the circuit, for every name. gatewright comes with one;
`gatewright.runs.publish` writes others.
"""

from __future__ import annotations

import os
from pathlib import Path

from gatewright.card import Card
from gatewright.circuit import io
from gatewright.circuit.circuit import Circuit
from gatewright.errors import FormatError, OptionError, unknown_name
from gatewright.runtime.documents import parse_json, reading, validated
from gatewright.runtime.files import content_of, sha256_of_file

FOLDER_VARIABLE = "GATEWRIGHT_ZOO"
"""Environment variable that names another zoo's folder."""


def zoo_folder() -> Path:
    """The zoo in use: the one that `GATEWRIGHT_ZOO` names, or the checkout's, or the installed package's."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    package = Path(__file__).parent
    checkout = package.parents[1]
    if (checkout / "pyproject.toml").exists() and (checkout / "zoo").is_dir():
        return checkout / "zoo"
    return package / "_zoo"


def names(folder: Path | None = None) -> list[str]:
    """Names of all circuits of a zoo (None: the one in use)."""
    return sorted(path.stem for path in (folder or zoo_folder()).glob("*.json"))


def card(name: str, folder: Path | None = None) -> Card:
    """The card of a circuit of a zoo (None: the one in use).

    Raises:
        OptionError: The zoo has no such circuit.
        FormatError: The card is damaged.
    """
    place = folder or zoo_folder()
    known = names(place)
    if name not in known:
        if not known:
            raise OptionError(f"there is neither a file nor a circuit of the zoo {name!r}: the zoo at {place} is empty")
        raise unknown_name("file or circuit of the zoo", name, known)
    path = place / f"{name}.json"
    with reading(path):
        return validated(Card, parse_json(content_of(path), f"{path} is damaged: it"), f"{path} is damaged")


def load_circuit(name: str) -> Circuit:
    """Load a circuit of the zoo in use.

    >>> load_circuit("monks-1").n_outputs > 0
    True

    Raises:
        OptionError: There is no such circuit.
        FormatError: The file is damaged, or is not the one of the card.
    """
    about = card(name)
    file = zoo_folder() / about.file
    found = sha256_of_file(file)
    if found != about.sha256:
        raise FormatError(f"{file} is not the circuit of its card: its sha256 is {found}, expected {about.sha256}")
    return io.load_circuit(file)
