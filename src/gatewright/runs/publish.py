"""Putting circuits into a zoo, with their cards."""

from __future__ import annotations

import json
from pathlib import Path

from gatewright import zoo
from gatewright.card import Card, DataCard, Entry, OverSeeds
from gatewright.circuit import Circuit, save_circuit
from gatewright.data import describe
from gatewright.errors import OptionError
from gatewright.runs.results import Row
from gatewright.runtime.files import sha256_of_file, write_text_atomically
from gatewright.training.config import RunConfig


def add(circuit: Circuit, entry: Entry, row: Row, config: RunConfig, folder: Path) -> Card:
    """Put a compiled circuit into a zoo, in the place of an earlier one of the same name, and return its card.

    Raises:
        OptionError: It was trained with changed options, so it cannot have the preset's name; or it says another name.
    """
    if entry.changes:
        raise OptionError(f"{entry.name!r} has changed options; make a preset of it to put it into the zoo")
    if (own := circuit.metadata.get("name", entry.name)) != entry.name:
        raise OptionError(f"the circuit of {entry.name!r} says that it is {own!r}; compile the run under its own name")
    file = folder / f"{entry.name}.gw.xz"
    save_circuit(circuit, file)
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
    old = zoo.card(name, folder)
    if old.over_seeds != _over_seeds(row):
        _write(old.model_copy(update={"over_seeds": _over_seeds(row)}), folder)


def _over_seeds(row: Row) -> OverSeeds:
    return OverSeeds(seeds=row.seeds, accuracy=row.accuracy, deviation=row.deviation)


def _write(made: Card, folder: Path) -> None:
    text = json.dumps(made.model_dump(mode="json"), indent=1, ensure_ascii=False)
    write_text_atomically(folder / f"{made.name}.json", text + "\n")
