"""Networks of other libraries beside ours: trained here in small settings, imported, proven, counted with encoder and head.

python benchmarks/rivals.py [NAME ...]      # writes rivals.json beside itself

Forests need scikit-learn; logic networks need torchlogix (`pip install torchlogix`, Python 3.12) and are left out without
it. Settings are fixed beforehand; the test split is read once per row, by the library and by the circuit. Logic networks
are trained for a few minutes at most, far shorter than their papers do (the number of steps is in the row). `ours` is the
most accurate preset of pareto.json on the same data that takes no more total ops. What is measured already is kept.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier as Boosting
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import gatewright as gw
from gatewright.data import Dataset
from gatewright.runtime.machine import machine

FILE = Path(__file__).with_suffix(".json")
Trained = tuple[Any, Callable[[Any], Any], dict[str, Any], dict[str, Any]]
"""A network, its own classifier of raw samples, options of its import, and figures of its training."""


def flat(x: Any) -> Any:
    return x.reshape(len(x), -1)


def forest(model: Any, **options: Any) -> Callable[[Dataset], Trained]:
    def train(data: Dataset) -> Trained:
        model.fit(flat(data.train.x), data.train.y)
        given = {"dtype": data.dtype, "shape": data.shape, **options}
        if "quantize" in options:
            given["samples"] = (data.validation.x, data.validation.y)
        return model, lambda x: model.predict(flat(x)), given, {"setting": " ".join(str(model).split())}

    return train


def dlgn(width: int, layers: int, steps: int, tau: float) -> Callable[[Dataset], Trained]:
    """The networks of "Deep Differentiable Logic Gate Networks" on MNIST, one bit per pixel, in torchlogix."""

    def train(data: Dataset) -> Trained:
        from torchlogix.layers import FixedBinarization, GroupSum, LogicDense  # noqa: PLC0415 - optional

        torch.manual_seed(0)
        sizes = [int(np.prod(data.shape)), *[width] * layers]
        dense = [LogicDense(a, b) for a, b in pairwise(sizes)]
        model = nn.Sequential(
            FixedBinarization(torch.tensor([127.0])), nn.Flatten(), *dense, GroupSum(len(data.class_names), tau)
        )
        x, y = torch.from_numpy(flat(data.train.x)).float(), torch.from_numpy(data.train.y)
        optimizer = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(steps):
            batch = torch.randint(len(x), (100,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch].reshape(-1, *data.shape)), y[batch]).backward()
            optimizer.step()
        model.eval()

        @torch.no_grad()
        def predict(samples: Any) -> Any:
            rows = torch.from_numpy(samples).float().split(1000)
            return np.concatenate([np.asarray(model(part).argmax(1)) for part in rows])

        setting = f"{layers} layers of {width}, 1 bit per pixel, tau {tau:g}, {steps} steps of 100 samples"
        return model, predict, {"dtype": data.dtype, "shape": data.shape}, {"setting": setting}

    return train


ROWS: dict[str, tuple[str, str, Callable[[Dataset], Trained]]] = {
    "mnist-tree": ("scikit-learn", "mnist", forest(DecisionTreeClassifier(max_leaf_nodes=256, random_state=0))),
    "mnist-forest-10x200": (
        "scikit-learn", "mnist", forest(RandomForestClassifier(10, max_leaf_nodes=200, random_state=0), quantize=3)
    ),
    "mnist-forest-50x500": (
        "scikit-learn", "mnist", forest(RandomForestClassifier(50, max_leaf_nodes=500, random_state=0), quantize=4)
    ),
    "adult-tree": ("scikit-learn", "adult", forest(DecisionTreeClassifier(max_leaf_nodes=32, random_state=0))),
    "adult-forest-10x50": (
        "scikit-learn", "adult", forest(RandomForestClassifier(10, max_leaf_nodes=50, random_state=0), quantize=4)
    ),
    "adult-boosting-20x8": (
        "scikit-learn",
        "adult",
        forest(Boosting(max_iter=20, max_leaf_nodes=8, learning_rate=0.3, random_state=0), quantize=5),
    ),
    "adult-boosting-100x8": (
        "scikit-learn",
        "adult",
        forest(Boosting(max_iter=100, max_leaf_nodes=8, learning_rate=0.1, random_state=0), quantize=6),
    ),
    "mnist-dlgn-5x1000": ("torchlogix", "mnist", dlgn(1000, 5, 2000, 10.0)),
}  # fmt: skip
"""Library, data set and training of each row."""


def measure(name: str) -> dict[str, Any]:
    """One row."""
    library, dataset, train = ROWS[name]
    data = gw.load_dataset(dataset)
    begin = time.perf_counter()
    model, predict, options, about = train(data)
    trained = time.perf_counter()
    network = gw.import_network(model, **options)
    circuit = gw.simplify(network)
    imported = time.perf_counter()
    proof = gw.prove(network, circuit)
    own, ours = np.asarray(predict(data.test.x)), gw.Engine(circuit).predict(data.test.x)
    cost = gw.cost(circuit)
    return {
        "library": library,
        "version": _version(library),
        "data": dataset,
        **about,
        **{key: circuit.metadata[key] for key in ("quantized",) if key in circuit.metadata},
        "test_of_library": round(float(np.mean(own == data.test.y)), 4),
        "test": round(float(np.mean(ours == data.test.y)), 4),
        "samples_compared": len(own),
        "decided_otherwise": int(np.count_nonzero(own != ours)),
        "gates_read": network.n_gates,
        "logic_ops": cost.logic_ops,
        "encoder_ops": cost.encoder_ops,
        "head_ops": cost.head_ops,
        "total_ops": cost.total_ops,
        "proven": proof.equal,
        "train_seconds": round(trained - begin, 1),
        "import_seconds": round(imported - trained, 2),
        "machine": machine(torch.device("cpu")),
    }


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed by pip"


def ours(data: str, total_ops: int) -> dict[str, Any] | None:
    """Our most accurate measured row on the data with at most so many total ops."""
    entries = json.loads(FILE.with_name("pareto.json").read_text(encoding="utf-8"))["entries"]
    rows = [row for row in entries if row["data"] == data and row["total_ops"] and row["total_ops"] <= total_ops]
    if not rows:
        return None
    best = max(rows, key=lambda row: row["validation"])
    return {key: best[key] for key in ("preset", "seed", "test", "logic_ops", "total_ops")}


def main() -> None:
    """Measure what is missing, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*ROWS, []], help="rows; default: all")
    results = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for name in parser.parse_args().names or ROWS:
        if importlib.util.find_spec(ROWS[name][0].replace("scikit-learn", "sklearn")) is None:
            print(f"{name}: {ROWS[name][0]} is not installed; left out")
            continue
        if name not in results:
            results[name] = measure(name)
        row = results[name]
        row["ours"] = ours(row["data"], row["total_ops"])
        FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        print(name, {key: row[key] for key in ("test_of_library", "test", "decided_otherwise", "total_ops", "ours")})


if __name__ == "__main__":
    main()
