"""`gatewright bench`: measure speed on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from gatewright.cli.output import JsonFlag, emit_json, show_rows
from gatewright.cli.train import SetFlag

PRESETS = ("mnist-dense-small", "mnist-dense-medium", "cifar10-conv-t", "cifar10-conv-s", "cifar10-conv-m")
"""Presets measured on a GPU by default."""

bench = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure speed on this machine.")


@bench.command("train")
def train(
    features: Annotated[int, typer.Option(min=1, help="Bits of each random sample.")] = 784,
    width: Annotated[int, typer.Option(min=10, help="Neurons per layer, a multiple of 10.")] = 8000,
    layers: Annotated[int, typer.Option(min=1, help="Number of layers.")] = 6,
    candidates: Annotated[int, typer.Option(min=1, help="Candidates per neuron.")] = 16,
    batch: Annotated[int, typer.Option(min=1, help="Samples per step.")] = 128,
    threads: Annotated[int, typer.Option(min=1, help="Threads.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Turns per contender.")] = 5,
    seconds: Annotated[float, typer.Option(help="Minimum length of a turn in seconds.")] = 2.0,
    only: Annotated[list[str] | None, typer.Option(help="Run only this contender; repeatable.")] = None,
    preset: Annotated[list[str] | None, typer.Option(help="Measure this preset instead; repeatable.")] = None,
    device: Annotated[str, typer.Option(help="Device for presets: auto, cpu, cuda or cuda:N.")] = "cpu",
    overrides: SetFlag = None,
    reference: Annotated[bool, typer.Option("--reference", help="Also measure the reference kernels.")] = False,
    json: JsonFlag = False,
) -> None:
    """Measure training steps per second.

    Compares the hard and soft relaxation with the reference kernels, and with torchlogix if it is installed. With
    --preset, or a --device other than cpu, measures presets and compares each kernel with the limits of the device.
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
        ["contender", "ms/step", "least", "greatest", "steps/s", "samples/s"],
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
        ["preset", "kernels", "batch", "ms/step", "steps/s", "samples/s"],
        [(name, kind, row["batch"], *row[kind].values()) for name, row in result["presets"].items() for kind in kinds],
    )
    ceilings = result["ceilings"]
    for name, row in result["presets"].items():
        show_rows(
            ["layer", "kernel", "us", "least us", "share of limit", "limit"],
            [tuple(kernel.values()) for kernel in row["kernels"]],
            title=f"{name}: memory {ceilings['memory'] / 1e9:,.0f} GB/s, cache {ceilings['cache'] / 1e9:,.0f} GB/s, "
            f"arithmetic {ceilings['arithmetic'] / 1e9:,.0f} GFLOP/s",
        )
