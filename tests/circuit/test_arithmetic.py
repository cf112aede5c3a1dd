import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit import Circuit, Encoder, Head, simplify
from gatewright.circuit.arithmetic import (
    argmax,
    feature_bits,
    index_bits,
    less_than,
    popcount,
    select,
    with_encoder_gates,
)
from gatewright.circuit.builder import Builder
from gatewright.circuit.cost import cost
from gatewright.circuit.evaluate import evaluate
from gatewright.circuit.head_gates import with_head_gates
from gatewright.errors import OptionError
from gatewright.gates import IS_LOGIC
from support.circuits import random_circuit, random_features, slow_classes, slow_encode, slow_outputs


def value(bits):
    """Columns, least significant first, to numbers."""
    return bits @ (1 << np.arange(bits.shape[1]))


def all_bits(n):
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)


@pytest.mark.parametrize("offset", [0, 1, 5, 8])
@pytest.mark.parametrize("n", range(9))
def test_popcount(n, offset):
    builder = Builder(n)
    circuit = builder.build(popcount(builder, np.arange(n), offset))
    assert circuit.n_outputs == (n + offset).bit_length()
    bits = all_bits(n)
    assert np.array_equal(value(evaluate(circuit, bits)), bits.sum(axis=1) + offset)


def test_popcounts_are_small():
    sizes = {}
    for n in (2, 3, 5, 7, 100, 1000):
        builder = Builder(n)
        simplified = simplify(builder.build(popcount(builder, np.arange(n))))
        sizes[n] = int(IS_LOGIC[simplified.gate].sum())
    # A half adder, a full adder, the known smallest sums of 5 and 7 bits, and less than the 5 a bit of full adders.
    assert sizes[2] == 2
    assert sizes[3] == 5
    assert sizes[5] <= 12
    assert sizes[7] == 19
    assert sizes[100] < 4.6 * 100
    assert sizes[1000] < 4.65 * 1000


@pytest.mark.parametrize("n", [10, 15, 31, 33, 64, 200, 201, 1023, 1024])
def test_popcounts_of_all_sizes(n):
    builder = Builder(n)
    circuit = builder.build(popcount(builder, np.arange(n), n % 7))
    bits = np.random.default_rng(n).random((300, n)) < np.linspace(0, 1, 300)[:, None]
    assert np.array_equal(value(evaluate(circuit, bits)), bits.sum(axis=1) + n % 7)


def test_large_popcount():
    builder = Builder(3000)
    circuit = builder.build(popcount(builder, np.arange(3000), 77))
    bits = np.random.default_rng(0).random((200, 3000)) < np.linspace(0, 1, 200)[:, None]
    assert np.array_equal(value(evaluate(circuit, bits)), bits.sum(axis=1) + 77)


def test_popcount_refuses_a_negative_offset():
    with pytest.raises(OptionError, match="offset is -1"):
        popcount(Builder(1), [0], -1)


@pytest.mark.parametrize(("wa", "wb"), [(0, 0), (1, 1), (3, 3), (2, 4), (4, 1), (0, 2)])
def test_less_than_and_select(wa, wb):
    builder = Builder(wa + wb)
    a, b = list(range(wa)), list(range(wa, wa + wb))
    less = less_than(builder, a, b)
    circuit = builder.build([less, *select(builder, less, b, a)])
    bits = all_bits(wa + wb)
    x, y = value(bits[:, :wa]), value(bits[:, wa:])
    out = evaluate(circuit, bits)
    assert np.array_equal(out[:, 0], x < y)
    assert np.array_equal(value(out[:, 1:]), np.maximum(x, y))


@pytest.mark.parametrize("k", range(1, 7))
def test_argmax_over_all_values(k):
    builder = Builder(2 * k)
    circuit = builder.build(argmax(builder, [[2 * i, 2 * i + 1] for i in range(k)]))
    bits = all_bits(2 * k)
    numbers = np.stack([value(bits[:, 2 * i : 2 * i + 2]) for i in range(k)], axis=1)
    assert np.array_equal(value(evaluate(circuit, bits)), np.argmax(numbers, axis=1))


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 11))
@settings(deadline=None, max_examples=60)
def test_head_gates(seed, n_outputs, k):
    circuit = random_circuit(seed, n_inputs=12, n_gates=60, n_outputs=n_outputs, classes=k)
    bits = np.random.default_rng(seed).random((200, 12)) < 0.5
    expected = slow_classes(circuit, bits)
    index = with_head_gates(circuit)
    assert index.head is None
    assert index.n_outputs == index_bits(k)
    assert np.array_equal(value(slow_outputs(index, bits)), expected)
    hot = with_head_gates(circuit, output="onehot")
    assert np.array_equal(slow_outputs(hot, bits), np.arange(k) == expected[:, None])


def thresholds_of(dtype):
    if dtype == "float32":
        tiny, largest = np.float32(1e-45), np.finfo(np.float32).max
        return [0.0, -0.0, tiny, -tiny, 1.5, -1.5, np.float32(np.pi), largest, -largest, np.float32(0.1)]
    low, high = (0, 1) if dtype == "bool" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    return [low - 1, low, low + 1, -1, 0, 1, high // 3, high - 1, high, high + 1, high + 1000]


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float32"])
def test_comparators_at_every_edge(dtype):
    thresholds = thresholds_of(dtype)
    n = len(thresholds)
    circuit = Circuit(2 * n, [], [], [], range(2 * n), Encoder([0] * n + [1] * n, thresholds * 2, (2,), dtype))
    if dtype == "float32":
        at = np.array(thresholds, np.float32)
        values = np.unique(np.concatenate([at, np.nextafter(at, np.float32(9)), np.nextafter(at, np.float32(-9))]))
        values = np.concatenate([values, np.array([-0.0, 0.0, np.inf, -np.inf], np.float32)])
    elif dtype in {"bool", "uint8"}:
        values = np.arange(2 if dtype == "bool" else 256).astype(dtype)
    else:
        info = np.iinfo(dtype)
        values = np.unique(np.clip(np.add.outer(thresholds, [-1, 0, 1]), info.min, info.max)).astype(dtype)
    x = np.stack([values, values[::-1]], axis=1)
    gates = with_encoder_gates(circuit)
    expected = slow_encode(circuit, x)
    bits = feature_bits(circuit.encoder, x)
    assert np.array_equal(slow_outputs(gates, bits), expected)
    assert np.array_equal(slow_outputs(simplify(gates), bits), expected)


@given(st.integers(0, 2**32 - 1), st.sampled_from(["bool", "uint8", "int16", "int32", "float32"]))
@settings(deadline=None, max_examples=60)
def test_the_whole_circuit_as_gates(seed, dtype):
    circuit = random_circuit(seed, n_inputs=20, n_gates=80, dtype=dtype)
    x = random_features(circuit, 100, seed)
    whole = with_encoder_gates(with_head_gates(circuit))
    out = slow_outputs(whole, feature_bits(circuit.encoder, x))
    assert np.array_equal(value(out), slow_classes(circuit, slow_encode(circuit, x)))


def test_all_thresholds_of_a_byte_share_their_low_bits():
    enc = Encoder([0] * 255, np.arange(1, 256), (1,), "uint8")
    result = cost(Circuit(255, [], [], [], range(255), enc))
    assert result.encoder_ops == result.total_ops < 2 * 255
    # A single threshold needs a gate per bit above its lowest set bit.
    for threshold, expected in ((128, 0), (64, 1), (1, 7), (255, 7)):
        assert cost(Circuit(1, [], [], [], [0], Encoder([0], [threshold], (1,), "uint8"))).encoder_ops == expected


def test_missing_parts_are_named():
    bare = Circuit(1, [], [], [], [0])
    with pytest.raises(OptionError, match="no head"):
        with_head_gates(bare)
    with pytest.raises(OptionError, match="no encoder"):
        with_encoder_gates(bare)
    with pytest.raises(OptionError, match="output is 'binary'"):
        with_head_gates(bare.replace(head=Head([0], [0])), output="binary")
