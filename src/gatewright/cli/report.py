"""`gatewright report`."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewright.cli.circuits import TimeoutFlag, currencies_named, read_circuit
from gatewright.cli.evaluation import check_fits, data_for
from gatewright.cli.output import JsonFlag, emit_json, say, show_pairs
from gatewright.cli.train import DataFlag, TargetFlag, figure_text
from gatewright.errors import GatewrightError, OptionError

if TYPE_CHECKING:
    from gatewright.runs.report.facts import Facts


def report(
    source: Annotated[
        Path,
        typer.Argument(metavar="RUN|FILE.gw|NAME", help="Folder of a finished run, a circuit, or a name of the zoo."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.html", help="File to write.")] = Path("report.html"),
    dataset: Annotated[
        str | None,
        typer.Option(
            help="Of circuits: data set, table or folder to evaluate on (default: the data set noted in the circuit)."
        ),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Of data sets: train, validation or test (default).")] = None,
    target: TargetFlag = None,
    cost: Annotated[str, typer.Option(help="More currencies of the complete circuit: nand, lut6, or nand,lut6.")] = "",
    no_proof: Annotated[bool, typer.Option("--no-proof", help="Of runs: skip the proof.")] = False,
    timeout: TimeoutFlag = 600.0,
    data: DataFlag = None,
    json: JsonFlag = False,
) -> None:
    """Write a page on a run or a circuit.

    One file without network: learning curves, cost, place on the front, classes, mistakes, inputs, gates, proof.
    """
    from dataclasses import replace

    from gatewright.runs.report.page import write_report

    wanted = currencies_named(cost)
    if source.is_dir() and (source / "config.yaml").exists():
        for flag, given in (("dataset", dataset), ("split", split), ("target", target)):
            if given is not None:
                raise OptionError(f"--{flag} is for circuits; a run is evaluated on the test part of its own data")
        facts = _of_run(source, data, proof=not no_proof, timeout=timeout, quiet=json)
    else:
        facts = _of_circuit(source, dataset, split, target, data, quiet=json)
    facts = replace(facts, currencies={name: count(facts.circuit) for name, count in wanted.items()})
    write_report(facts, out)
    evaluation = facts.evaluation
    judged = evaluation.judged if evaluation else None
    figure = judged.figure if judged else "accuracy"
    value = judged.merit if judged and isfinite(judged.merit) else None
    if json:
        about: dict[str, Any] = {
            "logic_ops": facts.cost.logic_ops,
            "total_ops": facts.cost.total_ops,
            **facts.currencies,
        }
        about["r2" if figure == "R^2" else "accuracy"] = value
        emit_json({"file": str(out), "title": facts.title, "data": facts.data, **about})
        return
    found = {f"{evaluation.split} {figure}": figure_text(figure, value)} if evaluation and value is not None else {}
    show_pairs({"report": out, **found})
    for text in facts.missing:
        say(f"note: {text}")


def _of_run(folder: Path, data: Path | None, *, proof: bool, timeout: float, quiet: bool) -> Facts:
    from gatewright.runs.report.facts import facts_of_run
    from gatewright.runs.run import load_run

    own = load_run(folder).config.data.read(data, progress=not quiet)
    if not quiet:
        say("compiling and evaluating ..." if not proof else "compiling, proving and evaluating ...")
    return facts_of_run(folder, own, proof=proof, timeout=timeout)


def _of_circuit(
    source: Path, name: str | None, split: str | None, target: str | None, data: Path | None, *, quiet: bool
) -> Facts:
    from gatewright.data import missing, names
    from gatewright.runs.report.facts import facts_of_circuit

    circuit = read_circuit(source)
    noted = circuit.metadata.get("data", "")
    loaded, part = None, split or "test"
    # Data that a file merely mentions are used where they are at hand; what was asked for is fetched, or refused.
    if name is not None:
        loaded, part = data_for(circuit, name, split, target, data, quiet=quiet)
        check_fits(circuit, loaded, source)
    elif noted in names() and not missing(noted, data):
        loaded, part = data_for(circuit, noted, split, target, data, quiet=quiet)
        try:
            check_fits(circuit, loaded, source)
        except GatewrightError:  # other data of that name
            loaded = None
    if loaded is None and (split or target):
        raise OptionError(f"no data set is known for {source}, so --split and --target say nothing; give --dataset")
    title = circuit.metadata.get("name") or source.name.removesuffix(".xz").removesuffix(".gw")
    return facts_of_circuit(title, circuit, loaded, part)
