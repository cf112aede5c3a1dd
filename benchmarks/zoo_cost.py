"""Count every circuit of the zoo with encoder and head: two-input gates, NANDs with inverters, six-input tables.

python benchmarks/zoo_cost.py [NAME ...] [--timeout SECONDS]   # writes zoo_cost.json beside itself

What is already measured for the same circuit file is kept, so a stopped run resumes. A figure whose tool ran out of time is
null. Segmentation circuits have no gate-level head, so only two-input gates are counted.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import gatewright as gw
from gatewright import zoo
from gatewright.circuit import Circuit
from gatewright.errors import ToolError, UnsupportedError
from gatewright.hardware.currencies import lut6_complete, nand_inv

FILE = Path(__file__).with_suffix(".json")


def attempt(count: Callable[..., int], circuit: Circuit, timeout: float) -> int | None:
    """A count, or None where the tool took too long or the circuit has no gate-level form."""
    try:
        return count(circuit, timeout=timeout)
    except (ToolError, UnsupportedError) as error:
        print(f"    {error}")
        return None


def measure(name: str, timeout: float) -> dict[str, object]:
    """All counts of one circuit."""
    card = zoo.card(name)
    circuit = zoo.load_circuit(name)
    cost = gw.cost(circuit)
    begin = time.perf_counter()
    return {
        "sha256": card.sha256,
        "version": gw.__version__,
        "data": card.data.name,
        "test": card.measured.test,
        "logic_ops": cost.logic_ops,
        "total_ops": cost.total_ops,
        "encoder_ops": cost.encoder_ops,
        "head_ops": cost.head_ops,
        "total_depth": cost.total_depth,
        "nand_inv": attempt(nand_inv, circuit, timeout),
        "lut6": attempt(lut6_complete, circuit, timeout),
        "seconds": round(time.perf_counter() - begin, 1),
    }


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=zoo.names())
    parser.add_argument("--timeout", type=float, default=1800.0)
    options = parser.parse_args()
    rows = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in sorted(options.names, key=lambda each: zoo.card(each).bytes):
        if rows.get(name, {}).get("sha256") == zoo.card(name).sha256:
            continue
        rows[name] = measure(name, options.timeout)
        FILE.write_text(json.dumps(dict(sorted(rows.items())), indent=1) + "\n")
        print(name, rows[name], flush=True)


if __name__ == "__main__":
    main()
