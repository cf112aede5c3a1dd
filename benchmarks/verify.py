"""`gatewright verify` on round trips: how long it takes to prove a network equal to its exports, and to refute others.

Usage: python benchmarks/verify.py [--gates 5000 50000 100000] [--json FILE]

The networks are random and layered, of two-operand gates only, with 3,136 thresholds on 784 pixels and ten classes (those
of `circuit_scale.py`). Each is written as a circuit file before it is simplified (what a run would be), and after
simplification, which leaves `logic ops`, as BLIF and as Verilog: the gates alone, and the gates with encoder and head.
"improved" is the gates' BLIF after ABC has rewritten them and mapped them to six-input tables. Then one gate of the
simplified circuit is inverted, and the same files are refuted. Seconds are processor time, foreign tools included: other
work on the machine shares its cores; wall-clock time is given beside it.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from pathlib import Path

from circuit_scale import cpu_seconds, layered, machine
from gatewright.circuit import Circuit, save_circuit, simplify
from gatewright.formats import export
from gatewright.runtime.abc import run_abc
from gatewright.verification import verify


def write(circuit: Circuit, folder: Path) -> dict[str, Path]:
    """The exports to compare with, by what they are."""
    folder.mkdir()
    files = {}
    for kind in ("blif", "verilog"):
        files[f"{kind}, gates"] = export(circuit, kind, folder, name="gates", encoder=False, head=False)[0]
        files[f"{kind}, whole"] = export(circuit, kind, folder, name="whole", encoder=True, head=True)[0]
    assert run_abc("read gates.blif; strash; dc2; if -K 6; write_blif improved.blif", folder, 600) is not None
    return {**files, "blif, improved": folder / "improved.blif"}


def measure(n_gates: int) -> list[dict[str, object]]:
    """A row for each export of a network."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = layered(n_gates, 5, "logic")
        small = simplify(raw)
        save_circuit(raw, folder / "raw.gw")
        gate = small.gate.copy()
        gate[len(gate) // 2] ^= 15
        good, bad = write(small, folder / "good"), write(small.replace(gate=gate), folder / "bad")
        for kind, path in good.items():
            start, wall = cpu_seconds(), time.perf_counter()
            proof = verify(folder / "raw.gw", path, timeout=1200)
            row = {"gates": n_gates, "logic ops": small.n_gates, "file": kind, "equal": proof.equal}
            row |= {"method": proof.method, "cpu s": round(cpu_seconds() - start, 1)}
            row |= {"wall s": round(time.perf_counter() - wall, 1), "of which proof, wall s": round(proof.seconds, 1)}
            start = cpu_seconds()
            refuted = verify(folder / "raw.gw", bad[kind], timeout=1200)
            row |= {
                "one gate changed, equal": refuted.equal,
                "one gate changed, cpu s": round(cpu_seconds() - start, 1),
            }
            rows.append({**row, "machine load": round(os.getloadavg()[0], 1)})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gates", type=int, nargs="*", default=[5_000, 50_000, 100_000])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [row for n_gates in options.gates for row in measure(n_gates)]
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    if options.json:
        result = {"machine": machine(), "peak MiB of this process": peak, "rows": rows}
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
