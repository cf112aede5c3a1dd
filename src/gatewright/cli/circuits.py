"""Commands on circuits: compile, info, predict, verify."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewright.cli.output import JsonFlag, emit_json, percent, say, show_pairs, show_rows
from gatewright.cli.train import DataFlag, figure_text
from gatewright.errors import (
    FormatError,
    OptionError,
    VerificationError,
    unknown_name,
)

if TYPE_CHECKING:
    from gatewright.card import Pruned
    from gatewright.circuit import Circuit, Head, Proof
    from gatewright.runs.compile import Compiled

CircuitFile = Annotated[
    Path, typer.Argument(metavar="FILE.gw|NAME", help="A circuit file, or the name of a circuit in the zoo.")
]

TimeoutFlag = Annotated[float, typer.Option(help="Time limit of the proof in seconds.", min=1)]


def compile_(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.gw", help="File to write.")],
    data: DataFlag = None,
    no_proof: Annotated[
        bool, typer.Option("--no-proof", help="Skip the proof, but still check the test data.")
    ] = False,
    prune: Annotated[
        bool | None, typer.Option("--prune/--no-prune", help="Lossy: remove gates that training samples do not need.")
    ] = None,
    timeout: TimeoutFlag = 600.0,
    json: JsonFlag = False,
) -> None:
    """Compile a trained network to a circuit.

    Simplifies the circuit, proves that it equals the network, and checks it on the test split.
    """
    from gatewright.circuit import save_circuit

    compiled = compile_folder(run, data, proof=not no_proof, prune=prune, timeout=timeout, quiet=json)
    save_circuit(compiled.circuit, out)
    about = compiled_about(compiled)
    if json:
        emit_json({"file": str(out), **about})
        return
    show_rows(
        ["pass", "gates before", "gates after", "seconds"],
        [(r.name, r.gates_before, r.gates_after, round(r.seconds, 3)) for r in compiled.records],
    )
    show_pairs(
        {
            "file": out,
            "logic ops": about["logic_ops"],
            "total ops": about["total_ops"],
            "depth": about["depth"],
            "proof": proof_text(compiled.proof),
            "check": f"equal to the network on all {compiled.samples:,} test samples",
            **_pruned_text(compiled.pruned),
            f"test {compiled.figure}": figure_text(compiled.figure, compiled.accuracy),
        }
    )


def _pruned_text(pruned: Pruned | None) -> dict[str, str]:
    """Describe what pruning removed; empty if nothing was pruned."""
    if pruned is None:
        return {}
    ops = f"{pruned.logic_ops_before:,} logic ops to {pruned.logic_ops_after:,}"
    validation = f"validation {percent(pruned.validation_before)} to {percent(pruned.validation_after)}"
    return {"pruned (lossy)": f"{ops}; {validation}; {pruned.decided_otherwise:,} test decisions changed"}


def compile_folder(
    run: Path,
    data: Path | None,
    *,
    proof: bool = True,
    prune: bool | None = None,
    timeout: float = 600.0,
    quiet: bool = False,
) -> Compiled:
    """Compile the run in a folder, with proof and check."""
    from gatewright.runs.compile import compile_run
    from gatewright.runs.run import load_run

    trained = load_run(run)
    dataset = trained.config.data.read(data, progress=not quiet)
    return compile_run(trained, dataset, proof=proof, prune_too=prune, timeout=timeout)


def compiled_about(compiled: Compiled) -> dict[str, Any]:
    """Describe a compiled run as plain values."""
    return {
        **circuit_about(compiled.circuit),
        "proof": compiled.proof and proof_about(compiled.proof),
        "checked_samples": compiled.samples,
        "pruned": compiled.pruned and compiled.pruned.model_dump(mode="json"),
        "test_r2" if compiled.figure == "R^2" else "test_accuracy": compiled.accuracy,
        "passes": [asdict(record) for record in compiled.records],
        "seconds": compiled.seconds,
    }


def proof_about(proof: Proof) -> dict[str, Any]:
    """Describe a proof as plain values; a counter-example as input bits, and as a raw sample if there is an encoder."""
    bits, sample = proof.counterexample, proof.sample
    return {
        **asdict(proof),
        "counterexample": None if bits is None else bits.astype(int).tolist(),
        "sample": None if sample is None else sample.tolist(),
    }


def proof_text(proof: Proof | None) -> str:
    """Describe a proof in one line."""
    return "skipped" if proof is None else f"equal for every input ({proof.method}, {proof.seconds:.2f} s)"


def circuit_about(circuit: Circuit) -> dict[str, Any]:
    """Describe size, cost and interface of a circuit as plain values."""
    from gatewright.circuit import cost

    figures = cost(circuit)
    encoder, head = circuit.encoder, circuit.head
    return {
        **{key: getattr(figures, key) for key in ("logic_ops", "total_ops", "encoder_ops", "head_ops", "depth")},
        "gates": circuit.n_gates,
        "inputs": circuit.n_inputs,
        "outputs": circuit.n_outputs,
        "encoder": encoder and {"shape": list(encoder.shape), "dtype": encoder.dtype, "bits": encoder.n_bits},
        "head": head and _head_about(head),
        "metadata": dict(circuit.metadata),
    }


def _head_about(head: Head) -> dict[str, Any]:
    if head.number:
        return {"number": head.formula}
    names, places = list(head.class_names), list(head.places)
    return {"classes": head.n_classes, "tau": head.tau, "class_names": names, "places": places}


def info(
    file: CircuitFile,
    cost: Annotated[
        str, typer.Option(help="More currencies of the complete circuit: nand, lut4, lut6, or nand,lut6.")
    ] = "",
    json: JsonFlag = False,
) -> None:
    """Show size, cost, interface and origin of a circuit."""
    wanted = currencies_named(cost)
    circuit = read_circuit(file)
    about = {**circuit_about(circuit), **{name: count(circuit) for name, count in wanted.items()}}
    if json:
        emit_json({"file": str(file), **about})
        return
    rows: list[tuple[str, object]] = [("file", file)]
    for key, value in about.items():
        if isinstance(value, dict):
            rows += [(f"{key}: {inner}", item) for inner, item in value.items()]
        else:
            rows.append((key.replace("_", " "), "none" if value is None else value))
    show_pairs(rows)


def currencies_named(words: str) -> dict[str, Callable[[Circuit], int]]:
    """The currencies of an option `--cost`, by name."""
    from gatewright.hardware.currencies import CURRENCIES

    names = [name for name in words.split(",") if name]
    for name in names:
        if name not in CURRENCIES:
            raise unknown_name("currency", name, CURRENCIES)
    return {name: CURRENCIES[name] for name in names}


def predict(
    file: CircuitFile,
    samples: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A .npy file of raw samples [n, ...], a table (.csv, .parquet, .arrow), or a folder of images.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", metavar="OUT", help="File to write: classes, int64 [n] (.npy); or a table, ids kept."
        ),
    ],
    scores: Annotated[bool, typer.Option("--scores", help="Write scores, float32 [n, classes].")] = False,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Write probabilities, float32 [n, classes].")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Classify the samples of a file or folder.

    A NumPy file, which may be larger than memory; the rows of a table; or the images of a folder.
    """
    from gatewright.data.tables import SUFFIXES
    from gatewright.engine import Engine
    from gatewright.engine.bulk import predict_file
    from gatewright.runs.own import predict_own

    if scores and probabilities:
        raise OptionError("--scores and --probabilities exclude each other: the file holds one result; choose one")
    engine = Engine(read_circuit(file))
    wanted = "scores" if scores else "probabilities" if probabilities else "classes"
    if samples.is_dir() or samples.suffix in SUFFIXES:
        about: dict[str, Any] = {"file": str(out), "samples": predict_own(engine, samples, out, wanted)}
        emit_json(about) if json else show_pairs(about)
        return
    result = predict_file(engine, samples, out, wanted)
    about = {"file": str(out), "samples": len(result), "dtype": str(result.dtype), "shape": list(result.shape)}
    if json:
        emit_json(about)
    else:
        show_pairs(about)


def verify(
    one: Annotated[
        Path,
        typer.Argument(metavar="A", help="A .gw, .aig, .aag, .blif or .v file, folder of a run, or name of the zoo."),
    ],
    two: Annotated[Path, typer.Argument(metavar="B", help="Another one of any of these kinds.")],
    timeout: TimeoutFlag = 600.0,
    json: JsonFlag = False,
) -> None:
    """Prove that two networks are equal.

    If they differ, shows an input on which they do.
    """
    from gatewright.circuit.proof.prove import require
    from gatewright.verification import verify as prove_equal

    a, b = map(_side, (one, two))
    if not json:
        say("proving ...")
        proof = require(prove_equal(a, b, timeout=timeout))
        show_pairs({"result": proof_text(proof), "compared": proof.detail})
        return
    proof = prove_equal(a, b, timeout=timeout)
    emit_json(proof_about(proof))
    if not proof.equal:
        raise VerificationError(f"{one} and {two} are not proven equal ({proof.detail})")


def _side(path: Path) -> Circuit | Path:
    """What `verify` compares: the circuit of the zoo or of a run, or the file, which comes before a name of the zoo."""
    from gatewright.zoo import load_circuit, names

    if str(path) in names() and not path.is_file():
        return load_circuit(str(path))
    if path.is_dir():
        from gatewright.runs.run import read_circuit as read_run  # runs alone need torch

        return read_run(path)
    return path


def read_circuit(path: Path) -> Circuit:
    """Read a circuit from a file, or from the zoo by name."""
    from gatewright.model import load
    from gatewright.zoo import names

    if path.is_dir() and str(path) not in names():
        raise FormatError(f"{path} is a folder; compile the run first: gatewright compile {path} -o FILE.gw")
    return load(str(path)).circuit
