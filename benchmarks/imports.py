"""Imports held against the libraries themselves, and how long large ones take.

PYTHONPATH=tests:LIBS python benchmarks/imports.py [LIBRARY ...]      # writes imports.json beside itself

For each library: random networks, trained briefly where that is quick, against the library's own evaluation of random
samples. Votes and logic networks must agree on every sample, ties included. Boosting adds fractions, so its circuits round
leaf values to 10 bits: what is compared is the forest that was read (its scores in float64) with the library's, and the
circuit's decisions are counted apart. `size`: a state dict as difflogic writes it, of 8 layers of 64,000 gates.

Libraries that are missing are left out; pip installs xgboost and lightgbm. LIBS holds the Python files of the others:
benchmarks/rivals.py says how to have difflogic and torchlogix; of torch_dwn, CompactLogic and silogic their folders are
enough, with empty `convlogic_cuda.py`, `difflogic_cuda.py` and (for silogic's data) `torchvision/transforms/v2.py`.
The kernels that torch_dwn and CompactLogic have for GPUs alone are those of tests/support/gpu_kernels.py, which give no
gradients: their networks are random.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import gatewright as gw
from gatewright.circuit.evaluate import counts
from gatewright.foreign.lightgbm_json import from_lightgbm
from gatewright.foreign.xgboost_json import from_xgboost
from gatewright.runtime.machine import machine
from support.gpu_kernels import state_compactlogic, state_torch_dwn

FILE = Path(__file__).with_suffix(".json")
NETWORKS, SAMPLES = 20, 2000


def bits(rng: np.random.Generator, n: int, width: int) -> Any:
    return torch.from_numpy(rng.random((n, width)) < 0.5).float()


Build = Callable[[int, int, int], nn.Module]
"""A layer from a seed, its number of inputs and its number of neurons."""


def forward(model: nn.Module, x: Any) -> Any:
    return model.eval()(x)


def logic(
    build: Build, count: nn.Module, *, run: Callable[[nn.Module, Any], Any] = forward, steps: int = 5
) -> Iterator[tuple[int, int]]:
    """Samples compared, and samples with other scores, of each network: dense layers and a group sum of 3 and tau 2.

    Every second network is trained for so many steps; `run` gives its own scores.
    """
    for seed in range(NETWORKS):
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        widths = [int(rng.integers(20, 40)), *(3 * int(rng.integers(30, 60)) for _ in range(int(rng.integers(1, 4))))]
        model = nn.Sequential(*(build(seed, a, b) for a, b in pairwise(widths)), count)
        x, y = bits(rng, 300, widths[0]), torch.from_numpy(rng.integers(0, 3, 300))
        with contextlib.redirect_stdout(None):  # difflogic prints in each step
            optimizer = torch.optim.Adam(model.parameters(), 0.05)
            for _ in range(steps * (seed % 2)):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
            fresh = bits(rng, SAMPLES, widths[0])
            with torch.no_grad():
                wanted = np.asarray(run(model, fresh))
        circuit = gw.import_network(model)
        got = (counts(circuit, fresh.numpy() > 0) / 2.0).astype(np.float32)
        yield SAMPLES, int((got != wanted).any(1).sum())


def difflogic() -> Iterator[tuple[int, int]]:
    import difflogic as library  # noqa: PLC0415 - optional

    def layer(_seed: int, a: int, b: int) -> nn.Module:
        return library.LogicLayer(a, b, device="cpu", implementation="python")

    return logic(layer, library.GroupSum(3, tau=2.0))


def torchlogix() -> Iterator[tuple[int, int]]:
    """Parametrizations, ranks and connections in turns."""
    from torchlogix import layers as library  # noqa: PLC0415 - optional

    kinds = [("raw", 2), ("warp", 2), ("warp", 4), ("light", 2), ("light", 4)]

    def layer(seed: int, a: int, b: int) -> nn.Module:
        parametrization, rank = kinds[seed % len(kinds)]
        learned = seed // len(kinds) % 2
        return library.LogicDense(
            a,
            b,
            parametrization=parametrization,
            lut_rank=rank,
            parametrization_kwargs={"weight_init": "random"},
            connections="learnable" if learned else "fixed",
            connections_kwargs={"num_candidates": 3} if learned else {},
        )

    return logic(layer, library.GroupSum(3, tau=2.0))


def torch_dwn() -> Iterator[tuple[int, int]]:
    """Tables of 1 to 8 inputs, with fixed and learned wiring in turns."""
    import torch_dwn as library  # noqa: PLC0415 - optional

    state_torch_dwn(library, setattr)

    def layer(seed: int, a: int, b: int) -> nn.Module:
        return library.LUTLayer(a, b, 1 + seed % 8, mapping="learnable" if seed // 2 % 2 else "random")

    return logic(layer, library.GroupSum(3, tau=2.0), steps=0)


def compactlogic() -> Iterator[tuple[int, int]]:
    from compactlogic import compactlogic as library  # noqa: PLC0415 - optional

    state_compactlogic(library, setattr)

    def layer(seed: int, a: int, b: int) -> nn.Module:
        made = library.LogicLayer(a, b, num_gates=4 + 4 * (seed % 4))
        made.resample_connections(torch.arange(b // 2), threshold_high=0.2, threshold_low=0.15)
        if seed % 3 == 0:
            made.freeze()
        return made

    return logic(layer, library.GroupSum(3, tau=2.0), steps=0)


def silogic() -> Iterator[tuple[int, int]]:
    """Kinds of nodes, numbers of inputs and connectomes in turns."""
    import silogic as library  # noqa: PLC0415 - optional

    wires = ("topk", "fixed", "dense", "blocktopk")

    def layer(seed: int, a: int, b: int) -> nn.Module:
        node = library.NODES[seed % len(library.NODES)]
        return library.LogicLayer(a, b, node=node, arity=2 + seed % 5, connectome=wires[seed % len(wires)])

    def hard(model: nn.Module, x: Any) -> Any:
        for module in model:
            x = module.forward_hard(x)
        return x / 2.0

    return logic(layer, library.GroupSum(3, tau=2.0), run=hard)


def table(seed: int) -> tuple[Any, Any, Any]:
    """Training rows, labels and fresh rows, of numbers that repeat, so that samples lie on thresholds."""
    rng = np.random.default_rng(seed)
    x, fresh = (rng.integers(-8, 8, (n, 6)).astype(np.float32) / 2 for n in (400, SAMPLES))
    return x, (x[:, 0] + x[:, 1] * (x[:, 2] > 1) + rng.integers(0, 4, 400)).astype(int) % (2 + seed % 2), fresh


def scikit() -> Iterator[tuple[int, int]]:
    """Classifiers that vote."""
    from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier  # noqa: PLC0415 - optional
    from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier  # noqa: PLC0415

    for seed in range(NETWORKS):
        x, y, fresh = table(seed)
        model = [
            DecisionTreeClassifier(max_depth=6, random_state=seed),
            ExtraTreeClassifier(max_depth=6, random_state=seed),
            RandomForestClassifier(7, random_state=seed),
            ExtraTreesClassifier(7, random_state=seed),
        ][seed % 4].fit(x, y)
        yield SAMPLES, int((gw.Engine(gw.import_network(model)).predict(fresh) != model.predict(fresh)).sum())


def xgboost() -> Iterator[tuple[int, int]]:
    import xgboost as library  # noqa: PLC0415 - optional

    for seed in range(NETWORKS):
        x, y, fresh = table(seed)
        kind = {"objective": "multi:softprob", "num_class": 3} if seed % 2 else {"objective": "binary:logistic"}
        model = library.train({**kind, "max_depth": 4, "nthread": 1}, library.DMatrix(x, y), 5)
        forest = from_xgboost(json.loads(bytes(model.save_raw("json"))))
        yield SAMPLES, _other(forest, fresh, model.predict(library.DMatrix(fresh), output_margin=True))


def lightgbm() -> Iterator[tuple[int, int]]:
    import lightgbm as library  # noqa: PLC0415 - optional

    for seed in range(NETWORKS):
        x, y, fresh = table(seed)
        kind = {"objective": "multiclass", "num_class": 3} if seed % 2 else {"objective": "binary"}
        model = library.train({**kind, "num_leaves": 8, "verbose": -1, "num_threads": 1}, library.Dataset(x, y), 5)
        yield SAMPLES, _other(from_lightgbm(model.dump_model()), fresh, model.predict(fresh, raw_score=True))


def _other(forest: Any, x: Any, wanted: Any) -> int:
    scores = forest.scores(x)
    scores = scores if wanted.ndim == 2 else scores[:, 1:]
    return int((np.abs(scores - wanted.reshape(scores.shape)) > 1e-5).any(1).sum())


LIBRARIES = {
    "difflogic": difflogic,
    "torchlogix": torchlogix,
    "torch_dwn": torch_dwn,
    "compactlogic": compactlogic,
    "silogic": silogic,
    "scikit-learn": scikit,
    "xgboost": xgboost,
    "lightgbm": lightgbm,
}


FILES = {
    "difflogic": "0.1.0, its Python files",
    "torch_dwn": "1.1.1, its Python files, kernel restated",
    "compactlogic": "commit 019677a, its Python files, kernels restated",
    "silogic": "0.1.0 (commit fd05b0d), its Python files",
}
"""Versions of libraries that are not installed, but read from LIBS."""


def size() -> dict[str, Any]:
    """Seconds for a network of 512,000 gates."""
    generator = torch.Generator().manual_seed(0)
    width, state = 64_000, {}
    for layer in range(8):
        state[f"{layer}.weights"] = torch.randn(width, 16, generator=generator)
        state[f"{layer}.indices"] = torch.randint(width if layer else 784, (2, width), generator=generator)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.pt"
        torch.save(state, path)
        begin, cpu = time.perf_counter(), time.process_time()
        circuit = gw.import_network(path, classes=10, tau=30.0, inputs=784)
        read = time.process_time() - cpu
        small = gw.simplify(circuit)
        done = time.process_time() - cpu
    return {
        "gates": circuit.n_gates,
        "gates_simplified": small.n_gates,
        "read_cpu_seconds": round(read, 2),
        "with_simplification_cpu_seconds": round(done, 2),
        "with_simplification_seconds": round(time.perf_counter() - begin, 2),
        "machine": machine(torch.device("cpu")),
    }


def main() -> None:
    """Measure what was asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs="*", choices=[*LIBRARIES, "size", []])
    results = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    for name in parser.parse_args().libraries or [*LIBRARIES, "size"]:
        if name == "size":
            results[name] = size()
        elif importlib.util.find_spec(name.replace("scikit-learn", "sklearn")) is None:
            print(f"{name} is not installed; left out")
            continue
        else:
            found = list(LIBRARIES[name]())
            try:
                number = version(name)
            except PackageNotFoundError:
                number = FILES[name]
            results[name] = {
                "version": number,
                "networks": len(found),
                "samples_compared": sum(n for n, _ in found),
                "otherwise": sum(other for _, other in found),
            }
        print(name, results[name])
        FILE.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
