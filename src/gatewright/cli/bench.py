"""`gatewright bench`: how fast it is on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from gatewright.cli.output import JsonFlag, emit_json, show_rows

bench = typer.Typer(no_args_is_help=True, help="Measure how fast gatewright is on this machine.")


@bench.command("train")
def train(
    features: Annotated[int, typer.Option(min=1, help="Pixels of the random images, one bit each.")] = 784,
    width: Annotated[int, typer.Option(min=10, help="Neurons of each layer, a multiple of 10.")] = 8000,
    layers: Annotated[int, typer.Option(min=1, help="Number of layers.")] = 6,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates per neuron.")] = 16,
    batch: Annotated[int, typer.Option(min=1, help="Samples a step.")] = 128,
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Turns each contender takes.")] = 5,
    seconds: Annotated[float, typer.Option(help="Least length of a turn.")] = 2.0,
    only: Annotated[list[str] | None, typer.Option(help="Only this contender; may be given several times.")] = None,
    json: JsonFlag = False,
) -> None:
    """Training steps a second, hard and soft, against the reference kernels (and torchlogix, where it is installed)."""
    from gatewright.training.bench import Setting, compare

    setting = Setting(features, (width,) * layers, candidates, batch, threads)
    result = compare(setting, contenders=tuple(only or ()), rounds=rounds, seconds=seconds)
    if json:
        emit_json(result)
        return
    show_rows(
        ["contender", "ms a step", "least", "greatest", "steps/s", "samples/s"],
        [(name, *row.values()) for name, row in result["contenders"].items()],
        title=f"{features} -> {layers} x {width:,}, {candidates} candidates, batch {batch}, {threads} thread(s)",
    )
