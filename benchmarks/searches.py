"""Keep what a search found: its front, its winner, how long it took; and what our presets reach on the same validation.

python benchmarks/searches.py FOLDER ...           # adds to searches.json beside itself, by the folder's name
python benchmarks/searches.py --presets NAME ...   # trains presets with samples held out; resumes from runs/searches

The folders are those of `gatewright search DATA --max-... --time ... --out FOLDER`. Presets that learn from all samples
have no validation; here a tenth is held out of them, as a search does, seed 11.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from gatewright.runs.results import Results
from gatewright.runs.sweep import jobs, measure
from gatewright.runtime.machine import machine

FILE = Path(__file__).with_suffix(".json")
RUNS = Path("runs/searches")


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


def held_out(preset: str) -> dict[str, object]:
    """A preset's accuracy on samples that are held out of it."""
    (job,) = jobs([preset], [11], ["data.validation=holdout"])
    made = measure(job, RUNS, progress=True)
    if made is None:
        raise SystemExit(f"another process trains {preset}")
    entry = made[0]
    keep = ("seed", "validation", "total_ops", "steps", "train_seconds", "machine")
    return {key: getattr(entry, key) for key in keep}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--presets", nargs="*", default=[])
    options = parser.parse_args()
    for folder in options.folders:
        _keep("searches", folder.name, summary(folder))
    for name in options.presets:
        _keep("presets", name, held_out(name))


def _keep(kind: str, name: str, found: dict[str, object]) -> None:
    results = json.loads(FILE.read_text()) if FILE.exists() else {"searches": {}, "presets": {}}
    results[kind][name] = found
    FILE.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
