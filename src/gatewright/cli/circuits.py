"""Commands on circuits: compile, info, eval, predict, verify."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewright.cli.output import JsonFlag, emit_json, err, percent, show_pairs, show_rows
from gatewright.cli.train import DataFlag
from gatewright.errors import DataError, DtypeError, FormatError, ShapeError, UnsupportedError, VerificationError

if TYPE_CHECKING:
    from gatewright.circuit import Circuit, Proof
    from gatewright.data import Dataset
    from gatewright.training.compile import Compiled

CircuitFile = Annotated[Path, typer.Argument(metavar="FILE.gw", help="A circuit, as `gatewright compile` writes it.")]

TimeoutFlag = Annotated[float, typer.Option(help="Seconds that the proof may take.", min=1)]


def compile_(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.gw", help="Where to write the circuit.")],
    data: DataFlag = None,
    no_proof: Annotated[
        bool, typer.Option("--no-proof", help="Skip the proof (the check on test data stays).")
    ] = False,
    timeout: TimeoutFlag = 600.0,
    json: JsonFlag = False,
) -> None:
    """Turn a trained network into a circuit, simplify it, prove that nothing changed, check it on the test split."""
    from gatewright.circuit import save

    compiled = compile_folder(run, data, proof=not no_proof, timeout=timeout, quiet=json)
    out.parent.mkdir(parents=True, exist_ok=True)
    save(compiled.circuit, out)
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
            "test accuracy": percent(compiled.accuracy),
        }
    )


def compile_folder(
    run: Path, data: Path | None, *, proof: bool = True, timeout: float = 600.0, quiet: bool = False
) -> Compiled:
    """Compile the run in a folder, with proof and check."""
    from gatewright.data import load
    from gatewright.training.compile import compile_run
    from gatewright.training.run import load_run

    trained = load_run(run)
    test = load(trained.config.data.name, data, progress=not quiet).test
    return compile_run(trained, test, proof=proof, timeout=timeout)


def compiled_about(compiled: Compiled) -> dict[str, Any]:
    """What is known of a compiled run, as plain values."""
    return {
        **circuit_about(compiled.circuit),
        "proof": compiled.proof and proof_about(compiled.proof),
        "checked_samples": compiled.samples,
        "test_accuracy": compiled.accuracy,
        "passes": [
            {
                "name": record.name,
                "gates_before": record.gates_before,
                "gates_after": record.gates_after,
                "removed": dict(record.removed),
                "seconds": record.seconds,
            }
            for record in compiled.records
        ],
        "seconds": compiled.seconds,
    }


def proof_about(proof: Proof) -> dict[str, Any]:
    """A proof's outcome as plain values; the counter-example as input bits, and as a raw sample where there is one."""
    bits, sample = proof.counterexample, proof.sample
    return {
        "equal": proof.equal,
        "method": proof.method,
        "detail": proof.detail,
        "seconds": proof.seconds,
        "counterexample": None if bits is None else bits.astype(int).tolist(),
        "sample": None if sample is None else sample.tolist(),
    }


def proof_text(proof: Proof | None) -> str:
    """A proof's outcome for people."""
    return "not wanted" if proof is None else f"equal for every input ({proof.method}, {proof.seconds:.2f} s)"


def circuit_about(circuit: Circuit) -> dict[str, Any]:
    """Size, cost and interface of a circuit, as plain values."""
    from gatewright.circuit import cost

    figures = cost(circuit)
    encoder, head = circuit.encoder, circuit.head
    return {
        "logic_ops": figures.logic_ops,
        "total_ops": figures.total_ops,
        "encoder_ops": figures.encoder_ops,
        "head_ops": figures.head_ops,
        "depth": figures.depth,
        "gates": circuit.n_gates,
        "inputs": circuit.n_inputs,
        "outputs": circuit.n_outputs,
        "encoder": encoder and {"shape": list(encoder.shape), "dtype": encoder.dtype, "bits": encoder.n_bits},
        "head": head and {"classes": head.n_classes, "tau": head.tau, "class_names": list(head.class_names)},
        "metadata": dict(circuit.metadata),
    }


def info(file: CircuitFile, json: JsonFlag = False) -> None:
    """Show a circuit's size, cost, interface and origin."""
    about = circuit_about(_load(file))
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


def evaluate(
    file: CircuitFile,
    dataset: Annotated[str, typer.Option(help="Name of a data set, see `gatewright data`.")],
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    data: DataFlag = None,
    json: JsonFlag = False,
) -> None:
    """Run a circuit on a data set, and show its accuracy and speed."""
    from gatewright.data import load
    from gatewright.engine import Engine

    circuit = _load(file)
    loaded = load(dataset, data, progress=not json)
    samples = loaded.split(split)
    _check_fits(circuit, loaded, file)
    if len(samples) == 0:
        raise DataError(f"the {split} split of {dataset} is empty")
    engine = Engine(circuit)
    engine.predict(samples.x[:64])  # compiles what is not compiled yet
    begin = time.perf_counter()
    predicted = engine.predict(samples.x)
    seconds = time.perf_counter() - begin
    right = predicted == samples.y
    recall = {
        name: float(right[samples.y == k].mean()) if (samples.y == k).any() else None
        for k, name in enumerate(loaded.class_names)
    }
    result = {
        "file": str(file),
        "dataset": dataset,
        "split": split,
        "samples": len(samples),
        "correct": int(right.sum()),
        "accuracy": float(right.mean()),
        "recall": recall,
        "samples_per_second": len(samples) / seconds,
    }
    if json:
        emit_json(result)
    else:
        result["accuracy"] = f"{percent(float(right.mean()))} ({int(right.sum()):,} of {len(samples):,})"
        result["recall"] = ", ".join(f"{name} {'-' if r is None else percent(r)}" for name, r in recall.items())
        show_pairs({key.replace("_", " "): value for key, value in result.items() if key != "correct"})


def _check_fits(circuit: Circuit, dataset: Dataset, file: Path) -> None:
    if circuit.encoder is None or circuit.head is None:
        raise UnsupportedError(
            f"{file} has no {'encoder' if circuit.encoder is None else 'head'}, so it cannot classify"
        )
    if circuit.encoder.shape != dataset.shape or circuit.encoder.dtype != dataset.dtype:
        raise ShapeError(
            f"{file} takes {circuit.encoder.dtype} samples of shape {circuit.encoder.shape}, but {dataset.name} has "
            f"{dataset.dtype} samples of shape {dataset.shape}"
        )
    if circuit.head.n_classes != len(dataset.class_names):
        raise DataError(
            f"{file} knows {circuit.head.n_classes} classes, but {dataset.name} has {len(dataset.class_names)}"
        )


def predict(
    file: CircuitFile,
    samples: Annotated[Path, typer.Argument(metavar="IN.npy", help="Raw samples [n, ...] of the circuit's type.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT.npy", help="Where to write the classes, int64 [n].")],
    scores: Annotated[bool, typer.Option("--scores", help="Write the scores, float32 [n, classes], instead.")] = False,
    json: JsonFlag = False,
) -> None:
    """Classify the samples in a NumPy file."""
    import numpy as np

    from gatewright.engine import Engine

    engine = Engine(_load(file))
    try:
        with samples.open("rb") as source:
            x = np.lib.format.read_array(source, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise FormatError(f"{samples} is not a NumPy .npy file of numbers, or is damaged: {error}") from error
    try:
        result = engine.scores(x) if scores else engine.predict(x)
    except (ShapeError, DtypeError) as error:
        raise type(error)(f"{samples}: {error}") from error
    with out.open("wb") as target:
        np.save(target, result)
    about = {"file": str(out), "samples": len(result), "dtype": str(result.dtype), "shape": list(result.shape)}
    if json:
        emit_json(about)
    else:
        show_pairs(about)


def verify(
    one: Annotated[Path, typer.Argument(metavar="A", help="The folder of a run, or a .gw, .aig, .blif or .v file.")],
    two: Annotated[Path, typer.Argument(metavar="B", help="Another one, of the same kind or any other.")],
    timeout: TimeoutFlag = 600.0,
    json: JsonFlag = False,
) -> None:
    """Prove that two networks compute the same, or show an input on which they differ."""
    from gatewright.circuit.verify import require
    from gatewright.verification import verify as verify_files

    if not json:
        err().print("proving ...", markup=False)
        proof = require(verify_files(one, two, timeout=timeout))
        show_pairs({"result": proof_text(proof), "compared": proof.detail})
        return
    proof = verify_files(one, two, timeout=timeout)
    emit_json(proof_about(proof))
    if not proof.equal:
        raise VerificationError(f"{one} and {two} are not proven equal ({proof.detail})")


def _load(path: Path) -> Circuit:
    from gatewright.circuit import load

    if path.is_dir():
        raise FormatError(f"{path} is a folder; compile the run first: gatewright compile {path} -o FILE.gw")
    return load(path)
