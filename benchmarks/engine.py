"""Engine: gate-samples a second, and images a second from pixels and from packed bits, on one core.

Usage: python benchmarks/engine.py [--gates 5000 50000 300000] [--seconds 1.0] [--json FILE]

The networks are random and layered like trained ones (every operand from the layer before, all two-input gates), so
that anybody can repeat the run without training; speed does not depend on the data or on what the gates compute. The
"mnist" row has 784 pixels, one threshold each, and three layers with ten classes: about 5,000 gates and 1,700 outputs.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import llvmlite.binding
import numba
import numpy as np

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.engine import Engine
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


def timed(work: Callable[[], object], seconds: float) -> float:
    """Median seconds of a call, over at least 5 calls and about this long."""
    work()
    times = []
    while len(times) < 5 or sum(times) < seconds:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def gates_only(n_gates: int, seconds: float) -> dict[str, float]:
    """10^12 gate-samples a second for each size of block, the gates alone."""
    width = max(200, int(n_gates**0.5 * 30))
    circuit = layered([width] * (n_gates // width), max(100, width // 2))
    row = {"gates": circuit.n_gates}
    for block in (None, *BLOCKS):
        start = time.perf_counter()
        pipeline = Pipeline(circuit, None, block)
        plan_seconds = time.perf_counter() - start
        row["live"], row["slots"] = len(pipeline.plan.program), pipeline.plan.n_slots
        slots, _ = pipeline.scratch()
        repeats = max(1, int(2e9 / (row["live"] * pipeline.block)))
        arguments = (repeats, pipeline.block // 64, slots, pipeline.plan.program, pipeline.plan.runs)
        took = timed(lambda arguments=arguments: evaluate_gates(*arguments), seconds)
        row[f"T at {block or 'auto'}"] = round(row["live"] * pipeline.block * repeats / took / 1e12, 3)
        row["plan seconds"] = round(plan_seconds, 3)
    return row


def mnist(seconds: float, threads: int) -> dict[str, float]:
    """Images a second from pixels and from packed bits to classes."""
    encoder = Encoder(np.arange(784), np.full(784, 64.0), (1, 28, 28), "uint8")
    circuit = layered([1700] * 3, 784, encoder=encoder, classes=10)
    n = 60_000
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (n, 1, 28, 28), dtype=np.uint8)
    bits = rng.integers(0, 2**63, (784, -(-n // 64)), dtype=np.uint64)
    engine = Engine(circuit, threads=threads)
    row = {"gates": circuit.n_gates, "outputs": circuit.n_outputs, "images": n, "threads": threads}
    for name, work in (
        ("pixels to classes", lambda: engine.predict(x)),
        ("pixels to scores", lambda: engine.scores(x)),
        ("packed bits to classes", lambda: engine.predict_bits(bits, n)),
        ("one image, microseconds", lambda: engine.predict(x[:1])),
    ):
        took = timed(work, seconds)
        row[name] = round(took * 1e6, 1) if "micro" in name else round(n / took / 1e6, 3)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gates", type=int, nargs="*", default=[5_000, 50_000, 300_000])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "llvm target": llvmlite.binding.get_host_cpu_name(),
            "python": platform.python_version(),
            "numba": numba.__version__,
        },
        "gates only, 10^12 gate-samples/s, one core": [gates_only(n, options.seconds) for n in options.gates],
        "mnist, 10^6 images/s": [mnist(options.seconds, threads) for threads in (1, 2)],
    }
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
