"""Removal by samples: the same on those samples, and nothing else is promised."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewright.circuit import Circuit, Head, cost, simplify
from gatewright.circuit.evaluate import counts, evaluate
from gatewright.circuit.simplify import lossy as samples
from gatewright.circuit.simplify.lossy import by_samples
from gatewright.errors import OptionError, ShapeError
from gatewright.gates import Gate
from support.circuits import circuits, random_circuit


def patterns(circuit, n, seed, share=0.5):
    return np.random.default_rng(seed).random((n, circuit.n_inputs)) < share


@given(circuits, st.integers(1, 200), st.integers(0, 99), st.sampled_from([0.05, 0.5]))
@example(random_circuit(112776, 5, 85, 3, encoder=False, dtype="bool"), 8, 1, 0.5)  # the exact rules alone find more
@settings(deadline=None, max_examples=80)
def test_nothing_changes_on_the_samples(circuit, n, seed, share):
    circuit = circuit.replace(encoder=None)
    bits = patterns(circuit, n, seed, share)
    small, record = by_samples(circuit, bits)
    run = evaluate if circuit.head is None else counts
    assert np.array_equal(run(small, bits), run(circuit, bits))
    assert (record.gates_before, record.gates_after) == (circuit.n_gates, small.n_gates)
    assert sum(record.removed.values()) == circuit.n_gates - small.n_gates
    assert small.n_inputs == circuit.n_inputs
    if circuit.head is not None:  # without one, each output may need an inverter of its own
        assert cost(small).logic_ops <= cost(circuit).logic_ops


def test_all_inputs_as_samples_make_it_exact():
    circuit = Circuit(3, [Gate.AND, Gate.OR, Gate.XOR], [0, 0, 3], [1, 3, 2], [4, 5])
    every = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(bool)
    small, _ = by_samples(circuit, every)
    assert np.array_equal(evaluate(small, every), evaluate(circuit, every))
    assert small.n_gates == 2  # a OR (a AND b) is a


def test_constants_copies_and_inverses_go():
    # On these samples input 2 is always true, input 1 is the inverse of input 0.
    bits = np.array([[0, 1, 1], [1, 0, 1], [1, 0, 1]], bool)
    circuit = Circuit(3, [Gate.AND, Gate.XOR, Gate.OR], [0, 0, 1], [2, 1, 0], [3, 4, 5], head=Head([0, 0, 1], [0, 0]))
    small, record = by_samples(circuit, bits)
    assert small.n_gates == 0
    assert small.outputs.tolist() == [0]
    assert small.head.offset.tolist() == [1, 1]
    assert record.removed == {"samples": 3}
    kept = simplify(circuit)
    assert kept.n_gates == 3


def test_tolerance_takes_what_is_rare():
    bits = np.zeros((100, 2), bool)
    bits[:3, 0] = True
    bits[:50, 1] = True
    circuit = Circuit(2, [Gate.XOR], [0], [1], [2])
    assert by_samples(circuit, bits)[0].n_gates == 1
    small, _ = by_samples(circuit, bits, tolerance=0.03)
    assert (small.n_gates, small.outputs.tolist()) == (0, [1])


def test_blocks_make_no_difference(monkeypatch):
    rng = np.random.default_rng(4)
    circuit = Circuit(
        30, rng.integers(1, 15, 300), rng.integers(0, 30, 300), rng.integers(0, 30, 300), np.arange(30, 330)
    )
    bits = patterns(circuit, 1000, 1, 0.02)
    one, _ = by_samples(circuit, bits)
    monkeypatch.setattr(samples, "_VALUES", 330 * 64)
    assert by_samples(circuit, bits)[0].same_as(one)


def test_values_that_differ_in_one_sample_are_told_apart():
    n = 64 * 8
    bits = np.zeros((n, n), bool)
    bits[np.arange(n), np.arange(n)] = True
    circuit = Circuit(n, [], [], [], np.arange(n))
    assert by_samples(circuit, bits)[0].outputs.tolist() == list(range(n))


def test_bad_requests_are_explained():
    circuit = Circuit(2, [], [], [], [0])
    with pytest.raises(OptionError, match=r"tolerance is 0\.5, expected a share of the samples"):
        by_samples(circuit, np.zeros((1, 2), bool), tolerance=0.5)
    for shape in ((0, 2), (3, 1)):
        with pytest.raises(ShapeError, match="with n of at least 1"):
            by_samples(circuit, np.zeros(shape, bool))
