"""Keep what a search found: its front, its winner, and how long it took.

python benchmarks/searches.py FOLDER ...     # adds to searches.json beside itself, by the folder's name

The folders are those of `gatewright search DATA --max-... --time ... --out FOLDER`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

from gatewright.runs.results import Results
from gatewright.runtime.machine import machine

FILE = Path(__file__).with_suffix(".json")


def summary(folder: Path) -> dict[str, object]:
    """The search's figures without its weights and paths; accuracies of all seeds."""
    found = json.loads((folder / "search.json").read_text())
    front = json.loads((folder / "front.json").read_text())
    seeds = [
        {"seed": entry.seed, "validation": entry.validation, "test": entry.test, "total_ops": entry.total_ops}
        for entry in Results(folder / "results.json").entries()
    ]
    keep = ("trial", "pruned", "validation", "test", "test_mean", "figures", "pruned_down", "seconds")
    return {
        "data": front["data"],
        "limits": front["limits"],
        "winner": {key: found[key] for key in keep} | {"preset": (folder / "preset.yaml").read_text()},
        "seeds": seeds,
        "trials": front["trials"],
        "machine": machine(torch.device("cpu")),
    }


def main() -> None:
    """Command line."""
    results = json.loads(FILE.read_text()) if FILE.exists() else {}
    for folder in map(Path, sys.argv[1:]):
        results[folder.name] = summary(folder)
    FILE.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
