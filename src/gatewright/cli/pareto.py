"""`gatewright pareto`: measure accuracy and cost of presets over seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatewright.cli.circuits import TimeoutFlag
from gatewright.cli.output import JsonFlag, emit_json, percent, say, show_rows
from gatewright.cli.progress import StopRequest, TrainingProgress
from gatewright.cli.train import STOPPED, DataFlag, SetFlag
from gatewright.errors import GatewrightError, OptionError

if TYPE_CHECKING:
    from gatewright.card import Entry
    from gatewright.circuit import Circuit
    from gatewright.runs.results import Results, Row
    from gatewright.runs.sweep import Job

RESULTS, RUNS = Path("benchmarks/pareto.json"), Path("runs/pareto")


def pareto(
    presets: Annotated[
        str, typer.Option(metavar="A,B,...", help="Presets to measure; without, show earlier results.")
    ] = "",
    seeds: Annotated[str, typer.Option(metavar="N,M,...", help="Seeds for each preset.")] = "11,12,13",
    overrides: SetFlag = None,
    results: Annotated[Path, typer.Option(help="File of results; new results are added.")] = RESULTS,
    runs: Annotated[Path, typer.Option(help="Folder of the runs; a stopped sweep resumes from it.")] = RUNS,
    keep_circuits: Annotated[
        Path | None, typer.Option("--keep-circuits", metavar="DIR", help="Write all circuits to this folder.")
    ] = None,
    zoo: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write each preset's best circuit on validation, with a card, to this folder."
        ),
    ] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Draw the Pareto front of each data set to this folder.")
    ] = None,
    data: DataFlag = None,
    timeout: TimeoutFlag = 600.0,
    json: JsonFlag = False,
) -> None:
    """Measure accuracy and cost of presets over seeds.

    Trains, compiles, proves and tests each run, and shows the results. Skips what the results already contain, unless its
    options have changed. After Ctrl-C (or a kill), the same command resumes.
    """
    from gatewright.runs.report.table import COLUMNS, cells
    from gatewright.runs.results import Results
    from gatewright.runs.sweep import jobs

    wanted = jobs(_words(presets), [_number(word) for word in _words(seeds)], overrides or ())
    store = Results(results)
    sweep = _Sweep(store, runs, data, timeout, quiet=json)
    sweep.measure(wanted, keep_circuits)
    if zoo is not None:
        sweep.fill(zoo, wanted)
    sweep.check_stopped()
    failures, rows = sweep.failures, store.rows()
    drawn = [] if draw is None else _draw(rows, draw)
    if json:
        emit_json({"rows": [row.model_dump(mode="json") for row in rows], "drawn": drawn, "failures": failures})
    else:
        show_rows(list(COLUMNS), [cells(row) for row in rows])
        for path in drawn:
            say(f"drawn: {path}")
    if failures:
        raise GatewrightError(f"{len(failures)} of {len(wanted)} runs failed: {'; '.join(failures)}")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _number(word: str) -> int:
    if not word.isdecimal():
        raise OptionError(f"--seeds takes whole numbers separated by commas, got {word!r}")
    return int(word)


@dataclass
class _Sweep:
    """Measures jobs one after the other and reports progress; continues after a failure."""

    store: Results
    runs: Path
    data: Path | None
    timeout: float
    quiet: bool
    stopped: bool = False
    failures: list[str] = field(default_factory=list)

    def measure(self, wanted: list[Job], keep: Path | None) -> None:
        """Measure the jobs that have no result; write their circuits to `keep` if given."""
        from gatewright.circuit import save_circuit
        from gatewright.runs.sweep import is_done

        for place, job in enumerate(wanted, 1):
            title = f"{place}/{len(wanted)} {job.name}, seed {job.seed}"
            if is_done(job, self.store.entries()):
                self._say(f"{title}: already measured")
                continue
            made = self._run(title, job)
            if made is None:
                continue
            entry, circuit = made
            self.store.add(entry)
            if keep is not None:
                save_circuit(circuit, keep / f"{job.folder(Path()).name}.gw")
            ops = f"{entry.logic_ops:,} logic ops, {entry.total_ops:,} total ops"
            self._say(f"{title}: test {percent(entry.test)}, {ops}")

    def fill(self, folder: Path, wanted: list[Job]) -> None:
        """Update a zoo: compile circuits from their runs again, and train only the runs that are missing."""
        from gatewright import zoo
        from gatewright.runs import publish

        for row in self.store.rows():
            mine = [job for job in wanted if job.name == row.name]
            if not mine:
                continue
            entries = [entry for entry in self.store.entries() if entry.name == row.name]
            best = max(entries, key=lambda entry: (entry.validation or 0.0, -entry.seed))
            if row.name in zoo.names(folder) and zoo.card(row.name, folder).measured == best:
                publish.refresh(row.name, row, folder)
                continue
            job = mine[0].with_seed(best.seed)
            made = self._run(f"zoo: {job.name}, seed {job.seed}", job)
            if made is None:
                continue
            if (made[0].test, made[0].logic_ops) != (best.test, best.logic_ops):
                self.failures.append(
                    f"{job.name}, seed {job.seed}: trained again, the run differs from the measured one"
                )
            else:
                card = publish.add(made[1], best, row, job.config, folder)
                self._say(f"zoo: {card.name}, {card.bytes:,} bytes")

    def _run(self, title: str, job: Job) -> tuple[Entry, Circuit] | None:
        from gatewright.runs.sweep import measure

        self.check_stopped()
        made = None
        with StopRequest() as stop:
            try:
                with TrainingProgress(title, job.config.train.steps, quiet=self.quiet) as progress:
                    made = measure(
                        job,
                        self.runs,
                        data_root=self.data,
                        timeout=self.timeout,
                        progress=not self.quiet,
                        watch=progress.update,
                        stop=stop.requested,
                    )
            except GatewrightError as error:
                self.failures.append(f"{job.name}, seed {job.seed}: {error}")
                self._say(f"{title}: failed: {error}")
            else:
                if made is None and not stop.requested():
                    self._say(f"{title}: another process is measuring it")
            self.stopped = stop.requested()
        return made

    def check_stopped(self) -> None:
        """End the command if a stop was requested."""
        if self.stopped:
            self._say("stopped; run the same command to resume")
            raise typer.Exit(STOPPED)

    def _say(self, text: str) -> None:
        if not self.quiet:
            say(text)


def _draw(rows: list[Row], folder: Path) -> list[str]:
    from gatewright.runs.report.draw import draw
    from gatewright.runs.report.published import published

    files: list[str] = []
    for name in dict.fromkeys(row.data for row in rows):
        mine = [row for row in rows if row.data == name]
        others = [row for row in published() if row.data == name]
        if len(mine) > 1 or others:  # one point alone is no front
            files += map(str, draw(name, mine, others, folder))
    return files
