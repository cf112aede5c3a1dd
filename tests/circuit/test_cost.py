import numpy as np
import pytest
from hypothesis import given, settings

from gatewright.circuit import Circuit, Encoder, Head, simplify
from gatewright.circuit.cost import cost, lut6, used_inputs
from gatewright.circuit.levels import logic_levels
from gatewright.errors import ToolError
from gatewright.gates import IS_LOGIC, Gate
from support.circuits import circuits, random_circuit


@given(circuits)
@settings(deadline=None, max_examples=60)
def test_cost_does_not_depend_on_simplification(circuit):
    raw, simplified = cost(circuit), cost(simplify(circuit))
    assert raw == simplified
    assert raw.logic_ops <= IS_LOGIC[circuit.gate].sum()
    assert raw.total_ops == raw.logic_ops + raw.encoder_ops + raw.head_ops
    assert sum(raw.by_gate.values()) == raw.live_gates >= raw.logic_ops
    assert raw.depth <= raw.logic_ops


def test_counts_by_hand():
    # Two bits of one byte feature (>= 64: 1 gate, >= 128: none), XOR and its inverse, in two classes.
    enc = Encoder([0, 1, 1], [64, 128, 7], (2,), "uint8")
    circuit = Circuit(3, [6, 12, 3, 1], [0, 3, 0, 0], [1, 3, 1, 2], [3, 4], enc, Head([0, 1], [0, 0]))
    result = cost(circuit)
    assert result.logic_ops == 1
    assert result.by_gate == {"XOR": 1, "NOT_A": 1}
    assert result.n_inputs_used == 2
    assert result.outputs == 2
    assert result.encoder_ops == 1
    assert result.depth == 1
    # not (x < not x): the class is the inverse of x; the head needs no gate.
    assert result.head_ops == 0
    assert result.total_depth == 2


def test_nothing_costs_nothing():
    result = cost(Circuit(0, [], [], [], [], None, Head([], [1, 2, 2])))
    assert (result.logic_ops, result.total_ops, result.depth, result.live_gates) == (0, 0, 0, 0)


def test_levels_skip_wires():
    circuit = Circuit(2, [Gate.A, Gate.AND, Gate.NOT_B, Gate.XOR, Gate.TRUE], [0, 2, 0, 4, 0], [1, 1, 3, 0, 0], [5])
    assert logic_levels(circuit).tolist() == [0, 0, 0, 1, 1, 2, 0]
    assert used_inputs(circuit).tolist() == [0, 1]
    assert used_inputs(Circuit(3, [Gate.A], [1], [2], [3])).tolist() == [1]


def test_a_head_of_10_classes_costs_about_5_gates_an_output():
    circuit = random_circuit(1, n_inputs=2000, n_gates=4000, n_outputs=2000, classes=10, gates=[1, 6, 7, 14])
    result = cost(circuit)
    assert 4.0 < result.head_ops / result.outputs < 6.0
    assert np.isclose(result.outputs, 2000, rtol=0.2)


def test_lut6_counts_tables():
    # A parity of 6 inputs is one table, of 7 two, of 36 and more as a tree of such.
    for n, tables in ((1, 0), (2, 1), (6, 1), (7, 2), (36, 7)):
        nodes = list(range(n))
        circuit = Circuit(n, [6] * (n - 1), [0, *range(n, 2 * n - 2)][: n - 1], nodes[1:], [max(0, 2 * n - 2)])
        assert tables <= lut6(circuit) <= tables + (2 if n == 36 else 0)
    assert lut6(Circuit(2, [0, 12], [0, 0], [0, 0], [2, 3])) == 0
    with pytest.raises(ToolError, match="did not map"):
        lut6(random_circuit(0), timeout=0.0001)


@given(circuits)
@settings(deadline=None, max_examples=15)
def test_lut6_is_at_most_the_logic_ops(circuit):
    assert lut6(circuit) <= cost(circuit).logic_ops
