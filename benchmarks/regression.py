"""Measure `GatewrightRegressor` beside scikit-learn's regressors, in five folds.

python benchmarks/regression.py   # writes regression.json beside itself; needs gatewright[sklearn] and gcc
python benchmarks/regression.py --folds 3 4 --json part.json   # folds 3 and 4 alone
python benchmarks/regression.py --join part*.json              # puts parts together

`diabetes` is scikit-learn's (442 rows). `houses` is generated (8,000 rows of 8 columns): places around cities, incomes with
a heavy tail, values that depend on both and on the distance to a coast, and are cut off above, as those of the California
houses are. Each fold's circuit is exported to C, compiled by gcc, and run on the fold's test rows, which it never saw: the
numbers must be those of `predict` to the last bit.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import gatewright as gw
from gatewright.runtime.machine import machine
from gatewright.sklearn import GatewrightRegressor

FILE = Path(__file__).with_suffix(".json")
FOLDS = 5
MOST_VALUE = 6.0
"""Greatest value of a house."""


def houses(n: int = 8000, seed: int = 0) -> tuple[Any, Any]:
    """Features float32 [n, 8] and values float64 [n] of generated houses."""
    rng = np.random.default_rng(seed)
    cities, sizes = rng.uniform([0, 0], [10, 10], (6, 2)), rng.lognormal(0, 0.6, 6)
    around = cities[rng.integers(0, 6, n)] + rng.normal(0, 0.7, (n, 2))
    place = np.where(rng.random((n, 1)) < 0.7, around, rng.uniform(0, 10, (n, 2)))
    distance = np.sqrt(((place[:, None] - cities) ** 2).sum(-1))
    near = (sizes * np.exp(-distance / 1.2)).sum(1)
    coast = np.abs(place[:, 0] - 2 - np.sin(place[:, 1]))
    income = rng.lognormal(1.2 + 0.125 * near / near.std(), 0.45, n)
    age = np.clip(rng.normal(28, 13, n), 1, 52).round()
    rooms = rng.gamma(12, 0.45, n) * (1 + 0.05 * income)
    bedrooms = rooms * rng.beta(20, 80, n)
    people = rng.lognormal(7, 0.8, n).round()
    occupancy = rng.lognormal(1.05, 0.25, n)
    worth = 0.42 * income + 0.5 * near * np.log1p(income) - 0.18 * np.minimum(coast, 5)
    worth += 0.012 * age * (near > near.mean()) + 0.25 * np.sqrt(rooms / occupancy) - 0.3 * (occupancy > 4)
    value = np.minimum(np.exp(0.35 * worth) * rng.lognormal(0, 0.2, n), MOST_VALUE)
    columns = [income, age, rooms, bedrooms, people, occupancy, place[:, 1], place[:, 0]]
    return np.column_stack(columns).astype(np.float32), value


def in_c(model: Any, x: Any) -> Any:
    """What the exported C program prints for rows."""
    with tempfile.TemporaryDirectory() as folder:
        gw.export(model.circuit_, "c", folder, name="number", driver=True)
        files = ["number.c", "number_main.c"]
        subprocess.run(["gcc", "-std=c99", "-O1", *files, "-o", "number"], cwd=folder, check=True)
        features = model.circuit_.encoder.samples(x.astype(np.float32))
        run = subprocess.run([f"{folder}/number"], input=features.tobytes(), capture_output=True, check=True)
    return np.array(run.stdout.split()[::2]).astype(float)


def measure(data: str, x: Any, y: Any, fold: int, train: Any, test: Any) -> list[dict[str, Any]]:
    """All regressors on one fold."""
    models = {
        "gatewright": GatewrightRegressor(random_state=fold),
        "ridge": make_pipeline(StandardScaler(), Ridge()),
        "random forest": RandomForestRegressor(random_state=fold),
        "hist gradient boosting": HistGradientBoostingRegressor(random_state=fold),
    }
    rows = []
    for name, model in models.items():
        start = time.perf_counter()
        model.fit(x[train], y[train])
        seconds = time.perf_counter() - start
        predicted = model.predict(x[test])
        row = {"data": data, "fold": fold, "model": name, "r2": r2_score(y[test], predicted), "fit_seconds": seconds}
        if isinstance(model, GatewrightRegressor):
            cost = gw.cost(model.circuit_)
            row |= {"width": model.width_, "logic_ops": cost.logic_ops, "total_ops": cost.total_ops}
            row |= {"encoder_ops": cost.encoder_ops, "c_exact": bool((in_c(model, x[test]) == predicted).all())}
        rows.append(row)
        print(row, flush=True)
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print means and deviations over folds."""
    for data in dict.fromkeys(row["data"] for row in rows):
        for name in dict.fromkeys(row["model"] for row in rows):
            found = [row for row in rows if row["data"] == data and row["model"] == name]
            r2 = [row["r2"] for row in found]
            ops = (
                f", {np.median([row['total_ops'] for row in found]):,.0f} total ops" if "total_ops" in found[0] else ""
            )
            print(f"{data}: {name} {np.mean(r2):.3f} ± {np.std(r2):.3f}, {len(r2)} folds{ops}")


def main() -> None:
    """Measure everything, or put parts together."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folds", type=int, nargs="+", default=range(FOLDS))
    parser.add_argument("--json", type=Path, default=FILE)
    parser.add_argument("--join", type=Path, nargs="+", default=[])
    given = parser.parse_args()
    rows = [row for path in given.join for row in json.loads(path.read_text(encoding="utf-8"))["rows"]]
    given_data = {} if given.join else {"diabetes": load_diabetes(return_X_y=True), "houses": houses()}
    for data, (x, y) in given_data.items():
        for fold, (train, test) in enumerate(KFold(FOLDS, shuffle=True, random_state=0).split(x)):
            if fold in given.folds:
                rows += measure(data, x, y, fold, train, test)
    rows.sort(key=lambda row: (row["data"], row["model"], row["fold"]))
    show(rows)
    content = {"machine": machine(torch.device("cpu")), "rows": rows}
    given.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
