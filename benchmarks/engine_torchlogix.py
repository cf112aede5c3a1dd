"""The compiled C of torchlogix on a given network: a child of benchmarks/engine.py, run by a Python that has torchlogix.

Usage: python benchmarks/engine_torchlogix.py NETWORK.npz SECONDS

The file holds `gate`, `a`, `b`, `outputs`, `group`, `n_inputs`, `bits` (bool [n, n_inputs], n a multiple of 64) and
`counts` (int64 [n, classes]), which the compiled code must reproduce. Prints 10^6 samples/s from Booleans to classes and
the seconds of compiling for each level of optimisation, as JSON.
"""

import json
import statistics
import sys
import time

import numpy as np
from torchlogix.circuit import LUT_ID_TO_GATE, Circuit, Gate, SumReduction


def main() -> None:
    data, seconds = np.load(sys.argv[1]), float(sys.argv[2])
    n_inputs, group, outputs = int(data["n_inputs"]), data["group"], data["outputs"]
    circuit = Circuit(n_inputs=n_inputs, input_shape=[n_inputs])
    for i, (gate, a, b) in enumerate(zip(data["gate"].tolist(), data["a"].tolist(), data["b"].tolist(), strict=True)):
        circuit.gates.append(Gate(n_inputs + i, LUT_ID_TO_GATE[gate][0], a, b))
    first = n_inputs + len(circuit.gates)
    for k in range(int(group.max()) + 1):
        circuit.sum_nodes.append(SumReduction(first + k, outputs[group == k].tolist()))
    circuit.outputs = [node.node_id for node in circuit.sum_nodes]
    circuit.output_shape = [len(circuit.outputs)]
    bits, row = data["bits"], {}
    for level in (1, 3):
        start = time.perf_counter()
        circuit.compile(opt_level=level, pack_bits=64)
        row[f"compile seconds, -O{level}"] = round(time.perf_counter() - start, 2)
        if not np.array_equal(circuit(bits, use_compiled=True), data["counts"]):
            raise SystemExit("torchlogix computes other counts: the networks are not the same")
        times = []
        while len(times) < 5 or sum(times) < seconds:
            start = time.thread_time()  # the clock of the engine's own figures
            circuit(bits, use_compiled=True).argmax(axis=1)
            times.append(time.thread_time() - start)
        row[f"Booleans to classes, -O{level}"] = round(len(bits) / statistics.median(times) / 1e6, 3)
    print(json.dumps(row))


if __name__ == "__main__":
    main()
