import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.circuit import Circuit, Head, prove, simplify
from gatewright.circuit.adders import ADDERS, add_columns
from gatewright.circuit.aig import write_aig
from gatewright.circuit.arithmetic import argmax, popcount
from gatewright.circuit.builder import Builder
from gatewright.circuit.cost import cost, map_aig
from gatewright.circuit.evaluate import classify, counts, evaluate
from gatewright.circuit.head_gates import class_counts, with_head_gates
from gatewright.circuit.sharing import LARGEST_PIECE, Sharing, _digits
from gatewright.errors import OptionError
from gatewright.gates import Gate

LIMITS, KINDS = st.sampled_from([1, 2, 3, 9]), st.sampled_from(sorted(ADDERS))


def weighted(weights, offset=None):
    """A circuit without gates but inverters, whose head computes offset + weights @ inputs."""
    groups, n = weights.shape
    outputs, group = [], []
    for k, j in np.argwhere(weights):
        outputs += [j if weights[k, j] > 0 else n + j] * abs(weights[k, j])
        group += [k] * abs(weights[k, j])
    head = Head(np.array(group, int), np.zeros(groups, int) if offset is None else offset)
    gate = np.full(n, Gate.NOT_A, np.uint8)
    return Circuit(n, gate, np.arange(n), np.zeros(n, int), np.array(outputs, int), head=head)


def counted_by_class(circuit):
    """The class index with a popcount per class, which share nothing: what `with_head_gates` must equal."""
    builder = Builder(circuit.n_inputs)
    outputs = builder.include(circuit, np.arange(circuit.n_inputs))[circuit.outputs]
    head = circuit.head
    offset = head.offset - head.offset.min()
    sums = [popcount(builder, outputs[head.group == k], int(offset[k])) for k in range(head.n_groups)]
    return builder.build(argmax(builder, sums))


@given(
    st.integers(0, 2**32),
    st.integers(1, 12),
    st.integers(1, 40),
    st.sampled_from([1, 2, 3, 9]),
    st.sampled_from(sorted(ADDERS)),
)
def test_counts_of_any_weights_are_exact(seed, classes, n, limit, adders):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-limit, limit + 1, (classes, n)) * (rng.random((classes, n)) < rng.random())
    circuit = weighted(weights, rng.integers(0, 50, classes))
    builder = Builder(n)
    nodes = builder.include(circuit, np.arange(n))
    numbers = class_counts(builder, circuit, nodes, circuit.head, adders)
    x = rng.random((100, n)) < rng.random((100, 1))
    values = evaluate(builder.build([bit for number in numbers for bit in number]), x).astype(np.int64)
    expected = counts(circuit, x)
    at = 0
    for k, number in enumerate(numbers):
        assert np.array_equal(values[:, at : at + len(number)] @ (1 << np.arange(len(number))), expected[:, k])
        at += len(number)


@given(st.integers(0, 2**32), st.integers(2, 12), st.integers(1, 40))
def test_the_class_is_that_of_the_head(seed, classes, n):
    rng = np.random.default_rng(seed)
    circuit = weighted(rng.integers(-2, 3, (classes, n)), rng.integers(-20, 20, classes))
    x = rng.random((200, n)) < 0.5
    index = evaluate(with_head_gates(circuit), x).astype(np.int64)
    assert np.array_equal(index @ (1 << np.arange(index.shape[1])), classify(circuit, x))


@pytest.mark.parametrize("limit", [1, 3])
def test_shared_counters_are_proven_equal_to_a_popcount_per_class(limit):
    rng = np.random.default_rng(limit)
    circuit = weighted(rng.integers(-limit, limit + 1, (4, 14)))
    assert prove(with_head_gates(circuit), counted_by_class(circuit)).equal


def test_sharing_saves_a_third_of_a_head_of_signs():
    rng = np.random.default_rng(0)
    circuit = weighted(rng.integers(-1, 2, (10, 600)))
    separate = cost(counted_by_class(circuit)).logic_ops
    assert cost(circuit).total_ops < 0.7 * separate


def test_a_bit_counted_once_costs_what_it_did():
    rng = np.random.default_rng(0)
    circuit = Circuit(100, [], [], [], np.arange(100), head=Head(rng.integers(0, 4, 100), np.zeros(4, int)))
    assert simplify(with_head_gates(circuit)).same_as(simplify(counted_by_class(circuit)))


@given(st.integers(-1000, 1000).filter(bool))
def test_digits_are_the_number_and_few(weight):
    digits = _digits(weight)
    assert sum(sign << power for power, sign in digits) == weight
    assert len(digits) <= abs(weight).bit_count()


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_parts_add_up_to_the_column(seed, classes):
    rng = np.random.default_rng(seed)
    columns = np.unique(rng.integers(-7, 8, (8, classes)), axis=0)
    sharing = Sharing(columns, rng.integers(1, 9, len(columns)))

    def total(parts):
        column = np.zeros(classes, int)
        for pattern, sign, power in parts:
            assert min(p for _, p, _ in pattern) == 0
            assert pattern[0][2] == 1
            for k, p, s in pattern:
                column[k] += sign * s << power + p
        return column

    for column in columns:
        parts = sharing.of_column(column)
        assert np.array_equal(total(parts), column)
        for part in parts:
            if len(part.pattern) > 1:
                smaller = sharing.of_counter(part.pattern)
                assert all(len(each.pattern) < len(part.pattern) for each in smaller)
                assert np.array_equal(total(smaller), total([part._replace(sign=1, power=0)]))
            assert len(part.pattern) <= LARGEST_PIECE


@given(st.integers(0, 2**32), KINDS, st.integers(1, 12), st.integers(0, 70))
def test_sums_of_columns_are_exact_modulo_their_width(seed, adders, width, n):
    rng = np.random.default_rng(seed)
    power = rng.integers(0, width, n)
    builder = Builder(n)
    number = add_columns(builder, {p: np.flatnonzero(power == p) for p in range(width)}, width, adders)
    x = rng.random((64, n)) < 0.7
    values = evaluate(builder.build(number), x).astype(np.int64) @ (1 << np.arange(width))
    assert np.array_equal(values, (x @ (1 << power)) % (1 << width))


def test_each_kind_of_adders_is_the_cheapest_of_its_currency():
    def table_count(adders, inputs):
        builder = Builder(600)
        circuit = simplify(builder.build(popcount(builder, np.arange(600), adders=adders)))
        return map_aig(write_aig(circuit), inputs)[0]

    def gates(adders):
        builder = Builder(600)
        return cost(builder.build(popcount(builder, np.arange(600), adders=adders))).logic_ops

    assert gates("ops") == min(gates(adders) for adders in ADDERS) < 4.6 * 600
    assert table_count("lut6", 6) == min(table_count(adders, 6) for adders in ADDERS) < 1.1 * 600
    assert table_count("lut4", 4) == min(table_count(adders, 4) for adders in ADDERS) < 1.92 * 600
    assert table_count("nand", 4) > 1.98 * 600  # two tables for each full adder


def test_an_unknown_kind_of_adders_is_refused():
    with pytest.raises(OptionError, match="adders 'lut7'"):
        popcount(Builder(3), np.arange(3), adders="lut7")
