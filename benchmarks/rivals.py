"""Networks of other libraries beside ours: trained here in small settings, imported, proven, counted with encoder and head.

python benchmarks/rivals.py [NAME ...] [--circuits DIR]      # writes rivals.json beside itself

Forests need scikit-learn. The logic networks need their libraries, each of which would build code for GPUs that training on
a CPU does not call; so unpack their Python files into one folder and put that on PYTHONPATH:

    pip download --no-deps --ignore-requires-python torchlogix==0.2.2    # a wheel: unzip it into LIBS
    cp -r DIFFLOGIC/difflogic LIBS; touch LIBS/difflogic_cuda.py           # DIFFLOGIC: its repository, version 0.1.0
    PYTHONPATH=LIBS python benchmarks/rivals.py

On Python 3.11, remove `from .circuit import Circuit` from torchlogix/__init__.py: that module alone needs 3.12. Rows whose
library is missing are left out.

Settings are fixed beforehand; the test split is read once per row, by the library and by the circuit. Logic networks are
trained for some minutes of one core, far shorter than in their papers (the number of steps is in the row). `ours` is the
zoo's circuit on the same data that takes no more total ops, of the preset with the best validation accuracy. What is
measured already is kept. With OMP_NUM_THREADS=1 and MALLOC_MMAP_THRESHOLD_=1000000000, training takes half the time.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
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
from gatewright.errors import GatewrightError
from gatewright.hardware.currencies import CURRENCIES
from gatewright.runs.results import Results
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


Parts = tuple[Callable[[int, int], nn.Module], Callable[[int, float], nn.Module]]
"""What makes a layer of inputs and neurons, and a group sum of classes and tau."""


def torchlogix(candidates: int = 0) -> Parts:
    """Parts of torchlogix; layers choose each input among so many candidates, or have the wiring that was drawn first."""
    from torchlogix.layers import GroupSum, LogicDense  # noqa: PLC0415 - optional

    if not candidates:
        return LogicDense, GroupSum
    learned = {"connections": "learnable", "connections_kwargs": {"num_candidates": candidates}}
    return functools.partial(LogicDense, **learned), GroupSum


def difflogic() -> Parts:
    """Parts of difflogic, on its Python path."""
    from difflogic import GroupSum, LogicLayer  # noqa: PLC0415 - optional

    return functools.partial(LogicLayer, device="cpu", implementation="python"), GroupSum


def dlgn(
    library: Callable[[], Parts], width: int, layers: int, steps: int, rate: float
) -> Callable[[Dataset], Trained]:
    """Dense networks as in "Deep Differentiable Logic Gate Networks": one bit per pixel, group sum, tau 10."""

    def train(data: Dataset) -> Trained:
        layer, group_sum = library()
        torch.manual_seed(0)
        sizes = [int(np.prod(data.shape)), *[width] * layers]
        model = nn.Sequential(
            nn.Flatten(), *[layer(a, b) for a, b in pairwise(sizes)], group_sum(len(data.class_names), 10.0)
        )
        x, y = torch.from_numpy(data.train.x > 127).float(), torch.from_numpy(data.train.y)
        optimizer = torch.optim.Adam(model.parameters(), rate)
        for _ in range(steps):
            batch = torch.randint(len(x), (100,))
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        model.eval()

        @torch.no_grad()
        def predict(samples: Any) -> Any:
            parts = torch.from_numpy(samples > 127).float().split(1000)
            return np.concatenate([np.asarray(model(part).argmax(1)) for part in parts])

        setting = f"{layers} layers of {width}, 1 bit per pixel, tau 10, {steps} steps of 100 samples, Adam {rate:g}"
        options = {"dtype": data.dtype, "thermometer": np.full((*data.shape, 1), 127.0)}
        return model, predict, options, {"setting": setting}

    return train


ROWS: dict[str, tuple[str, str, str, Callable[[Dataset], Trained]]] = {
    "mnist-tree": (
        "scikit-learn",
        "mnist",
        "one tree of 256 leaves",
        forest(DecisionTreeClassifier(max_leaf_nodes=256, random_state=0)),
    ),
    "mnist-forest-10x200": (
        "scikit-learn",
        "mnist",
        "10 trees of 200 leaves, 3 bits",
        forest(RandomForestClassifier(10, max_leaf_nodes=200, random_state=0), quantize=3),
    ),
    "mnist-forest-50x500": (
        "scikit-learn",
        "mnist",
        "50 trees of 500 leaves, 4 bits",
        forest(RandomForestClassifier(50, max_leaf_nodes=500, random_state=0), quantize=4),
    ),
    "adult-tree": (
        "scikit-learn",
        "adult",
        "one tree of 32 leaves",
        forest(DecisionTreeClassifier(max_leaf_nodes=32, random_state=0)),
    ),
    "adult-forest-10x50": (
        "scikit-learn",
        "adult",
        "10 trees of 50 leaves, 4 bits",
        forest(RandomForestClassifier(10, max_leaf_nodes=50, random_state=0), quantize=4),
    ),
    "adult-boosting-20x8": (
        "scikit-learn",
        "adult",
        "20 boosted trees of 8 leaves, 5 bits",
        forest(Boosting(max_iter=20, max_leaf_nodes=8, learning_rate=0.3, random_state=0), quantize=5),
    ),
    "adult-boosting-100x8": (
        "scikit-learn",
        "adult",
        "100 boosted trees of 8 leaves, 6 bits",
        forest(Boosting(max_iter=100, max_leaf_nodes=8, learning_rate=0.1, random_state=0), quantize=6),
    ),
    "mnist-dlgn-5x1000": ("torchlogix", "mnist", "5 layers of 1,000", dlgn(torchlogix, 1000, 5, 2000, 0.01)),
    "mnist-learned-2x2000": (
        "torchlogix",
        "mnist",
        "2 layers of 2,000, learned connections",
        dlgn(functools.partial(torchlogix, 8), 2000, 2, 2000, 0.05),
    ),
    "mnist-difflogic-4x1000": ("difflogic", "mnist", "4 layers of 1,000", dlgn(difflogic, 1000, 4, 3000, 0.01)),
}
"""Library, data set, what it is, and training of each row."""


def measure(name: str, circuits: Path | None) -> dict[str, Any]:
    """One row."""
    library, dataset, label, train = ROWS[name]
    data = gw.load_dataset(dataset)
    begin, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(None):  # difflogic prints in each step
        model, predict, options, about = train(data)
        trained, cpu = time.perf_counter(), time.process_time() - cpu
        own = np.asarray(predict(data.test.x))
    decided = time.perf_counter()
    network = gw.import_network(model, **options)
    circuit = gw.simplify(network)
    imported = time.perf_counter()
    if circuits is not None:
        gw.save_circuit(circuit, circuits / f"{name}.gw")
    proof = gw.prove(network, circuit)
    ours = gw.Engine(circuit).predict(data.test.x)
    cost = gw.cost(circuit)
    return {
        "library": library,
        "version": _version(library),
        "data": dataset,
        "label": label,
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
        "nand_inv": _mapped(circuit, "nand"),
        "lut6": _mapped(circuit, "lut6"),
        "proven": proof.equal,
        "train_seconds": round(trained - begin, 1),
        "train_cpu_seconds": round(cpu, 1),
        "import_seconds": round(imported - decided, 2),
        "machine": machine(torch.device("cpu")),
    }


def _mapped(circuit: gw.Circuit, currency: str) -> int | None:
    """A count by a foreign tool; None where it fails or takes too long."""
    try:
        return CURRENCIES[currency](circuit)
    except GatewrightError as error:
        print(f"{currency}: {error}")
        return None


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return VERSIONS[library]


VERSIONS = {"difflogic": "0.1.0"}
"""Of libraries that are no installed packages."""


def ours(data: str, total_ops: int) -> dict[str, Any] | None:
    """The zoo's circuit on the data with at most so many total ops whose preset is the most accurate on validation."""
    rows = {row.name: row for row in Results(FILE.with_name("pareto.json")).rows()}
    counted = json.loads(FILE.with_name("zoo_cost.json").read_text(encoding="utf-8"))
    able = [
        name
        for name, cost in counted.items()
        if cost["data"] == data and cost["total_ops"] <= total_ops and name in rows
    ]
    if not able:
        return None
    best = max(able, key=lambda name: rows[name].validation or 0.0)
    return {
        "preset": best,
        **{key: counted[best][key] for key in ("test", "logic_ops", "total_ops", "nand_inv", "lut6")},
    }


def main() -> None:
    """Measure what is missing, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*ROWS, []], help="rows; default: all")
    parser.add_argument("--circuits", type=Path, metavar="DIR", help="a folder to keep the circuits in")
    options = parser.parse_args()
    for name in options.names or ROWS:
        results = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
        if name not in results:
            library = ROWS[name][0]
            if importlib.util.find_spec(library.replace("scikit-learn", "sklearn")) is None:
                print(f"{name}: {library} is not installed; left out")
                continue
            row = measure(name, options.circuits)
            results = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}  # others measure, too
            results[name] = row
        results[name]["ours"] = ours(results[name]["data"], results[name]["total_ops"])
        FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        row = results[name]
        print(name, {key: row[key] for key in ("test_of_library", "test", "decided_otherwise", "total_ops", "ours")})


if __name__ == "__main__":
    main()
