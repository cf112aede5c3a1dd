"""`gatewright bench`: how fast it is on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from gatewright.cli.output import JsonFlag, emit_json, show_rows

PRESETS = ("mnist-dense-small", "mnist-dense-medium", "cifar10-conv-t", "cifar10-conv-s", "cifar10-conv-m")
"""What is measured on a GPU unless presets are named."""

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
    preset: Annotated[
        list[str] | None, typer.Option(help="A preset to train, instead; may be given several times.")
    ] = None,
    device: Annotated[str, typer.Option(help="Of the presets: auto, cpu, cuda or cuda:N.")] = "cpu",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override any option of the presets.")
    ] = None,
    reference: Annotated[bool, typer.Option("--reference", help="The reference kernels on the presets, too.")] = False,
    json: JsonFlag = False,
) -> None:
    """Training steps a second, hard and soft, against the reference kernels (and torchlogix, where it is installed).

    With --preset or a --device other than cpu: whole presets, and each kernel beside what the device could do.
    """
    if preset or device != "cpu":
        _presets(preset or list(PRESETS), device, overrides or [], seconds, reference=reference, json=json)
        return
    from gatewright.bench.steps import Setting, compare

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


def _presets(
    presets: list[str], device: str, changes: list[str], seconds: float, *, reference: bool, json: bool
) -> None:
    from gatewright.bench.presets import bench_presets

    result = bench_presets(presets, device=device, changes=changes, seconds=seconds, reference=reference)
    if json:
        emit_json(result)
        return
    kinds = ("gatewright", "reference") if reference else ("gatewright",)
    show_rows(
        ["preset", "kernels", "batch", "ms a step", "steps/s", "samples/s"],
        [(name, kind, row["batch"], *row[kind].values()) for name, row in result["presets"].items() for kind in kinds],
    )
    ceilings = result["ceilings"]
    for name, row in result["presets"].items():
        show_rows(
            ["layer", "kernel", "us", "least us", "share of the ceiling", "limit"],
            [tuple(kernel.values()) for kernel in row["kernels"]],
            title=f"{name}: memory {ceilings['memory'] / 1e9:,.0f} GB/s, cache {ceilings['cache'] / 1e9:,.0f} GB/s, "
            f"arithmetic {ceilings['arithmetic'] / 1e9:,.0f} GFLOP/s",
        )
