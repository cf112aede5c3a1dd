"""Lookup tables of any size, against the tables themselves."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit import cost, simplify
from gatewright.circuit.builder import Builder
from gatewright.circuit.evaluate import evaluate
from gatewright.circuit.lookup import append_tables
from gatewright.errors import OptionError, ShapeError


def lowered(n_inputs, operands, tables):
    builder = Builder(n_inputs)
    return builder.build(append_tables(builder, operands, tables))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.integers(1, 6), st.sampled_from([0.02, 0.3, 0.5, 0.98]))
def test_every_combination_of_inputs(seed, k, n, share):
    rng = np.random.default_rng(seed)
    operands = rng.integers(0, 8, (n, k))  # the same input twice now and then
    tables = rng.random((n, 1 << k)) < share
    bits = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)
    index = bits[:, operands] @ (1 << np.arange(k)[::-1])
    wanted = tables[np.arange(n), index.astype(int)]
    circuit = lowered(8, operands, tables)
    assert np.array_equal(evaluate(circuit, bits), wanted)
    assert np.array_equal(evaluate(simplify(circuit), bits), wanted)


def by_rule(k, rule):
    return [[bool(rule(*(i >> (k - 1 - j) & 1 for j in range(k)))) for i in range(1 << k)]]


@pytest.mark.parametrize(
    ("k", "rule", "gates"),
    [
        (6, lambda *x: all(x), 5),
        (8, lambda *x: sum(x) % 2, 7),
        (3, lambda s, a, b: a if s else b, 3),
        (3, lambda a, b, c: a + b + c >= 2, 4),
        (6, lambda s, t, a, b, c, d: (a, b, c, d)[2 * s + t], 9),
        (4, lambda a, *_: not a, 0),
    ],
)
def test_well_known_functions_take_few_gates(k, rule, gates):
    assert cost(lowered(k, [range(k)], by_rule(k, rule))).logic_ops == gates


def test_equal_parts_are_made_once():
    table = np.random.default_rng(0).random((1, 64)) < 0.5
    one, two = (lowered(6, [range(6)] * n, np.repeat(table, n, 0)) for n in (1, 2))
    assert one.n_gates == two.n_gates


def test_many_tables_take_seconds():
    rng = np.random.default_rng(0)
    begin = time.process_time()
    circuit = lowered(1000, rng.integers(0, 1000, (10_000, 6)), rng.random((10_000, 64)) < 0.5)
    assert time.process_time() - begin < 20
    assert circuit.n_gates < 60 * 10_000


def test_what_does_not_fit_is_refused():
    with pytest.raises(OptionError, match="tables of 9 inputs"):
        lowered(9, [range(9)], np.zeros((1, 512)))
    with pytest.raises(ShapeError, match="expected"):
        lowered(3, [range(3)], np.zeros((1, 4)))
