"""`gatewright search`: the best network for a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatewright.cli.output import JsonFlag, emit_json, percent, say, show_pairs
from gatewright.cli.progress import StopRequest
from gatewright.cli.train import STOPPED, DataFlag, DropFlag, GroupFlag, SplitFlag, TargetFlag


def search(
    dataset: Annotated[
        str,
        typer.Argument(
            metavar="DATA|TABLE|IMAGES",
            help="Data set (see: gatewright data), a table (.csv, .parquet, .arrow), or a folder of images per class.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the search; the same command goes on with what is in it.")],
    target: TargetFlag = None,
    drop: DropFlag = None,
    split_by: SplitFlag = None,
    group_by: GroupFlag = None,
    max_total_ops: Annotated[
        int | None, typer.Option("--max-total-ops", help="Two-input gates, encoder and head included.")
    ] = None,
    max_nand: Annotated[int | None, typer.Option("--max-nand", help="NAND gates and inverters, by yosys.")] = None,
    max_lut6: Annotated[int | None, typer.Option("--max-lut6", help="Six-input tables, by ABC.")] = None,
    max_flash: Annotated[int | None, typer.Option("--max-flash", help="Bytes of flash on a Cortex-M4.")] = None,
    time: Annotated[str | None, typer.Option(help="Of the whole search, such as 10m or 2h.")] = None,
    trials: Annotated[int | None, typer.Option(help="Trials at most.")] = None,
    jobs: Annotated[int, typer.Option(help="Processes that train at a time.")] = 1,
    seeds: Annotated[int, typer.Option(help="Seeds that the winner is trained with.")] = 3,
    seed: Annotated[int, typer.Option(help="Seed of the search.")] = 0,
    steps: Annotated[int | None, typer.Option(help="Steps of a full trial (default: what the time allows).")] = None,
    pruner: Annotated[str, typer.Option(help="How trials are stopped: halving, hyperband or none.")] = "halving",
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL|FILE.journal", help="Where the study is (default: a SQLite file in the folder)."),
    ] = None,
    trials_only: Annotated[
        bool, typer.Option("--trials-only", help="Only work on trials; another machine trains the winner.")
    ] = False,
    data: DataFlag = None,
    json: JsonFlag = False,
) -> None:
    """Find the best network that fits a budget.

    Searches, trains the winner for the time that is left, compiles and proves it, and measures it on test. After Ctrl-C
    (or a kill), the same command goes on.
    """
    from gatewright.errors import require_extra

    require_extra("optuna", "search")
    from gatewright.budget.driver import search as run
    from gatewright.budget.finish import CIRCUIT, PRESET

    with StopRequest() as halt:
        result = run(
            dataset,
            out,
            target=target or "",
            drop=drop or (),
            split=split_by or "",
            groups=group_by or "",
            max_total_ops=max_total_ops,
            max_nand=max_nand,
            max_lut6=max_lut6,
            max_flash=max_flash,
            time=time,
            trials=trials,
            jobs=jobs,
            seeds=seeds,
            seed=seed,
            steps=steps,
            pruner=pruner,
            storage=storage,
            trials_only=trials_only,
            data_root=data,
            report=None if json else say,
            stop=halt.requested,
        )
    if result is None and trials_only and not halt.requested():
        return
    if result is None:
        say("stopped; run the same command to go on")
        raise typer.Exit(STOPPED)
    if json:
        emit_json(result.as_dict())
        return
    show_pairs(
        [
            ("circuit", result.out / CIRCUIT),
            ("preset", result.out / PRESET),
            ("validation accuracy", percent(result.validation)),
            ("test accuracy", percent(result.test)),
            (f"test accuracy, mean of {len(result.seeds)} seeds", percent(result.test_mean)),
            *((name.replace("_", " "), value) for name, value in result.figures.items()),
            ("proof", result.proof + (", before unneeded gates were removed" if result.pruned_down else "")),
            ("trials", f"{result.trials} ({result.pruned} pruned); trial {result.trial} won"),
            ("seconds", result.seconds),
        ]
    )
