"""Writes the files with categories of tests/data_files/foreign, by a Python that has XGBoost and LightGBM.

Usage: python tests/foreign/make_boost_files.py tests/data_files/foreign
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import lightgbm
import numpy as np
import xgboost

folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
x = np.stack([rng.integers(0, 12, 600), rng.integers(0, 256, 600), rng.integers(0, 4, 600)], 1).astype(np.float32)
y = np.isin(x[:, 0], [1, 4, 5, 10]) ^ (x[:, 1] > 90) & (x[:, 2] != 1)

# What training had not, negative numbers and fractions, too.
test = np.stack([rng.integers(-2, 16, 300), rng.integers(0, 256, 300), rng.integers(-1, 6, 300)], 1).astype(np.float32)
test[::3, [0, 2]] += rng.choice([0.25, 0.5, -0.5], (100, 2)).astype(np.float32)

kinds = ["c", "q", "c"]
xgb = xgboost.train(
    {"objective": "binary:logistic", "max_depth": 4, "nthread": 1, "max_cat_to_onehot": 5},
    xgboost.DMatrix(x, y, feature_types=kinds, enable_categorical=True),
    4,
)
xgb.save_model(folder / "xgboost-categories.json")
lgb = lightgbm.train(
    {"objective": "binary", "num_leaves": 8, "verbose": -1, "num_threads": 1, "min_data_per_group": 5, "cat_smooth": 1},
    lightgbm.Dataset(x, y, categorical_feature=[0, 2]),
    4,
)
(folder / "lightgbm-categories.json").write_text(json.dumps(lgb.dump_model()))
np.savez(
    folder / "boost-categories.npz",
    x=test,
    xgboost=xgb.predict(xgboost.DMatrix(test, feature_types=kinds, enable_categorical=True), output_margin=True),
    lightgbm=lgb.predict(test, raw_score=True),
)
