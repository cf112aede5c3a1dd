"""`gatewright demo`: from data to exported circuit on real digits, with every stage checked."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatewright.cli.circuits import compile_folder, compiled_about, proof_text
from gatewright.cli.exports import export_files
from gatewright.cli.output import JsonFlag, emit_json, percent, say, show_pairs
from gatewright.cli.train import run_training
from gatewright.errors import OptionError, VerificationError, install_command

if TYPE_CHECKING:
    from gatewright.circuit import Circuit
    from gatewright.data import Split

PRESET = "digits"
FORMATS = ["c", "verilog", "html"]
SPEED_SAMPLES = 1 << 20
"""Images to measure speed on: the test images, repeated."""


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write; replaces an earlier demo.")] = Path("runs/demo"),
    steps: Annotated[int | None, typer.Option(help="Training steps (default: those of the preset).")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random generator.")] = 0,
    json: JsonFlag = False,
) -> None:
    """Learn digits; compile, prove, run and export the circuit."""
    from gatewright.circuit import save_circuit
    from gatewright.circuit.proof import can_prove
    from gatewright.data import load_dataset
    from gatewright.training.load import load_preset

    def tell(text: str) -> None:
        if not json:
            say(text)

    begin = time.perf_counter()
    run = _fresh(out)
    changes = [f"train.seed={seed}", *([] if steps is None else [f"train.steps={steps}"])]
    tell("1/4 learning handwritten digits ...")
    result = run_training(PRESET, load_preset(PRESET, changes), run, data=None, quiet=json)
    tell("2/4 compiling the network to a circuit, proving and checking it ...")
    provable = can_prove()
    if not provable:
        tell(f"    without proof, as neither ABC nor python-sat is installed: {install_command('prove')}")
    compiled = compile_folder(run, None, proof=provable, quiet=json)
    file = out / "digits.gw"
    save_circuit(compiled.circuit, file)
    if compiled.accuracy != result.test.hard:
        raise VerificationError(
            f"the circuit's test accuracy is {compiled.accuracy}, but the network's is {result.test.hard}"
        )
    tell("3/4 running the circuit ...")
    speed = _speed(compiled.circuit, load_dataset(PRESET).test)
    tell("4/4 exporting C, Verilog and a web page ...")
    files = export_files(compiled.circuit, FORMATS, out / "export", ["name=digits"])
    about = compiled_about(compiled)
    written = [str(file), *(path for paths in files.values() for path in paths)]
    seconds = time.perf_counter() - begin
    if json:
        emit_json(
            {
                "model_test_accuracy": result.test.hard,
                "circuit_test_accuracy": compiled.accuracy,
                "images_per_second": speed,
                "files": written,
                "seconds": seconds,
                "circuit": about,
            }
        )
        return
    show_pairs(
        {
            "test accuracy of the model": percent(result.test.hard),
            "test accuracy of the circuit": f"{percent(compiled.accuracy)} (equal on all {compiled.samples} test images)",
            "logic ops": about["logic_ops"],
            "total ops": about["total_ops"],
            "proof": proof_text(compiled.proof),
            "images per second": speed,
            **{f"file {number}": path for number, path in enumerate(written, 1)},
            "seconds": round(seconds, 1),
        },
        title="gatewright demo: handwritten digits as logic gates",
    )
    say(f"open {files['html'][0]} in a browser to draw digits; next: gatewright report {run}")


def _fresh(out: Path) -> Path:
    """Empty the folder for the run; refuse to remove anything but a run."""
    from gatewright.runs.folder import lock_run

    run = out / "run"
    if run.exists():
        if not (run / "config.yaml").exists():
            raise OptionError(f"{run} exists but is not a run of gatewright; choose another --out")
        with lock_run(run):  # refuses while a demo is running there
            pass
        shutil.rmtree(run)
    return run


def _speed(circuit: Circuit, test: Split) -> float:
    """Measure the engine's images per second, from raw pixels to classes, on all cores; check that results repeat."""
    import numpy as np

    from gatewright.engine import Engine

    engine = Engine(circuit)
    once = engine.predict(test.x)
    repeats = SPEED_SAMPLES // len(test)
    many = np.tile(test.x, (repeats, *([1] * (test.x.ndim - 1))))
    begin = time.perf_counter()
    predicted = engine.predict(many)
    seconds = time.perf_counter() - begin
    if not np.array_equal(predicted, np.tile(once, repeats)):
        raise VerificationError("the engine gave different classes for the same images")
    return len(many) / seconds
