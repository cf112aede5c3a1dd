"""The zoo: trained circuits by name, each with a card that says what it is, what it achieves, and how to make it again.

A zoo is a folder with `NAME.json`, the card, and `NAME.gw.xz`, the circuit, for every name. gatewright comes with one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.io import load, save
from gatewright.data import describe
from gatewright.data.known_files import sha256_of_file
from gatewright.errors import FormatError, OptionError, unknown_name
from gatewright.runs.results import Entry, Row
from gatewright.runtime.files import write_text_atomically
from gatewright.training.config import RunConfig, Section

FOLDER_VARIABLE = "GATEWRIGHT_ZOO"
"""Environment variable that names another zoo's folder."""


class DataCard(Section):
    """What a circuit learned from, and on whose terms.

    Attributes:
        name: gatewright's name of the data set.
        title: One line for people.
        source: Where it comes from.
        licence: Of the data, as upstream states it.
        citation: The work to cite.
    """

    name: str
    title: str
    source: str
    licence: str
    citation: str


class OverSeeds(Section):
    """How the preset does over seeds, this circuit's among them.

    Attributes:
        seeds: The seeds.
        accuracy: Mean test accuracy.
        deviation: Sample standard deviation, or None for one seed.
    """

    seeds: list[int]
    accuracy: float
    deviation: float | None


class Card(Section):
    """What is known of a circuit of the zoo.

    Attributes:
        name: Its name, that of its preset.
        description: Of the preset.
        data: What it learned from.
        measured: Its figures, its seed, and the command that makes it again.
        over_seeds: The same preset over all seeds measured; of these, the circuit is the best one on validation, or
            the first one where there was none.
        options: All options of the training.
        file: The circuit's file in the zoo.
        bytes: Size of that file.
        sha256: Of that file.
    """

    name: str
    description: str
    data: DataCard
    measured: Entry
    over_seeds: OverSeeds
    options: dict[str, Any]
    file: str
    bytes: int
    sha256: str


def zoo_folder() -> Path:
    """The zoo in use: what `GATEWRIGHT_ZOO` names, else the checkout's, else the installed package's."""
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
    """The card of a circuit.

    Args:
        name: One of `names()`.
        folder: The zoo, or None for the one in use.

    Raises:
        OptionError: There is no such circuit.
        FormatError: The card is damaged.
    """
    place = folder or zoo_folder()
    known = names(place)
    if name not in known:
        if not known:
            raise OptionError(f"there is neither a file nor a circuit of the zoo {name!r}: the zoo at {place} is empty")
        raise unknown_name("file or circuit of the zoo", name, known)
    path = place / f"{name}.json"
    try:
        return Card.model_validate_json(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, ValidationError) as error:
        raise FormatError(f"{path} is damaged: {' '.join(str(error).split())}") from error


def load_circuit(name: str) -> Circuit:
    """Load a circuit of the zoo in use.

    Args:
        name: One of `names()`.

    Raises:
        OptionError: There is no such circuit.
        FormatError: The file is damaged, or is not the one of the card.
    """
    about = card(name)
    file = zoo_folder() / about.file
    found = sha256_of_file(file)
    if found != about.sha256:
        raise FormatError(f"{file} is not the circuit of its card: its sha256 is {found}, expected {about.sha256}")
    return load(file)


def add(circuit: Circuit, entry: Entry, row: Row, config: RunConfig, folder: Path) -> Card:
    """Put a circuit into a zoo, in the place of an earlier one of the same name.

    Args:
        circuit: As compiled.
        entry: Its figures.
        row: Its preset over seeds.
        config: The options of its training.
        folder: The zoo; made if needed.

    Returns:
        The card that was written.

    Raises:
        OptionError: It was trained with changed options, so it cannot have the preset's name.
    """
    if entry.changes:
        raise OptionError(f"{entry.name!r} has changed options; make a preset of it to put it into the zoo")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{entry.name}.gw.xz"
    save(circuit, file)
    info = describe(entry.data)
    made = Card(
        name=entry.name,
        description=config.description,
        data=DataCard(
            name=info.name, title=info.title, source=info.source, licence=info.licence, citation=info.citation
        ),
        measured=entry,
        over_seeds=_over_seeds(row),
        options=config.as_dict(),
        file=file.name,
        bytes=file.stat().st_size,
        sha256=sha256_of_file(file),
    )
    _write(made, folder)
    return made


def refresh(name: str, row: Row, folder: Path) -> None:
    """Bring a card's figures over seeds up to date."""
    old = card(name, folder)
    if old.over_seeds != _over_seeds(row):
        _write(old.model_copy(update={"over_seeds": _over_seeds(row)}), folder)


def _over_seeds(row: Row) -> OverSeeds:
    return OverSeeds(seeds=row.seeds, accuracy=row.accuracy, deviation=row.deviation)


def _write(made: Card, folder: Path) -> None:
    text = json.dumps(made.model_dump(mode="json"), indent=1, ensure_ascii=False)
    write_text_atomically(folder / f"{made.name}.json", text + "\n")
