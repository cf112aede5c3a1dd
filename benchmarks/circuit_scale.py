"""How circuits scale: simplification, file and cost of a million gates, and proofs of simplifications.

Run `python benchmarks/circuit_scale.py`; it writes `circuit_scale.json` beside itself. Every case runs in a process of its
own, so that its peak memory is its own; compiled code comes from the cache, as it does for a user from the second run on.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gatewright.circuit import Circuit, Encoder, Head, cost, load_circuit, prove, save_circuit, simplify
from gatewright.gates import IS_LOGIC

MIB = 1024  # ru_maxrss is in KiB on Linux


def layered(n_gates: int, layers: int, kinds: str, seed: int = 0) -> Circuit:
    """A network of random gates between random nodes of the layer before, with an encoder and ten classes.

    `kinds` is "any" for all 16 gates alike (as training starts: half of the network is constants and wires) or "logic" for
    the ten that read both operands (the worst case: next to nothing can be removed).
    """
    rng = np.random.default_rng(seed)
    n_inputs, width = 4 * 784, n_gates // layers
    kind = np.flatnonzero(IS_LOGIC) if kinds == "logic" else np.arange(16)
    gate = rng.choice(kind, n_gates)
    start = n_inputs + np.arange(n_gates) // width * width - width
    size = np.full(n_gates, width)
    start[:width], size[:width] = 0, n_inputs
    a, b = (start + (rng.random(n_gates) * size).astype(int) for _ in range(2))
    constant = (gate == 0) | (gate == 15)
    a[constant] = b[constant] = 0
    outputs = np.arange(n_inputs + n_gates - width, n_inputs + n_gates)
    encoder = Encoder(np.repeat(np.arange(784), 4), np.tile([32, 96, 160, 224], 784), (1, 28, 28), "uint8")
    head = Head(np.arange(width) * 10 // width, np.zeros(10), 10.0)
    return Circuit(n_inputs, gate, a, b, outputs, encoder, head)


def measure_scale(n_gates: int, layers: int, kinds: str) -> dict[str, object]:
    """Seconds of each step, with the circuit's sizes."""
    circuit = layered(n_gates, layers, kinds)
    small = layered(1000, 4, kinds)
    cost(simplify(small))  # loads the compiled code
    start, start_cpu = time.perf_counter(), time.process_time()
    simplified, records = simplify(circuit, return_records=True)
    simplified_at, simplify_cpu = time.perf_counter(), time.process_time() - start_cpu
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "c.gw"
        save_circuit(circuit, path)
        saved_at = time.perf_counter()
        assert load_circuit(path).same_as(circuit)
        loaded_at = time.perf_counter()
        size = path.stat().st_size
    before_cost = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    cost_start, cost_start_cpu = time.perf_counter(), time.process_time()
    counted = cost(circuit)
    return {
        "gates": circuit.n_gates,
        "kinds": kinds,
        "gates_after": simplified.n_gates,
        "removed": dict(records[0].removed),
        "simplify_s": round(simplified_at - start, 3),
        "simplify_cpu_s": round(simplify_cpu, 3),
        "save_s": round(saved_at - simplified_at, 3),
        "load_s": round(loaded_at - saved_at, 3),
        "file_bytes": size,
        "peak_mib": round(before_cost),
        "cost_s": round(time.perf_counter() - cost_start, 3),
        "cost_cpu_s": round(time.process_time() - cost_start_cpu, 3),
        "logic_ops": counted.logic_ops,
        "head_ops": counted.head_ops,
        "encoder_ops": counted.encoder_ops,
        "peak_with_cost_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB),
    }


def cpu_seconds() -> float:
    """Processor time of this process and of the tools that it has run."""
    own, tools = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + tools.ru_utime + tools.ru_stime


def measure_proof(n_gates: int, layers: int, kinds: str, engine: str) -> dict[str, object]:
    """Seconds to prove a network equal to its simplification, and to refute it with one gate changed."""
    circuit = layered(n_gates, layers, kinds)
    prove(small := layered(500, 4, kinds), simplify(small), engine=engine)  # loads the compiled code
    simplified = simplify(circuit)
    start_cpu = cpu_seconds()
    proof = prove(circuit, simplified, engine=engine, timeout=300)
    proof_cpu = cpu_seconds() - start_cpu
    gate = simplified.gate.copy()
    gate[len(gate) // 2] ^= 15
    refutation = prove(circuit, simplified.replace(gate=gate), engine=engine, timeout=300)
    return {
        "gates": circuit.n_gates,
        "kinds": kinds,
        "gates_after": simplified.n_gates,
        "engine": engine,
        "equal": proof.equal,
        "method": proof.method,
        "seconds": round(proof.seconds, 2),
        "cpu_seconds": round(proof_cpu, 2),
        "changed_gate_equal": refutation.equal,
        "changed_gate_method": refutation.method,
        "changed_gate_seconds": round(refutation.seconds, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB),
    }


def machine() -> dict[str, object]:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.processor(),
    )
    packages = ("numpy", "numba", "safetensors", "python-sat", "pyosys")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in packages},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", help="run this one case and print it (JSON)")
    case = parser.parse_args().case
    if case:
        kind, *arguments = json.loads(case)
        print(json.dumps({"scale": measure_scale, "proof": measure_proof}[kind](*arguments)))
        return
    cases = [["scale", 1_000_000, layers, kinds] for kinds in ("any", "logic") for layers in (5, 20)]
    cases += [
        ["proof", n, 5, kinds, engine]
        for n in (5_000, 50_000, 300_000)
        for kinds in ("any", "logic")
        for engine in ("abc", "sat")
        if n < 300_000 or engine == "abc"
    ]
    results: dict[str, object] = {"machine": machine(), "scale": [], "proof": []}
    for one in cases:
        command = [sys.executable, __file__, "--case", json.dumps(one)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        # More processes than cores wanted to run in the last minute: the wall-clock figures are then too high.
        row = {**json.loads(done.stdout), "machine_load": round(os.getloadavg()[0], 1)}
        print(row, flush=True)
        results[one[0]].append(row)
    Path(__file__).with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
