"""`gatewright pareto`: accuracy against cost, presets over seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatewright.cli.circuits import TimeoutFlag
from gatewright.cli.output import JsonFlag, emit_json, err, percent, show_rows
from gatewright.cli.progress import StopRequest, TrainingProgress
from gatewright.cli.train import STOPPED, DataFlag
from gatewright.errors import GatewrightError, OptionError

if TYPE_CHECKING:
    from gatewright.pareto import Job, Results, Row


def pareto(
    presets: Annotated[
        str, typer.Option(metavar="A,B,...", help="Presets to measure; none: only show and draw what was measured.")
    ] = "",
    seeds: Annotated[str, typer.Option(metavar="N,M,...", help="Seeds of each preset.")] = "11,12,13",
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change an option in all presets; may be repeated."),
    ] = None,
    results: Annotated[Path, typer.Option(help="File of the results, added to.")] = Path("benchmarks/pareto.json"),
    runs: Annotated[Path, typer.Option(help="Folder of the runs; a sweep that was stopped goes on there.")] = Path(
        "runs/pareto"
    ),
    keep_circuits: Annotated[
        Path | None, typer.Option("--keep-circuits", metavar="DIR", help="Write every circuit to this folder.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw the front of each data set into this folder.")
    ] = None,
    data: DataFlag = None,
    timeout: TimeoutFlag = 600.0,
    json: JsonFlag = False,
) -> None:
    """Train presets over seeds, compile, prove, evaluate on test once; add to the results, and show them.

    What is in the results already is not measured again, unless its options have changed. Ctrl-C (or a kill) loses
    nothing: the same command goes on.
    """
    from gatewright.pareto import Results, jobs

    wanted = jobs(_words(presets), [_number(word) for word in _words(seeds)], overrides or ())
    store = Results(results)
    failures = _measure(wanted, store, runs, data, keep_circuits, timeout, quiet=json)
    rows = store.rows()
    drawn = [] if draw is None else _draw(rows, draw)
    if json:
        emit_json({"rows": [row.model_dump(mode="json") for row in rows], "drawn": drawn, "failures": failures})
    else:
        _show(rows)
        for path in drawn:
            err().print(f"drawn: {path}", markup=False)
    if failures:
        raise GatewrightError(f"{len(failures)} of {len(wanted)} runs failed: {'; '.join(failures)}")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _number(word: str) -> int:
    if not word.isdecimal():
        raise OptionError(f"--seeds takes whole numbers between commas, got {word!r}")
    return int(word)


def _measure(
    wanted: list[Job],
    store: Results,
    runs: Path,
    data: Path | None,
    keep_circuits: Path | None,
    timeout: float,
    *,
    quiet: bool,
) -> list[str]:
    """Measure what is missing; what failed, in words. One failure does not keep the others from being measured."""
    from gatewright.circuit import save
    from gatewright.pareto.sweep import is_done, measure

    def say(text: str) -> None:
        if not quiet:
            err().print(text, markup=False)

    failures: list[str] = []
    with StopRequest() as stop:
        for place, job in enumerate(wanted, 1):
            title = f"{place}/{len(wanted)} {job.name}, seed {job.seed}"
            if is_done(job, store.entries()):
                say(f"{title}: measured before")
                continue
            try:
                with TrainingProgress(title, job.config.train.steps, quiet=quiet) as progress:
                    made = measure(
                        job,
                        runs,
                        data_root=data,
                        timeout=timeout,
                        progress=not quiet,
                        watch=progress.update,
                        stop=stop.requested,
                    )
            except GatewrightError as error:
                failures.append(f"{job.name}, seed {job.seed}: {error}")
                say(f"{title}: failed: {error}")
                continue
            if made is not None:
                entry, circuit = made
                store.add(entry)
                if keep_circuits is not None:
                    keep_circuits.mkdir(parents=True, exist_ok=True)
                    save(circuit, keep_circuits / f"{job.folder(Path()).name}.gw")
                say(
                    f"{title}: test {percent(entry.test)}, {entry.logic_ops:,} logic ops, {entry.total_ops:,} total ops"
                )
            elif not stop.requested():
                say(f"{title}: another process is at it")
            if stop.requested():
                say("stopped; the same command goes on")
                raise typer.Exit(STOPPED)
    return failures


def _draw(rows: list[Row], folder: Path) -> list[str]:
    from gatewright.pareto import published
    from gatewright.pareto.draw import draw

    files: list[str] = []
    for name in dict.fromkeys(row.data for row in rows):
        mine = [row for row in rows if row.data == name]
        files += map(str, draw(name, mine, [row for row in published() if row.data == name], folder))
    return files


def _show(rows: list[Row]) -> None:
    from gatewright.pareto.table import COLUMNS, cells

    show_rows(list(COLUMNS), [cells(row) for row in rows])
