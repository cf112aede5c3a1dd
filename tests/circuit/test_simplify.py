import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit import Circuit, Encoder, Head, simplify
from gatewright.circuit.simplify.rewriting import rewrite
from gatewright.circuit.simplify.rules import Rule
from gatewright.gates import IS_LOGIC, TRUTH, Gate
from support.circuits import (
    SETS_OF_RULES,
    circuits,
    random_circuit,
    random_features,
    slow_counts,
    slow_encode,
    slow_outputs,
)


def n_logic(circuit):
    return int(IS_LOGIC[circuit.gate].sum())


def possible_bits(circuit, n=100, seed=0):
    """Inputs that the circuit's encoder can make."""
    if circuit.encoder is None:
        return np.random.default_rng(seed).random((n, circuit.n_inputs)) < 0.5
    return slow_encode(circuit, random_features(circuit, n, seed))


def same_function(before, after, bits):
    if before.head is not None:
        assert np.array_equal(slow_counts(before, bits), slow_counts(after, bits))
        assert before.head.tau == after.head.tau
    else:
        assert np.array_equal(slow_outputs(before, bits), slow_outputs(after, bits))


def whole(circuit):
    simplified, records = simplify(circuit, return_records=True)
    assert records[0].gates_before == circuit.n_gates
    assert records[-1].gates_after == simplified.n_gates
    return simplified, records[0]


@pytest.mark.parametrize("rules", [*SETS_OF_RULES, None], ids=str)
@given(circuit=circuits, seed=st.integers(0, 999))
@settings(deadline=None, max_examples=60)
def test_every_rule(rules, circuit, seed):
    def one(circuit):
        return whole(circuit) if rules is None else rewrite(circuit, rules)

    after, record = one(circuit)
    same_function(circuit, after, possible_bits(circuit, 100, seed))
    assert n_logic(after) <= n_logic(circuit)
    assert after.n_inputs == circuit.n_inputs
    assert after.encoder is circuit.encoder
    assert after.metadata == circuit.metadata
    assert sum(record.removed.values()) == record.gates_before - record.gates_after
    again, _ = one(after)
    assert again.same_as(after)


@given(
    circuit=st.builds(
        random_circuit,
        st.integers(0, 2**32 - 1),
        n_inputs=st.integers(1, 5),
        n_gates=st.integers(0, 60),
        n_outputs=st.integers(0, 12),
        head=st.booleans(),
        dtype=st.sampled_from(["bool", "uint8", "float32"]),
        gates=st.just([1, 2, 4, 6, 7, 8, 9, 11, 13, 14]),
    )
)
@settings(deadline=None, max_examples=250)
def test_dense_circuits_over_few_inputs(circuit):
    """Few inputs make every local rule fire, and all of their values can be tried."""
    free = circuit.replace(encoder=None)
    bits = (np.arange(2**circuit.n_inputs)[:, None] >> np.arange(circuit.n_inputs) & 1).astype(bool)
    same_function(free, whole(free)[0], bits)
    x = random_features(circuit, 300)
    same_function(circuit, whole(circuit)[0], slow_encode(circuit, x))


@given(circuits)
@settings(deadline=None, max_examples=100)
def test_what_is_left_has_nothing_to_remove(circuit):
    after, _ = whole(circuit)
    constant = np.isin(after.gate, [Gate.FALSE, Gate.TRUE])
    inverter = np.isin(after.gate, [Gate.NOT_A, Gate.NOT_B])
    assert not np.isin(after.gate, [Gate.A, Gate.B]).any()
    assert constant.sum() <= (0 if circuit.head is not None else 2)
    assert set(np.flatnonzero(constant | inverter) + after.n_inputs) <= set(after.outputs.tolist())
    logic = ~(constant | inverter)
    assert (after.a[logic] < after.b[logic]).all()
    # One gate per pair of operands and class of inverse functions.
    function = np.minimum(after.gate, 15 - after.gate)[logic]
    keys = set(zip(function.tolist(), after.a[logic].tolist(), after.b[logic].tolist(), strict=True))
    assert len(keys) == logic.sum()
    used = {*after.a[~constant].tolist(), *after.b[~constant].tolist(), *after.outputs.tolist()}
    assert set(range(after.n_inputs, after.n_nodes)) <= used


def test_the_whole_does_no_worse_than_the_parts():
    for seed in range(20):
        circuit = random_circuit(seed, n_inputs=10, n_gates=300, n_outputs=40)
        together = whole(circuit)[0]
        apart = circuit
        for _ in range(3):
            for rules in SETS_OF_RULES:
                apart, _ = rewrite(apart, rules)
        assert n_logic(together) <= n_logic(apart)


@pytest.mark.parametrize("gate", range(16))
@pytest.mark.parametrize("value", [Gate.FALSE, Gate.TRUE])
@pytest.mark.parametrize("first", [True, False])
def test_constant_operand(gate, value, first):
    pair = (1, 0) if first else (0, 1)
    if not TRUTH[gate].any() or TRUTH[gate].all():
        pair = (0, 0)
    circuit = Circuit(1, [value, gate], [0, pair[0]], [0, pair[1]], [2])
    after, _ = rewrite(circuit, Rule.NONE)
    same_function(circuit, after, np.array([[False], [True]]))
    assert n_logic(after) == 0


@pytest.mark.parametrize("gate", np.flatnonzero(IS_LOGIC))
def test_equal_and_complementary_operands(gate):
    bits = np.array([[False], [True]])
    for circuit in (Circuit(1, [gate], [0], [0], [1]), Circuit(1, [12, gate], [0, 0], [0, 1], [2])):
        after, _ = rewrite(circuit, Rule.EQUAL)
        same_function(circuit, after, bits)
        assert n_logic(after) == 0


def test_inverters_are_absorbed():
    # NOT NOT x AND NOT y, output inverted: one gate.
    circuit = Circuit(2, [12, 12, 10, 1, 12], [0, 2, 0, 3, 5], [0, 2, 1, 4, 5], [6])
    after, record = rewrite(circuit, Rule.NONE)
    assert after.gate.tolist() == [Gate.NOT_A_OR_B]
    assert dict(record.removed) == {"inverters": 4}


def test_an_inverter_stays_only_where_both_polarities_are_wanted():
    circuit = Circuit(2, [1, 14], [0, 0], [1, 1], [2, 3, 3])
    after, record = rewrite(circuit, Rule.SHARE)
    assert after.gate.tolist() == [Gate.AND, Gate.NOT_A]
    assert after.outputs.tolist() == [2, 3, 3]
    assert dict(record.removed) == {"shared": 1, "inverters": -1}
    inverted_input = Circuit(1, [12], [0], [0], [1, 1])
    assert whole(inverted_input)[0].same_as(inverted_input)


def test_sharing_sees_through_order_and_inversion():
    gates = [1, 14, 1, 2, 4, 13]
    circuit = Circuit(2, gates, [0, 1, 1, 0, 1, 0], [1, 0, 0, 1, 0, 1], list(range(2, 8)))
    after, record = rewrite(circuit, Rule.SHARE)
    assert n_logic(after) == 2  # a & b with its inverse; a & ~b with its inverse
    assert record.removed["shared"] == 4


@pytest.mark.parametrize(
    ("gates", "expected"),
    [
        ([(7, 0, 1), (1, 0, 2)], 0),  # x & (x | y) = x
        ([(1, 0, 1), (2, 0, 2)], 1),  # x & ~(x & y) = x & ~y
        ([(6, 0, 1), (6, 0, 2)], 0),  # x ^ (x ^ y) = y
        ([(2, 0, 1), (4, 0, 1), (7, 2, 3)], 1),  # (x & ~y) | (~x & y) = x ^ y
        ([(1, 0, 1), (8, 0, 1), (8, 2, 3)], 1),  # neither both nor none = x ^ y
    ],
)
def test_absorption(gates, expected):
    gate, a, b = zip(*gates, strict=True)
    circuit = Circuit(2, gate, a, b, [1 + len(gates)])
    after, _ = rewrite(rewrite(circuit, Rule.EQUAL | Rule.ABSORB)[0], Rule.DEAD)
    same_function(circuit, after, np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool))
    assert n_logic(after) == expected


def test_absorption_frees_the_middle_gate():
    # (p & q) & (p & r): only r need be read beside p & q.
    circuit = Circuit(3, [1, 1, 1], [0, 0, 3], [1, 2, 4], [5])
    after, _ = rewrite(rewrite(circuit, Rule.EQUAL | Rule.ABSORB)[0], Rule.DEAD)
    assert n_logic(after) == 2


def test_encoder_relations():
    # Features: 0 >= 5, 0 >= 9, 0 >= 5 again, 0 >= 0 (always), 0 >= 256 (never), 1 >= 5.
    enc = Encoder([0, 0, 0, 0, 0, 1], [5, 9, 5, 0, 256, 5], (2,), "uint8")
    cases = [
        (1, 0, 1, 0),  # AND of implied bits is the stronger
        (7, 0, 1, 0),
        (2, 0, 1, 1),  # x >= 5 and not x >= 9 is a real gate
        (6, 0, 1, 1),
        (4, 0, 1, 0),  # x >= 9 and not x >= 5 never happens
        (6, 0, 2, 0),
        (1, 3, 5, 0),
        (7, 4, 5, 0),
        (1, 0, 5, 1),
    ]
    x = np.stack([np.arange(256), np.arange(256)[::-1]], axis=1).astype(np.uint8)
    for gate, a, b, expected in cases:
        circuit = Circuit(6, [gate], [a], [b], [6], enc)
        after, _ = rewrite(circuit, Rule.EQUAL | Rule.ABSORB | Rule.ENCODER)
        same_function(circuit, after, slow_encode(circuit, x))
        assert n_logic(after) == expected, (gate, a, b)
    assert n_logic(rewrite(Circuit(6, [1], [0], [1], [6], enc), Rule.SHARE)[0]) == 1


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32"])
def test_thresholds_at_the_ends_of_the_type(dtype):
    low, high = (0, 1) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    enc = Encoder([0] * 4, [low, low + 1, high, high + 1.0], (1,), dtype)
    circuit = Circuit(4, [], [], [], [0, 1, 2, 3], enc, Head([0, 0, 0, 0], [0]))
    after, _ = whole(circuit)
    x = np.array([[low], [high]]).astype(dtype)
    same_function(circuit, after, slow_encode(circuit, x))
    assert after.head.offset.tolist() == [1]
    assert after.n_outputs == 2


def test_outputs_fold_into_the_offset():
    # Outputs: TRUE (class 1), FALSE (0), x (0), NOT x (0), x (0), NOT x (1), y (1).
    head = Head([1, 0, 0, 0, 0, 1, 1], [5, -2], 2.0, ("a", "b"))
    circuit = Circuit(2, [15, 0, 12], [0, 0, 0], [0, 0, 0], [2, 3, 0, 4, 0, 4, 1], None, head)
    after, _ = rewrite(circuit, Rule.OUTPUTS)
    assert after.head.offset.tolist() == [6, -1]
    assert after.head.group.tolist() == [0, 1, 1]
    assert after.head.class_names == ("a", "b")
    same_function(circuit, after, np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool))
    without, _ = rewrite(circuit.replace(head=None), Rule.OUTPUTS)
    assert without.n_outputs == 7


def test_dead_gates_go():
    circuit = Circuit(2, [1, 6, 7], [0, 0, 2], [1, 1, 3], [2])
    after, record = rewrite(circuit, Rule.DEAD)
    assert after.gate.tolist() == [Gate.AND]
    assert dict(record.removed) == {"dead": 2}
