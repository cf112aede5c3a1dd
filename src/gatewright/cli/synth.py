"""`gatewright synth`: build a circuit for hardware."""

from __future__ import annotations

from typing import Annotated

import typer

from gatewright.cli.circuits import CircuitFile, read_circuit
from gatewright.cli.output import JsonFlag, emit_json, show_pairs


def synth(
    file: CircuitFile,
    target: Annotated[str, typer.Option(help="ecp5, ice40, xilinx, generic, or a core such as cortex-m4.")] = "ecp5",
    pipeline: Annotated[int, typer.Option(metavar="N", help="Register stages inside the circuit.", min=0)] = 0,
    adders: Annotated[
        str, typer.Option(help="Adders of the head: ops, nand, lut4 or lut6; without, the smallest on the target.")
    ] = "",
    no_place: Annotated[
        bool, typer.Option("--no-place", help="Map only, without a device and without timing.")
    ] = False,
    word: Annotated[int, typer.Option(help="Microcontrollers: samples per evaluation (8, 16, 32 or 64).")] = 8,
    timeout: Annotated[float, typer.Option(help="Time limit of each tool in seconds.", min=1)] = 1800.0,
    json: JsonFlag = False,
) -> None:
    """Build a circuit for an FPGA or a microcontroller.

    Reports size and speed.
    """
    from gatewright.errors import unknown_name
    from gatewright.hardware import CORES, TARGETS, Footprint, Report, footprint
    from gatewright.hardware import synth as build

    report: Report | Footprint
    if target in CORES:
        report = footprint(read_circuit(file), target, word=word, timeout=timeout)
    elif target in TARGETS:
        report = build(
            read_circuit(file), target, pipeline=pipeline, adders=adders, place=not no_place, timeout=timeout
        )
    else:
        raise unknown_name("target", target, [*CORES, *TARGETS])
    if json:
        emit_json({"file": str(file), **report.as_dict()})
    else:
        show_pairs([("file", str(file)), *report.rows()])
