"""`gatewright presets` and `gatewright data`: list presets and data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gatewright.cli.output import JsonFlag, emit_json, out, show_pairs, show_rows
from gatewright.cli.train import DataFlag

if TYPE_CHECKING:
    from pathlib import Path


def presets(
    name: Annotated[str | None, typer.Argument(help="Show the full config of this preset as YAML.")] = None,
    json: JsonFlag = False,
) -> None:
    """List the presets, or show all options of one."""
    from gatewright.training.load import dump, load_preset, preset_names

    if name is not None:
        config = load_preset(name)
        if json:
            emit_json({"name": name, **config.as_dict()})
        else:
            out().print(dump(config), end="", soft_wrap=True)
        return
    configs = {preset: load_preset(preset) for preset in preset_names()}
    if json:
        emit_json([{"name": preset, **config.as_dict()} for preset, config in configs.items()])
    else:
        show_rows(
            ["preset", "what it is", "steps"],
            [(preset, config.description, config.train.steps) for preset, config in configs.items()],
        )


def data(
    name: Annotated[str | None, typer.Argument(help="Describe this data set.")] = None,
    root: DataFlag = None,
    download: Annotated[bool, typer.Option("--download", help="Download the files of the named data set.")] = False,
    json: JsonFlag = False,
) -> None:
    """List the data sets; describe or download one."""
    from gatewright import data as sets

    if name is None:
        rows = [_about(each, root) for each in sets.names()]
        if json:
            emit_json(rows)
        else:
            columns = ["name", "title", "train", "validation", "test", "ready"]
            show_rows(columns, [[row[column] for column in columns] for row in rows])
        return
    if download:
        sets.load_dataset(name, root, progress=not json)
    about = _about(name, root)
    if json:
        emit_json(about)
    else:
        show_pairs(about)


def _about(name: str, root: Path | None) -> dict[str, object]:
    from gatewright import data as sets

    missing = sets.missing(name, root)
    return {**sets.describe(name).as_dict(), "ready": not missing, "missing": list(missing)}
