"""Measure `GatewrightClassifier` on Adult: thresholds, widths, and what the columns are given as.

python benchmarks/tables_adult.py   # writes tables_adult.json beside itself; needs gatewright[sklearn,data]

Trained on upstream's training file, tested on all rows of its test file. `columns` are the 14 of the file, with texts and
missing values; `one-hot` are the 108 numbers of `load_dataset("adult")`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import gatewright as gw
from gatewright.data import known_files
from gatewright.runtime.machine import machine
from gatewright.sklearn import GatewrightClassifier

FILE = Path(__file__).with_suffix(".json")
NAMES = [
    *(
        "age",
        "workclass",
        "fnlwgt",
        "education",
        "education-num",
        "marital-status",
        "occupation",
        "relationship",
        "race",
    ),
    *("sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
]
SETTINGS: list[dict[str, Any]] = [
    {},
    {"width": 40},
    {"width": 100},
    {"width": 250},
    {"width": 40, "thresholds": 8},
    {"width": 1000, "thresholds": 8},
]


def columns() -> tuple[Any, Any, Any, Any]:
    """Rows and labels of training and test, as the files have them."""
    root = known_files.data_root(None)
    parts = []
    for name, skipped in (("adult.data", 0), ("adult.test", 1)):
        frame = pd.read_csv(root / "UCI" / name, names=NAMES, skipinitialspace=True, na_values="?", skiprows=skipped)
        parts += [frame.drop(columns="income"), frame.income.str.rstrip(".").to_numpy(str)]
    return parts[0], parts[1], parts[2], parts[3]


def one_hot() -> tuple[Any, Any, Any, Any]:
    """The same rows as numbers."""
    data = gw.load_dataset("adult")
    x = np.concatenate([data.train.x, data.validation.x])
    return x, np.concatenate([data.train.y, data.validation.y]), data.test.x, data.test.y


def measure(given: tuple[Any, Any, Any, Any], options: dict[str, Any], seed: int) -> dict[str, Any]:
    """One training."""
    x, y, x_test, y_test = given
    model = GatewrightClassifier(**options, random_state=seed).fit(x, y)
    cost = gw.cost(model.circuit_)
    return {
        "seed": seed,
        "chosen_width": model.width_,
        "test": model.score(x_test, y_test),
        "validation": model.validation_score_,
        "logic_ops": cost.logic_ops,
        "encoder_ops": cost.encoder_ops,
        "total_ops": cost.total_ops,
        "input_bits": model.circuit_.encoder.n_raw_bits,
    }


def main() -> None:
    """Measure everything with three seeds."""
    rows = []
    for kind, given in (("columns", columns()), ("one-hot", one_hot())):
        for options in SETTINGS if kind == "columns" else SETTINGS[:1]:
            for seed in range(3):
                rows.append({"given": kind, **options, **measure(given, options, seed)})
                print(rows[-1], flush=True)
    FILE.write_text(
        json.dumps({"machine": machine(torch.device("cpu")), "rows": rows}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
