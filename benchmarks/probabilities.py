"""Measure what `GatewrightClassifier` makes of probabilities and of rare classes.

python benchmarks/probabilities.py   # writes probabilities.json beside itself; needs gatewright[sklearn] and Adult

Calibration: log loss and expected calibration error (ten bins of the greatest probability) on three tenths of the rows,
with the temperature of the rule and with the one that `fit` fits to held-out rows; three seeds. Rare: two columns of five
give away 2 % of 3,000 rows, if not for sure; recall, balanced accuracy and accuracy on 3,000 fresh rows, with and without
balanced weights; three seeds.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score
from sklearn.model_selection import train_test_split

import gatewright as gw
from gatewright.nn import default_tau
from gatewright.runtime.machine import machine
from gatewright.sklearn import GatewrightClassifier

FILE = Path(__file__).with_suffix(".json")
SEEDS = range(3)
ADULT_ROWS = 12_000
TABLES = {"breast cancer": 40, "digits": 500, "wine": 40, "adult": 40}
"""Widths by table."""


def table(name: str) -> tuple[Any, Any]:
    """Rows and classes."""
    if name == "adult":
        train = gw.load_dataset("adult").train
        return train.x[:ADULT_ROWS], train.y[:ADULT_ROWS]
    loaders = {"breast cancer": load_breast_cancer, "digits": load_digits, "wine": load_wine}
    x, y = loaders[name](return_X_y=True)
    return x.astype(np.float32), y


def quality(engine: gw.Engine, x: Any, y: Any) -> tuple[float, float]:
    """Log loss and calibration error."""
    shares = engine.predict_proba(engine.circuit.encoder.samples(x)).astype(np.float64)
    loss = float(-np.log(shares[np.arange(len(y)), y]).mean())
    sure, right = shares.max(axis=1), shares.argmax(axis=1) == y
    bins = np.minimum((10 * sure).astype(int), 9)
    gaps = [abs(sure[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return loss, float(sum(gaps))


def calibration(name: str, width: int, seed: int) -> dict[str, Any]:
    """One table, one seed."""
    x, y = table(name)
    x, x_test, y, y_test = train_test_split(x, y, stratify=y, test_size=0.3, random_state=seed)
    model = GatewrightClassifier(width=width, steps=1000, random_state=seed).fit(x, y)
    head = model.circuit_.head
    rule = default_tau(-(-width // head.n_classes))
    before = quality(gw.Engine(model.circuit_.replace(head=replace(head, tau=rule))), x_test, y_test)
    after = quality(gw.Engine(model.circuit_), x_test, y_test)
    row = {"calibration": name, "seed": seed, "tau_by_rule": rule, "tau": head.tau}
    return row | {"log_loss_by_rule": before[0], "log_loss": after[0], "ece_by_rule": before[1], "ece": after[1]}


def rare_rows(seed: int) -> tuple[Any, Any]:
    """3,000 rows of which 2 % are true."""
    rng = np.random.default_rng(seed)
    y = rng.random(3000) < 0.02
    x = rng.normal(size=(3000, 5))
    x[:, 0] += 1.5 * y
    x[:, 1] -= 1.5 * y
    return x, y


def rare(weight: str | None, seed: int) -> dict[str, Any]:
    """One seed."""
    (x, y), (fresh, truth) = rare_rows(2 * seed), rare_rows(2 * seed + 1)
    model = GatewrightClassifier(width=40, steps=600, class_weight=weight, random_state=seed).fit(x, y)
    found = model.predict(fresh)
    return {
        "rare": str(weight),
        "seed": seed,
        "recall": float(recall_score(truth, found)),
        "balanced_accuracy": float(balanced_accuracy_score(truth, found)),
        "accuracy": float(accuracy_score(truth, found)),
    }


def main() -> None:
    """Measure everything."""
    rows = [rare(weight, seed) for weight in (None, "balanced") for seed in SEEDS]
    rows += [calibration(name, width, seed) for name, width in TABLES.items() for seed in SEEDS]
    for key in ("rare", "calibration"):
        for name in dict.fromkeys(row[key] for row in rows if key in row):
            own = [row for row in rows if row.get(key) == name]
            figures = [figure for figure in own[0] if figure not in {key, "seed"}]
            print(name, {f: f"{np.mean([r[f] for r in own]):.4f} ± {np.std([r[f] for r in own]):.4f}" for f in figures})
    FILE.write_text(
        json.dumps({"machine": machine(torch.device("cpu")), "rows": rows}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
