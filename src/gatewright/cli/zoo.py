"""`gatewright zoo`: list the circuits that come with gatewright."""

from __future__ import annotations

from typing import Annotated

import typer

from gatewright.cli.output import JsonFlag, emit_json, percent, show_pairs, show_rows


def zoo(
    name: Annotated[str | None, typer.Argument(help="Show the card of this circuit.")] = None, json: JsonFlag = False
) -> None:
    """List the circuits of the zoo, or show the card of one."""
    from gatewright import zoo as circuits

    if name is not None:
        card = circuits.card(name)
        if json:
            emit_json(card.model_dump(mode="json"))
            return
        entry, over = card.measured, card.over_seeds
        spread = "" if over.deviation is None else f" ± {100 * over.deviation:.2f}"
        show_pairs(
            {
                "circuit": card.name,
                "description": card.description,
                "file": circuits.zoo_folder() / card.file,
                "bytes": card.bytes,
                "data": f"{card.data.name}: {card.data.title}",
                "source of the data": card.data.source,
                "licence of the data": card.data.licence,
                "citation": card.data.citation,
                "test accuracy": percent(entry.test),
                "validation accuracy": "none" if entry.validation is None else percent(entry.validation),
                f"test accuracy over {len(over.seeds)} seed(s), %": f"{100 * over.accuracy:.2f}{spread}",
                "total ops": entry.total_ops,
                "logic ops": entry.logic_ops,
                "encoder ops": entry.encoder_ops,
                "head ops": entry.head_ops,
                "depth": entry.depth,
                "LUT6 of the gates": "not counted" if entry.lut6 is None else entry.lut6,
                "seconds of training": entry.train_seconds,
                "machine": ", ".join(f"{key} {value}" for key, value in entry.machine.items()),
                "proof": f"equal to the network for every input ({entry.proof})",
                "made by": entry.command,
            }
        )
        return
    cards = [circuits.card(each) for each in circuits.names()]
    if json:
        emit_json([card.model_dump(mode="json") for card in cards])
        return
    show_rows(
        ["circuit", "data", "accuracy", "total ops", "logic ops", "depth", "bytes", "licence of the data"],
        [
            (
                card.name,
                card.data.name,
                percent(card.measured.test),
                card.measured.total_ops,
                card.measured.logic_ops,
                card.measured.depth,
                card.bytes,
                card.data.licence,
            )
            for card in cards
        ],
    )
