"""Random circuits for property tests, and the slow, obvious evaluation that everything else is held against."""

import numpy as np
from hypothesis import strategies as st

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.circuit.simplify.rules import Rule
from gatewright.gates import TRUTH, Gate


def random_circuit(
    seed, n_inputs=20, n_gates=200, n_outputs=30, *, head=True, encoder=True, dtype="uint8", classes=None, gates=None
):
    """A random netlist over all 16 gates (or the ids in `gates`), with repeated and constant outputs now and then."""
    rng = np.random.default_rng(seed)
    gate = rng.choice(16 if gates is None else np.asarray(gates), size=n_gates).astype(np.uint8)
    if n_inputs == 0 and n_gates:
        gate[0] = rng.choice([0, 15])
    own = n_inputs + np.arange(n_gates)
    low = np.where(rng.random(n_gates) < 0.5, np.maximum(own - 30, 0), 0)
    a = low + (rng.random(n_gates) * (own - low)).astype(np.int64)
    b = low + (rng.random(n_gates) * (own - low)).astype(np.int64)
    constant = (gate == Gate.FALSE) | (gate == Gate.TRUE)
    a, b = np.where(constant, 0, a), np.where(constant, 0, b)
    n_nodes = n_inputs + n_gates
    if n_nodes == 0:
        n_outputs = 0
    outputs = rng.integers(max(0, n_nodes - 2 * n_outputs), n_nodes, size=n_outputs) if n_outputs else np.zeros(0, int)
    encoder_ = None
    if encoder and n_inputs:
        n_features = max(1, n_inputs // 2)
        threshold = {
            "bool": np.ones(n_inputs),
            "uint8": rng.integers(-1, 258, n_inputs),
            "int16": rng.integers(-40000, 40000, n_inputs),
            "int32": rng.integers(-(2**31), 2**31, n_inputs),
            "float32": rng.normal(size=n_inputs).astype(np.float32),
        }[dtype]
        encoder_ = Encoder(rng.integers(0, n_features, n_inputs), threshold, (n_features,), dtype)
    head_ = None
    if head:
        k = classes if classes is not None else int(rng.integers(1, 6))
        head_ = Head(rng.integers(0, k, n_outputs), rng.integers(-3, 4, k), float(rng.random() + 0.1))
    return Circuit(n_inputs, gate, a, b, outputs, encoder_, head_, {"seed": str(seed)})


SETS_OF_RULES = (
    Rule.NONE,
    Rule.EQUAL,
    Rule.EQUAL | Rule.ABSORB,
    Rule.SHARE,
    Rule.EQUAL | Rule.ABSORB | Rule.ENCODER,
    Rule.OUTPUTS,
    Rule.DEAD,
)
"""Each rule of simplification, with the rules that it builds on."""

circuits = st.builds(
    random_circuit,
    st.integers(0, 2**32 - 1),
    n_inputs=st.integers(0, 40),
    n_gates=st.integers(0, 150),
    n_outputs=st.integers(0, 40),
    head=st.booleans(),
    encoder=st.booleans(),
    dtype=st.sampled_from(["bool", "uint8", "int16", "int32", "float32"]),
)
"""Hypothesis strategy: small random circuits of every kind."""


def random_features(circuit, n, seed=0):
    """Raw samples [n, *shape] for the circuit's encoder, thresholds themselves included."""
    rng = np.random.default_rng(seed)
    enc = circuit.encoder
    size = (n, enc.n_features)
    if enc.dtype == "float32":
        x = rng.normal(size=size).astype(np.float32)
    elif enc.dtype == "bool":
        x = rng.random(size) < 0.5
    else:
        info = np.iinfo(enc.dtype)
        x = rng.integers(info.min, int(info.max) + 1, size=size).astype(enc.dtype)
    if enc.n_bits and enc.dtype != "bool":
        at = rng.integers(0, enc.n_bits, n)
        with np.errstate(invalid="ignore"):
            inside = np.clip(enc.threshold, *((-1e30, 1e30) if enc.dtype == "float32" else (info.min, info.max)))
        x[np.arange(n), enc.feature[at]] = inside[at].astype(enc.dtype)
    return x.reshape(n, *enc.shape)


def slow_encode(circuit, x):
    """Bool [n, n_inputs] from raw samples."""
    flat = x.reshape(len(x), circuit.encoder.n_features).astype(np.float64)
    return flat[:, circuit.encoder.feature] >= circuit.encoder.threshold


def slow_outputs(circuit, bits):
    """Bool [n, n_outputs] from Boolean inputs [n, n_inputs], gate by gate."""
    nodes = np.zeros((circuit.n_nodes, len(bits)), np.uint8)
    nodes[: circuit.n_inputs] = bits.T
    for i in range(circuit.n_gates):
        nodes[circuit.n_inputs + i] = TRUTH[circuit.gate[i]][nodes[circuit.a[i]], nodes[circuit.b[i]]]
    return nodes[circuit.outputs].T.astype(bool)


def slow_counts(circuit, bits):
    """Int64 [n, classes]: what the head counts."""
    out = slow_outputs(circuit, bits)
    counts = np.tile(circuit.head.offset, (len(bits), 1))
    for j, k in enumerate(circuit.head.group):
        counts[:, k] += out[:, j]
    return counts


def slow_classes(circuit, bits):
    """Int64 [n]: the lowest class among those with the greatest count."""
    return np.argmax(slow_counts(circuit, bits), axis=1)


TIES = Circuit(
    2, [0, 15, 12, 6], [0] * 4, [0, 0, 0, 1], [2, 3, 0, 4, 1, 5, 3], head=Head([0, 0, 1, 1, 2, 2, 2], [0, 0, -1])
)
"""Constants, an input and its inverse as outputs, in three classes with offsets: many ties over the four inputs."""
