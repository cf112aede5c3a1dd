"""`gatewright import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewright.cli.circuits import TimeoutFlag, circuit_about, proof_about, proof_text, read_circuit
from gatewright.cli.evaluation import check_fits
from gatewright.cli.output import JsonFlag, emit_json, percent, say, show_pairs
from gatewright.cli.train import DataFlag
from gatewright.errors import OptionError


def import_(
    source: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="A netlist, or a network that another library saved.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE.gw", help="File to write.")],
    like: Annotated[
        Path | None, typer.Option(metavar="OTHER.gw|NAME", help="Netlists: circuit whose encoder and head it gets.")
    ] = None,
    dtype: Annotated[str | None, typer.Option(help="Type of the raw features: uint8, int16, float32, ...")] = None,
    shape: Annotated[str | None, typer.Option(metavar="C,H,W", help="Shape of one sample.")] = None,
    quantize: Annotated[int | None, typer.Option(metavar="BITS", help="Lossy: round leaf values to BITS bits.")] = None,
    classes: Annotated[int | None, typer.Option(help="State dicts: classes of the group sum at the end.")] = None,
    tau: Annotated[float | None, typer.Option(help="State dicts: temperature of the group sum.")] = None,
    inputs: Annotated[int | None, typer.Option(help="State dicts: number of inputs.")] = None,
    thermometer: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="State dicts: thresholds of the inputs, [*shape, bits], in .npy or .json."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Data set that gives type, shape and classes, and on which accuracy is measured.")
    ] = None,
    split: Annotated[str, typer.Option(help="Of the data set: train, validation or test.")] = "validation",
    data: DataFlag = None,
    no_proof: Annotated[bool, typer.Option("--no-proof", help="Skip the proof.")] = False,
    timeout: TimeoutFlag = 600.0,
    json: JsonFlag = False,
) -> None:
    """Import a network of another library or tool.

    Simplifies it, and proves that the circuit equals the network as it was read.
    """
    from gatewright.circuit import prove, save_circuit, simplify
    from gatewright.circuit.proof.prove import require
    from gatewright.engine import Engine
    from gatewright.foreign import import_network

    given = {
        "like": like and read_circuit(like),
        "dtype": dtype,
        "shape": None if shape is None else _shape(shape),
        "quantize": quantize,
        "classes": classes,
        "tau": tau,
        "inputs": inputs,
        "thermometer": thermometer,
    }
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    samples = None
    if dataset is not None:
        from gatewright.data import load_dataset

        loaded = load_dataset(dataset, data, progress=not json)
        samples = loaded.split(split)
        if source.suffix == ".json" or thermometer is not None:
            options = {"dtype": loaded.dtype, "shape": loaded.shape, **options}
        if source.suffix == ".json" or classes is not None:
            options["class_names"] = loaded.class_names
        if quantize is not None:
            options["samples"] = (samples.x, samples.y)
    network = import_network(source, **options)
    circuit = simplify(network)
    if not (json or no_proof):
        say("proving ...")
    proof = None if no_proof else require(prove(network, circuit, timeout=timeout))
    accuracy = None
    if samples is not None:
        check_fits(circuit, loaded, source)
        accuracy = float((Engine(circuit).predict(samples.x) == samples.y).mean())
    save_circuit(circuit, out)
    about = circuit_about(circuit)
    if json:
        emit_json(
            {
                "file": str(out),
                "source": str(source),
                "gates_read": network.n_gates,
                **about,
                "proof": proof and proof_about(proof),
                "accuracy": accuracy,
            }
        )
        return
    show_pairs(
        {
            "file": out,
            "gates read": network.n_gates,
            "logic ops": about["logic_ops"],
            "total ops": about["total_ops"],
            "depth": about["depth"],
            "proof": proof_text(proof),
            **({} if accuracy is None else {f"accuracy ({dataset}, {split})": percent(accuracy)}),
            **circuit.metadata,
        }
    )


def _shape(text: str) -> tuple[int, ...]:
    """`1,28,28` as (1, 28, 28)."""
    sides = text.split(",")
    if not all(side.strip().isascii() and side.strip().isdigit() for side in sides):
        raise OptionError(f"--shape {text!r}: expected sizes between commas, for example 1,28,28")
    return tuple(map(int, sides))
