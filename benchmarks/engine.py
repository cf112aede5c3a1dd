"""Engine: gate-samples a second, and images a second from pixels and from packed bits, on one core.

Usage: python benchmarks/engine.py [--gates 5000 50000 300000] [--seconds 1.0] [--torchlogix PYTHON] [--json FILE]

The networks are random and layered like trained ones (every operand from the layer before, all two-input gates), so
that anybody can repeat the run without training; speed does not depend on the data or on what the gates compute. The
"mnist" row has 784 pixels, one threshold each, and three layers with ten classes: about 5,000 gates and 1,700 outputs.
"First call" is the time of a new process from importing the engine to its first classes, with no compiled code cached
("cold") and with all of it ("warm").

`--torchlogix` names a Python that has torchlogix (and gcc), to run its compiled C on the same network; an environment of
its own does. difflogic is not compared: its package does not install without a CUDA compiler.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.circuit.io import save_circuit
from gatewright.engine import Engine, PackedBits
from gatewright.engine.kernels import evaluate_gates
from gatewright.engine.pipeline import BLOCKS, Pipeline
from gatewright.gates import IS_LOGIC


def layered(
    layers: Sequence[int], n_inputs: int, *, encoder: Encoder | None = None, classes: int = 0, seed: int = 0
) -> Circuit:
    """A random network of these layer widths, every value of a layer read by the next one where it can."""
    rng = np.random.default_rng(seed)
    gate, a, b = [], [], []
    previous, node = np.arange(n_inputs), n_inputs
    for width in layers:
        gate.append(rng.choice(np.flatnonzero(IS_LOGIC), width))
        a.append(rng.permutation(np.resize(previous, width)))
        b.append(rng.choice(previous, width))
        previous = np.arange(node, node + width)
        node += width
    head = Head(np.arange(len(previous)) % classes, np.zeros(classes)) if classes else None
    return Circuit(n_inputs, np.concatenate(gate), np.concatenate(a), np.concatenate(b), previous, encoder, head)


def timed(
    works: Mapping[str, Callable[[], object]], seconds: float, clock: Callable[[], float] = time.thread_time
) -> dict[str, tuple[float, float]]:
    """Median and least seconds of a call of each of several works, which take turns, at least 5, for about this long each.

    By default the clock is this thread's processor time, so that other processes disturb one-core figures little; taking
    turns spreads what disturbance remains over all works.
    """
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    while len(next(iter(times.values()))) < 5 or sum(map(sum, times.values())) < seconds * len(works):
        for name, work in works.items():
            start = clock()
            work()
            times[name].append(clock() - start)
    return {name: (statistics.median(taken), min(taken)) for name, taken in times.items()}


def gates_only(sizes: Sequence[int], seconds: float) -> list[dict[str, float]]:
    """10^12 gate-samples a second for each size of network and of block, the gates alone."""
    rows, works, done = [], {}, {}
    for n_gates in sizes:
        width = max(200, int(n_gates**0.5 * 30))
        circuit = layered([width] * (n_gates // width), max(100, width // 2))
        row: dict[str, float] = {"gates": circuit.n_gates}
        rows.append(row)
        for block in (None, *BLOCKS):
            start = time.perf_counter()
            pipeline = Pipeline(circuit, None, block)
            row["plan seconds"] = round(time.perf_counter() - start, 3)
            row["live"], row["slots"] = len(pipeline.plan.program), pipeline.plan.n_slots
            slots, _ = pipeline.scratch()
            repeats = max(1, int(4e9 / (row["live"] * pipeline.block)))
            arguments = (repeats, pipeline.block // 64, slots, pipeline.plan.program, pipeline.plan.runs)
            name = (len(rows) - 1, block or "auto")
            works[name] = partial(evaluate_gates, *arguments)
            done[name] = row["live"] * pipeline.block * repeats / 1e12
    for (row, block), (took, least) in timed(works, seconds).items():
        rows[row][f"T at {block}"] = round(done[row, block] / took, 3)
        rows[row][f"best T at {block}"] = round(done[row, block] / least, 3)
    return rows


def mnist_network() -> Circuit:
    """784 pixels, one threshold each, 5,100 gates, ten classes."""
    encoder = Encoder(np.arange(784), np.full(784, 64.0), (1, 28, 28), "uint8")
    return layered([1700] * 3, 784, encoder=encoder, classes=10)


def mnist(seconds: float, threads: int) -> dict[str, float]:
    """Images a second from pixels, Booleans and packed bits to classes."""
    circuit = mnist_network()
    n = 60_000
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (n, 1, 28, 28), dtype=np.uint8)
    booleans = x.reshape(n, 784) >= 64
    bits = PackedBits(rng.integers(0, 2**63, (784, -(-n // 64)), dtype=np.uint64), n)
    engine = Engine(circuit, threads=threads)
    without_encoder = Engine(circuit.replace(encoder=None), threads=threads)
    row = {"gates": circuit.n_gates, "outputs": circuit.n_outputs, "images": n, "threads": threads}
    works = {
        "pixels to classes": lambda: engine.predict(x),
        "pixels to scores": lambda: engine.scores(x),
        "Booleans to classes": lambda: without_encoder.predict(booleans),
        "packed bits to classes": lambda: engine.predict(bits),
    }
    alone = {"one image, microseconds": lambda: engine.predict(x[:1])}  # after nothing else: its data is in the caches
    clock = time.thread_time if threads == 1 else time.perf_counter
    for name, (took, least) in (timed(works, seconds, clock) | timed(alone, seconds, clock)).items():
        for label, t in ((name, took), (f"best {name}", least)):
            row[label] = round(t * 1e6, 1) if "micro" in name else round(n / t / 1e6, 3)
    return row


def first_call() -> dict[str, float]:
    """Seconds from importing the engine to the first classes in a new process, without and with compiled code on disk."""
    code = """
import sys, time, numpy
start = time.perf_counter()
from gatewright.circuit.io import load_circuit
from gatewright.engine import Engine, PackedBits
Engine(load_circuit(sys.argv[1])).predict(numpy.zeros((64, 1, 28, 28), numpy.uint8))
print(time.perf_counter() - start)
"""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.gw"
        save_circuit(mnist_network(), file)
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", code, str(file)]
        took = [float(subprocess.check_output(command, env=environment)) for _ in range(4)]
    return {"cold": round(took[0], 2), "warm": round(statistics.median(took[1:]), 2)}


def torchlogix(python: str, seconds: float) -> dict[str, float]:
    """What `engine_torchlogix.py` reports on the network of `mnist`."""
    circuit = mnist_network()
    bits = np.random.default_rng(0).random((6400, 784)) < 0.5
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.npz"
        arrays = {name: getattr(circuit, name) for name in ("gate", "a", "b", "outputs", "n_inputs")}
        counts = Engine(circuit.replace(encoder=None)).counts(bits)
        np.savez(file, **arrays, group=circuit.head.group, bits=bits, counts=counts)
        child = Path(__file__).with_name("engine_torchlogix.py")
        return json.loads(subprocess.check_output([python, str(child), str(file), str(seconds)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=int, nargs="*", default=[5_000, 50_000, 300_000])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--torchlogix", metavar="PYTHON")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "llvm target": llvmlite.binding.get_host_cpu_name(),
            "python": platform.python_version(),
            "numba": numba.__version__,
            "cores": os.cpu_count(),
            "load average before": round(os.getloadavg()[0], 2),
        },
        "gates only, 10^12 gate-samples/s, one core": gates_only(options.gates, options.seconds),
        "first call, seconds": first_call(),
        "mnist, 10^6 images/s": [mnist(options.seconds, threads) for threads in (1, 2)],
    }
    if options.torchlogix:
        result["torchlogix, 10^6 samples/s, one core"] = torchlogix(options.torchlogix, options.seconds)
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
