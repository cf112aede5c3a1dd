"""FPGA figures of trained circuits: tables, clock and latency, placed and routed.

Usage: python benchmarks/hardware.py FILE.gw... [--targets ice40 ecp5] [--pipelines 0 8] [--no-place] [--timeout 1800]
       [--json FILE]

Rows are written as they come, so that a run that is stopped keeps what it has. A circuit that a target cannot take gets a
row that says why. `docs/hardware.md` has the commands that trained the circuits.
"""

import argparse
import json
import platform
from pathlib import Path

from gatewright.circuit import cost, load_circuit
from gatewright.errors import ToolError
from gatewright.hardware import synth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--targets", nargs="+", default=["ice40", "ecp5"])
    parser.add_argument("--pipelines", nargs="+", type=int, default=[0, 8])
    parser.add_argument("--no-place", action="store_true", help="map only")
    parser.add_argument("--timeout", type=float, default=1800.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    machine = {"cpu": platform.processor() or platform.machine(), "system": platform.system()}
    result: dict[str, object] = {"machine": machine, "rows": (rows := [])}
    for file in options.files:
        circuit = load_circuit(file)
        size = cost(circuit)
        about = {
            "circuit": file.stem,
            "data": circuit.metadata.get("data"),
            "test_accuracy": circuit.metadata.get("test_accuracy"),
            "logic_ops": size.logic_ops,
            "total_ops": size.total_ops,
        }
        for target in options.targets:
            for pipeline in options.pipelines:
                try:
                    report = synth(
                        circuit, target, pipeline=pipeline, place=not options.no_place, timeout=options.timeout
                    )
                    row = report.as_dict()
                except ToolError as error:
                    row = {"target": target, "pipeline": pipeline, "error": str(error)}
                rows.append({**about, **row})
                print(json.dumps(rows[-1]), flush=True)
                if options.json:
                    options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
