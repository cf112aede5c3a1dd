"""Rows for the public benchmark of logic networks: pixels in, class out, as NAND gates and inverters, on all test images.

python benchmarks/whole_cost.py [NAME or FILE.gw ...] [--timeout SECONDS] [--modules DIR]   # writes whole_cost.json

For each image circuit: write `module top(input wire [..:0] pix, output wire [3:0] cls)`, map it with the benchmark's script
(`gatewright.hardware.currencies.NAND_SCRIPT`), evaluate the *mapped netlist* on every test image, and hold each class
against the engine's. Images that differ end the run with an error: a row stands for 10,000 equal predictions. `--modules`
keeps `NAME/top.v`. What is already measured for the same circuit is kept, so a stopped run resumes; where yosys ran out of
time, the count is null until a run has a longer limit. Without names: the image circuits of zoo_cost.json up to 100,000
total ops.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import gatewright as gw
from gatewright import zoo
from gatewright.circuit import Circuit
from gatewright.circuit.arithmetic import feature_bits
from gatewright.circuit.evaluate import evaluate
from gatewright.errors import ToolError
from gatewright.formats import to_verilog
from gatewright.gates import Gate
from gatewright.hardware.currencies import map_nand

FILE = Path(__file__).with_suffix(".json")
PORTS = "pix,cls"
IMAGES = {"mnist", "fashion-mnist", "cifar10"}
LARGEST = 100_000
"""Total ops of the largest circuit that is measured unasked."""

CHUNK = 1000
"""Images at a time: 24,576 bits each, of CIFAR-10."""


def read(name: str) -> tuple[str, str, str, Circuit]:
    """(Name, digest, data set, circuit) of a circuit in the zoo or in a file."""
    if name.endswith(".gw"):
        path, circuit = Path(name), gw.load_circuit(name)
        if "data" not in circuit.metadata:
            sys.exit(f"{name} does not say what it was trained on: its metadata have no entry 'data'")
        return path.stem, hashlib.sha256(path.read_bytes()).hexdigest(), circuit.metadata["data"], circuit
    card = zoo.card(name)
    return name, card.sha256, card.data.name, zoo.load_circuit(name)


def classes(netlist: Circuit, circuit: Circuit, x: np.ndarray) -> np.ndarray:
    """The class of each image, int64 [n], as the mapped gates compute it from the bits of the pixels."""
    weights = 1 << np.arange(netlist.n_outputs)
    parts = [x[first : first + CHUNK] for first in range(0, len(x), CHUNK)]
    return np.concatenate([evaluate(netlist, feature_bits(circuit.encoder, part)) @ weights for part in parts])


def measure(circuit: Circuit, data: str, timeout: float) -> dict[str, Any]:
    """The counts of the mapped netlist, and what it says of the test images."""
    begin = time.perf_counter()
    netlist = map_nand(circuit, ports=PORTS, timeout=timeout)
    seconds = time.perf_counter() - begin
    test = gw.load_dataset(data).test
    expected, got = gw.Engine(circuit).predict(test.x), classes(netlist, circuit, test.x)
    if differing := int(np.count_nonzero(got != expected)):
        sys.exit(
            f"the mapped netlist and the engine differ on {differing} of {len(test.x)} test images; no row was written"
        )
    nands, inverters = (int(np.count_nonzero(netlist.gate == gate)) for gate in (Gate.NAND, Gate.NOT_A))
    return {
        "nand": nands,
        "inv": inverters,
        "nand_inv": nands + inverters,
        "images": len(test.x),
        "equal_to_engine": len(test.x) - differing,
        "correct": int(np.count_nonzero(got == test.y)),
        "seconds": round(seconds, 1),
    }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for yosys")
    parser.add_argument("--modules", type=Path, help="folder for the modules")
    options = parser.parse_args()
    counted = json.loads(FILE.with_name("zoo_cost.json").read_text())
    small = [n for n, row in counted.items() if row["data"] in IMAGES and row["total_ops"] <= LARGEST]
    names = options.names or sorted(small, key=lambda name: counted[name]["total_ops"])
    rows = json.loads(FILE.read_text()) if FILE.exists() else {}
    for each in names:
        name, digest, data, circuit = read(each)
        if options.modules:
            to_verilog(circuit, options.modules / name, name="top", ports=PORTS, adders="nand")
        row = rows.get(name, {})
        tried = row.get("timeout", 0.0) >= options.timeout
        if row.get("sha256") == digest and (row["nand_inv"] is not None or tried):
            continue
        row = {"sha256": digest, "version": gw.__version__, "data": data, "total_ops": gw.cost(circuit).total_ops}
        try:
            row |= measure(circuit, data, options.timeout)
        except ToolError as error:
            print(f"    {error}")
            row |= {"nand_inv": None, "timeout": options.timeout}
        rows[name] = row
        FILE.write_text(json.dumps(dict(sorted(rows.items())), indent=1) + "\n")
        print(name, row, flush=True)


if __name__ == "__main__":
    main()
