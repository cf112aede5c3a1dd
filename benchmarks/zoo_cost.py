"""Count every circuit of the zoo with encoder and head: two-input gates, NANDs with inverters, six-input tables.

python benchmarks/zoo_cost.py [NAME ...] [--count lut6] [--timeout SECONDS]   # writes zoo_cost.json beside itself

What is already measured for the same circuit file is kept, so a stopped run resumes. A figure whose tool ran out of time is
null, and is tried again by a run with a longer time limit. NANDs that whole_cost.py has counted are taken from there.
Segmentation circuits have no gate-level head, so only two-input gates are counted.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import gatewright as gw
from gatewright import zoo
from gatewright.circuit import Circuit
from gatewright.errors import ToolError, UnsupportedError
from gatewright.hardware.currencies import CURRENCIES

FILE = Path(__file__).with_suffix(".json")

KEYS = {"nand_inv": "nand", "lut6": "lut6"}
"""The currencies that tools count, by the key of the row."""


def start(name: str, circuit: Circuit) -> dict[str, Any]:
    """What needs no tool."""
    card = zoo.card(name)
    cost = gw.cost(circuit)
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
    }


def count(row: dict[str, Any], key: str, circuit: Circuit, timeout: float) -> None:
    """Put a count into the row: None where the tool took too long or the circuit has no gate-level form."""
    row[key] = None
    begin = time.perf_counter()
    try:
        row[key] = CURRENCIES[KEYS[key]](circuit, timeout=timeout)
    except UnsupportedError as error:
        print(f"    {error}")
    except ToolError as error:
        print(f"    {error}")
        row["timeout"] = timeout
    row[f"{key}_seconds"] = round(time.perf_counter() - begin, 1)


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=zoo.names())
    parser.add_argument("--count", nargs="+", choices=list(KEYS), default=list(KEYS), help="only these currencies")
    parser.add_argument("--timeout", type=float, default=1800.0, help="seconds for each run of a tool")
    options = parser.parse_args()
    rows = json.loads(FILE.read_text()) if FILE.exists() else {}
    whole = FILE.with_name("whole_cost.json")
    mapped = {k: r for k, r in json.loads(whole.read_text()).items() if r["nand_inv"]} if whole.exists() else {}
    for name in sorted(options.names, key=lambda each: zoo.card(each).bytes):
        row = rows.get(name, {})
        same = row.get("sha256") == zoo.card(name).sha256
        again = row.get("timeout", options.timeout) < options.timeout
        missing = [key for key in options.count if not same or key not in row or (row[key] is None and again)]
        if not missing:
            continue
        circuit = zoo.load_circuit(name)
        if not same:
            row = start(name, circuit)
        for key in missing:
            if key == "nand_inv" and mapped.get(name, {}).get("sha256") == row["sha256"]:
                row[key], row[f"{key}_seconds"] = mapped[name][key], mapped[name]["seconds"]
            else:
                count(row, key, circuit, options.timeout)
            rows[name] = row
            FILE.write_text(json.dumps(dict(sorted(rows.items())), indent=1) + "\n")
            print(name, row, flush=True)


if __name__ == "__main__":
    main()
