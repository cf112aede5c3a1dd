"""Test accuracy and cost of presets, several seeds each.

    python benchmarks/accuracy.py mnist-fast mnist-8k --seeds 11 12 13

Needs GATEWRIGHT_DATA. Weights are chosen by validation accuracy; the test split is read once per run, at its end, in full.
Rows go to `accuracy.json` beside itself, one a run; a run that is there already is not repeated. `python
benchmarks/tables.py` turns them into the README's table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from gatewright.training.load import load_preset, preset_names
from gatewright.training.run import train

RESULT = Path(__file__).parent / "accuracy.json"


def read_rows() -> list[dict[str, Any]]:
    """The rows measured so far."""
    rows: list[dict[str, Any]] = json.loads(RESULT.read_text())["rows"] if RESULT.exists() else []
    return rows


def main() -> None:
    """Run what is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="+", choices=preset_names(), metavar="PRESET")
    parser.add_argument("--seeds", nargs="+", type=int, default=[11, 12, 13])
    options = parser.parse_args()
    for seed in options.seeds:
        for preset in options.preset:
            rows = read_rows()
            if any((row["name"], row["seed"]) == (preset, seed) for row in rows):
                continue
            with tempfile.TemporaryDirectory() as folder:
                result = train(load_preset(preset, [f"train.seed={seed}"]), preset, Path(folder) / "run")
            assert result is not None
            rows.append(result.model_dump(mode="json"))
            RESULT.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
            print(preset, seed, result.test.hard, result.logic_ops, round(result.seconds, 1), flush=True)


if __name__ == "__main__":
    main()
