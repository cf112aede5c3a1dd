"""Remove gates that samples cannot tell from simpler ones. This loses something, so `simplify` does not contain it."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt

from gatewright.circuit.builder import Builder
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.evaluate import evaluate
from gatewright.circuit.packed import BoolArray, PackedBits
from gatewright.circuit.simplify.rewriting import PassRecord, simplify
from gatewright.errors import OptionError, ShapeError
from gatewright.gates import IS_LOGIC, Gate

_VALUES = 1 << 26
"""Node values (samples x nodes) evaluated at a time."""
_VARIES = 255


def by_samples(circuit: Circuit, bits: BoolArray, *, tolerance: float = 0.0) -> tuple[Circuit, PassRecord]:
    """Replace what looks constant, or equal (or inverse) to an earlier node, on samples; then simplify.

    On these samples every output stays as it is (with a tolerance, nearly so). On others it may change, so the result has
    to be judged on samples that took no part.

    Args:
        circuit: The circuit; it is not changed.
        bits: bool [n, n_inputs], Boolean inputs of the samples, at least one.
        tolerance: A node counts as constant if it differs from the constant on at most this share of the samples.

    Returns:
        The smaller circuit with the same inputs and encoder, and a record; its one rule is "samples".

    Raises:
        OptionError: The tolerance is not in 0 .. 0.5.
        ShapeError: There are no samples, or they have another number of inputs.
    """
    if not 0 <= tolerance < 0.5:
        raise OptionError(f"tolerance is {tolerance!r}, expected a share of the samples, at least 0 and less than 0.5")
    if bits.ndim != 2 or bits.shape[1] != circuit.n_inputs or len(bits) == 0:
        raise ShapeError(f"samples have shape {bits.shape}, expected (n, {circuit.n_inputs}) with n of at least 1")
    start = time.perf_counter()
    signature, inverted, ones = _signatures(circuit, bits)
    rare = tolerance * len(bits)
    constant = np.where(ones <= rare, Gate.FALSE, np.where(len(bits) - ones <= rare, Gate.TRUE, _VARIES))
    # The first node of each signature stands for the others: nodes are in topological order, so it comes before them.
    _, first, member = np.unique(signature, return_index=True, return_inverse=True)
    stands = first[member]
    inputs, own = np.arange(circuit.n_inputs), np.arange(circuit.n_nodes)
    # Gate i of the new circuit is old node i: inputs are read through a wire of their own, which may be cut as well.
    gate = np.concatenate([np.full(circuit.n_inputs, Gate.A), circuit.gate])
    a, b = (np.concatenate([inputs, operand + circuit.n_inputs]) for operand in (circuit.a, circuit.b))
    copy = stands != own
    gate = np.where(copy, np.where(inverted != inverted[stands], Gate.NOT_A, Gate.A), gate)
    builder = Builder(circuit.n_inputs)
    nodes = builder.append(
        np.where(constant != _VARIES, constant, gate), np.where(copy, stands + circuit.n_inputs, a), b
    )
    rewired = builder.build(
        nodes[circuit.outputs], encoder=circuit.encoder, head=circuit.head, metadata=circuit.metadata
    )
    # Rarely, the exact rules find less in the rewired circuit than in the original.
    smaller = min(simplify(rewired), simplify(circuit), key=lambda c: np.count_nonzero(IS_LOGIC[c.gate]))
    gone = circuit.n_gates - smaller.n_gates
    seconds = time.perf_counter() - start
    return smaller, PassRecord("samples", circuit.n_gates, smaller.n_gates, {"samples": gone} if gone else {}, seconds)


def _signatures(circuit: Circuit, bits: BoolArray) -> tuple[npt.NDArray[np.uint64], BoolArray, npt.NDArray[np.int64]]:
    """Of every node: a hash of its values, the phase in which the first one is FALSE; that phase; how many are TRUE."""
    every = circuit.replace(outputs=np.arange(circuit.n_nodes), head=None)
    rng = np.random.default_rng(0)
    signature, ones = np.zeros(circuit.n_nodes, np.uint64), np.zeros(circuit.n_nodes, np.int64)
    inverted = np.zeros(circuit.n_nodes, np.bool_)
    size = max(1, _VALUES // max(1, circuit.n_nodes) // 64) * 64
    for start in range(0, len(bits), size):
        values = evaluate(every, bits[start : start + size])
        if start == 0:
            inverted = values[0].copy()
        ones += np.count_nonzero(values, axis=0)
        words = PackedBits.pack(values ^ inverted).words
        for word, salt in zip(words.T, rng.integers(0, 1 << 64, words.shape[1], np.uint64), strict=True):
            signature += _mixed(word ^ salt)
    return signature, inverted, ones


def _mixed(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Every bit of the result depends on every bit of the word (the finalizer of SplitMix64)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
