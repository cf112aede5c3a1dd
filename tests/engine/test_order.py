"""The order of gates: a topological order of all of them, in which gates that share operands are neighbours."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit.circuit import Circuit
from gatewright.engine.order import WINDOW, order_gates
from gatewright.engine.plan import FIRST_SLOT, ONE_SLOT, ZERO_SLOT, make_plan
from gatewright.engine.vector import FIELD
from gatewright.errors import UnsupportedError
from support.circuits import circuits, random_circuit, slow_outputs


def steps(plan):
    """The program as int [ops, 3]: destination, a, b."""
    mask = (1 << FIELD) - 1
    return np.stack([plan.program >> 2 * FIELD, plan.program >> FIELD & mask, plan.program & mask], axis=1)


@settings(deadline=None, max_examples=100)
@given(circuits, st.integers(1, 40))
def test_plans_compute_the_circuit_step_by_step(circuit, n):
    plan = make_plan(circuit)
    bits = np.random.default_rng(n).random((n, circuit.n_inputs)) < 0.5
    slots = np.zeros((plan.n_slots, n), bool)
    slots[ONE_SLOT] = True
    slots[plan.input_slots] = bits[:, plan.inputs].T
    program = steps(plan)
    covered = []
    for op, first, last in plan.runs:
        covered += range(first, last)
        for target, a, b in program[first:last]:
            assert target >= FIRST_SLOT
            x, y = slots[a], slots[b]
            slots[target] = (x & y, x & ~y, x ^ y, x | y)[op]
    assert covered == list(range(len(program)))
    assert slots[ONE_SLOT].all()
    assert not slots[ZERO_SLOT].any()
    np.testing.assert_array_equal(
        (slots[plan.output_slots] ^ (plan.output_inverted[:, None] == 1)).T, slow_outputs(circuit, bits)
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1000), st.integers(1, 30), st.integers(1, 1500))
def test_every_gate_once_and_level_by_level(seed, n_inputs, n_gates):
    rng = np.random.default_rng(seed)
    left, right = (np.array([rng.integers(0, n_inputs + i) for i in range(n_gates)], np.int32) for _ in range(2))
    level = np.zeros(n_inputs + n_gates, np.int32)
    for i in range(n_gates):
        level[n_inputs + i] = 1 + max(level[left[i]], level[right[i]])
    level = level[n_inputs:]
    live = np.argsort(level, kind="stable")
    op = rng.integers(0, 4, n_gates).astype(np.uint8)
    order = order_gates(live, level[live], op, left, right, n_inputs + n_gates)
    np.testing.assert_array_equal(np.sort(order), np.arange(n_gates))
    np.testing.assert_array_equal(level[order], np.sort(level))
    changes = np.count_nonzero(np.diff(op[order]))
    assert changes <= sum(3 * -(-size // WINDOW) for size in np.bincount(level)) + len(np.unique(level))


def test_gates_that_share_operands_are_neighbours():
    # A ring: gate i reads values i and i + 1, numbered and listed in any order; the walk finds its way around.
    n = 5000
    rng = np.random.default_rng(0)
    name, shuffled = rng.permutation(n), rng.permutation(n)
    left, right = name[shuffled].astype(np.int32), name[(shuffled + 1) % n].astype(np.int32)
    every, ones = np.arange(n), np.ones(n, np.int32)
    order = order_gates(every, ones, np.zeros(n, np.uint8), left, right, 2 * n)
    pairs = np.stack([left[order], right[order]], axis=1)
    shared = (pairs[1:, :, None] == pairs[:-1, None, :]).any((1, 2))
    assert np.count_nonzero(~shared) <= 2


def test_values_share_slots_once_they_are_dead():
    # Layers of 50 that read only the layer before: never more than two layers are alive.
    rng = np.random.default_rng(0)
    a = np.concatenate([50 * k + rng.permutation(50) for k in range(40)])
    b = np.concatenate([50 * k + rng.permutation(50) for k in range(40)])
    circuit = Circuit(50, np.full(2000, 6), a, b, np.arange(2000, 2050))
    assert make_plan(circuit).n_slots <= FIRST_SLOT + 100


def test_too_many_live_values_are_refused():
    n = 1 << FIELD
    with pytest.raises(UnsupportedError, match="2097152 values alive"):
        make_plan(Circuit(n, [], [], [], np.arange(n)))
    n -= FIRST_SLOT
    assert make_plan(Circuit(n, [], [], [], np.arange(n))).n_slots == 1 << FIELD


def test_plans_are_the_same_every_time():
    circuit = random_circuit(2, 100, 3000, 200)
    one, two = make_plan(circuit), make_plan(circuit)
    np.testing.assert_array_equal(one.program, two.program)
    np.testing.assert_array_equal(one.runs, two.runs)
