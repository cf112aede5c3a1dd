"""`gatewright train`: train a network."""

from __future__ import annotations

from json import dumps
from math import isfinite
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewright.cli.output import JsonFlag, emit_json, percent, say, show_pairs
from gatewright.cli.progress import StopRequest, TrainingProgress

if TYPE_CHECKING:
    from gatewright.runs.result import RunResult
    from gatewright.training.config import RunConfig

DataFlag = Annotated[
    Path | None, typer.Option("--data", help="Folder of data sets (default: $GATEWRIGHT_DATA or a cache).")
]
TargetFlag = Annotated[
    str | None, typer.Option("--target", metavar="COLUMN", help="Column of a table that has the labels.")
]
DropFlag = Annotated[
    list[str] | None, typer.Option("--drop", metavar="COLUMN", help="Column of a table to leave out; repeatable.")
]
SplitFlag = Annotated[
    str | None, typer.Option("--split-by", metavar="COLUMN", help="Column that says train, validation or test.")
]
GroupFlag = Annotated[
    str | None, typer.Option("--group-by", metavar="COLUMN", help="Column whose equal values stay in one split.")
]
SetFlag = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change an option of the config; repeatable.")
]
STOPPED = 130
"""Exit code after Ctrl-C."""


def train(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PRESET|FILE|RUN|TABLE|IMAGES",
            help="Preset, YAML config, folder of a run, a table (.csv, .parquet, .arrow), or a folder of images per class.",
        ),
    ],
    target: TargetFlag = None,
    number: Annotated[bool, typer.Option("--number", help="The target is a number to predict, and no class.")] = False,
    drop: DropFlag = None,
    split_by: SplitFlag = None,
    group_by: GroupFlag = None,
    data: DataFlag = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run (default: runs/NAME).")] = None,
    steps: Annotated[int | None, typer.Option(help="Short for --set train.steps=N.")] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set train.seed=N.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or cuda:N.")] = None,
    devices: Annotated[
        int,
        typer.Option(min=1, help="Processes that share each batch, one GPU each on cuda (several machines: torchrun)."),
    ] = 1,
    overrides: SetFlag = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run in the folder.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard events.")] = False,
    json: JsonFlag = False,
) -> None:
    """Train a network.

    Writes test accuracy and gate counts to result.json in the folder of the run.
    """
    short = {"steps": steps, "seed": seed, "device": device}
    changes = [*(overrides or ()), *(f"train.{key}={value}" for key, value in short.items() if value is not None)]
    own = {"target": target, "drop": drop, "split.by": split_by, "split.groups": group_by}
    own |= {"predict": "number"} if number else {}
    changes += [f"data.{key}={dumps(value)}" for key, value in own.items() if value]
    from gatewright.runs.run import resolve

    name, config, folder = resolve(source, changes, out)
    if devices > 1:
        from gatewright.training.processes import launch

        arguments = ["train", source, "--out", str(folder), *(f"--set={change}" for change in changes)]
        arguments += [f"--data={data}"] if data is not None else []
        flags = {"--resume": resume, "--tensorboard": tensorboard, "--json": json}
        raise typer.Exit(launch(devices, [*arguments, *(flag for flag, wanted in flags.items() if wanted)]))
    result = run_training(name, config, folder, data=data, resume=resume, tensorboard=tensorboard, quiet=json)
    if not is_main():
        return
    if json:
        emit_json({"run": str(folder), **result.model_dump(mode="json")})
    else:
        show_pairs(_summary(result, folder))
        run, file = quote(str(folder)), quote(f"{name}.gw")
        say(f"next: gatewright report {run}, or gatewright compile {run} -o {file}")


def run_training(
    name: str,
    config: RunConfig,
    folder: Path,
    *,
    data: Path | None,
    resume: bool = False,
    tensorboard: bool = False,
    quiet: bool = False,
) -> RunResult:
    """Train with a progress bar; Ctrl-C (or SIGTERM) stops the run with a checkpoint and exit code 130."""
    from gatewright.runs.run import train as train_run

    quiet = quiet or not is_main()
    if not quiet:
        _explain_wait(config)
    numbers = config.data.predict == "number"
    bar = TrainingProgress(name, config.train.steps, numbers=numbers, quiet=quiet)
    with StopRequest() as stop, bar as progress:
        result = train_run(
            config,
            name,
            folder,
            data_root=data,
            resume=resume,
            tensorboard=tensorboard,
            progress=not quiet,
            watch=progress.update,
            stop=stop.requested,
        )
    if result is None:
        if is_main():
            say(f"stopped with a checkpoint; resume with: gatewright train {folder} --resume")
        raise typer.Exit(STOPPED)
    return result


def _explain_wait(config: RunConfig) -> None:
    """Say why the first step of the first training takes long."""
    from gatewright.kernels import cpu
    from gatewright.runtime.compiled import is_compiled
    from gatewright.training.processes import pick_device

    if pick_device(config.train.device).type == "cpu" and not is_compiled(Path(cpu.__file__).parent):
        say("compiling kernels (once) ...")


def is_main() -> bool:
    """Whether this process reports for all processes that train together."""
    from gatewright.training.processes import rank_of_environment

    return rank_of_environment() == 0


def figure_text(figure: str, value: float) -> str:
    """An accuracy in percent, or R^2 as it is; "-" if it is no number."""
    if not isfinite(value):
        return "-"
    return percent(value) if figure == "accuracy" else f"{value:.4f}"


def _summary(result: RunResult, folder: Path) -> list[tuple[str, Any]]:
    """Summarize a finished run."""
    rows: list[tuple[str, Any]] = [("run", folder), ("data", result.data)]
    for split, accuracy in (("validation", result.validation), ("test", result.test)):
        if accuracy is not None:
            hard, soft = (figure_text(result.figure, value) for value in (accuracy.hard, accuracy.soft))
            rows.append((f"{split} {result.figure}", f"{hard} (relaxed: {soft})"))
    return [
        *rows,
        ("logic ops", result.logic_ops),
        ("total ops", result.total_ops),
        ("depth", result.depth),
        ("steps", f"{result.steps:,} (weights of step {result.best_step:,})"),
        ("seconds", result.seconds),
    ]
