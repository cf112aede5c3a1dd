"""`gatewright train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewright.cli.output import JsonFlag, emit_json, err, percent, show_pairs
from gatewright.cli.progress import StopRequest, TrainingProgress

if TYPE_CHECKING:
    from gatewright.runs.result import RunResult
    from gatewright.training.config import RunConfig

DataFlag = Annotated[
    Path | None,
    typer.Option("--data", help="Folder with the data sets (default: $GATEWRIGHT_DATA, or a cache that is filled)."),
]
STOPPED = 130


def train(
    source: Annotated[
        str, typer.Argument(metavar="PRESET|FILE|RUN", help="A preset, a YAML config, or a run's folder.")
    ],
    data: DataFlag = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run (default: runs/NAME).")] = None,
    steps: Annotated[int | None, typer.Option(help="Same as --set train.steps=N.")] = None,
    seed: Annotated[int | None, typer.Option(help="Same as --set train.seed=N.")] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda or cuda:N; same as --set train.device=...")
    ] = None,
    devices: Annotated[
        int,
        typer.Option(
            min=1,
            help="Processes on this machine that share each batch, a GPU each on cuda (several machines: torchrun).",
        ),
    ] = 1,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override any option; may be repeated.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where the run in the folder stopped.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard events, too.")] = False,
    json: JsonFlag = False,
) -> None:
    """Train a network; ends by writing result.json with test accuracy and gate counts to the run's folder."""
    changes = list(overrides or [])
    for key, value in (("steps", steps), ("seed", seed), ("device", device)):
        if value is not None:
            changes.append(f"train.{key}={value}")
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
        show_pairs(summary(result, folder))


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
    """Train with a progress bar; Ctrl-C (or SIGTERM) ends the run with a checkpoint and exit code 130."""
    from gatewright.runs.run import train as train_run

    quiet = quiet or not is_main()
    with StopRequest() as stop, TrainingProgress(name, config.train.steps, quiet=quiet) as progress:
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
        if not is_main():
            raise typer.Exit(STOPPED)
        err().print(f"stopped; the checkpoint is kept, go on with: gatewright train {folder} --resume", markup=False)
        raise typer.Exit(STOPPED)
    return result


def is_main() -> bool:
    """Whether this process speaks for those that train together."""
    from gatewright.training.processes import rank_of_environment

    return rank_of_environment() == 0


def summary(result: RunResult, folder: Path) -> list[tuple[str, Any]]:
    """What a finished run achieved, for people."""
    rows: list[tuple[str, Any]] = [("run", folder), ("data", result.data)]
    for split, accuracy in (("validation", result.validation), ("test", result.test)):
        if accuracy is not None:
            rows.append((f"{split} accuracy", f"{percent(accuracy.hard)} (relaxed: {percent(accuracy.soft)})"))
    return [
        *rows,
        ("logic ops", result.logic_ops),
        ("total ops", result.total_ops),
        ("depth", result.depth),
        ("steps", f"{result.steps:,} (weights of step {result.best_step:,})"),
        ("seconds", result.seconds),
    ]
