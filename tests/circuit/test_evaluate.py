import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit import Circuit, Encoder, Head
from gatewright.circuit.evaluate import classify, counts, encode, evaluate
from gatewright.circuit.packed import PackedBits
from gatewright.errors import DataError, DtypeError, OptionError, ShapeError
from support.circuits import (
    circuits,
    random_circuit,
    random_features,
    slow_classes,
    slow_counts,
    slow_encode,
    slow_outputs,
)


def random_bits(circuit, n, seed=0):
    return np.random.default_rng(seed).random((n, circuit.n_inputs)) < 0.5


@given(circuits, st.integers(0, 150))
@settings(deadline=None, max_examples=150)
def test_equals_slow_evaluation(circuit, n):
    bits = random_bits(circuit, n)
    assert np.array_equal(evaluate(circuit, bits), slow_outputs(circuit, bits))
    if circuit.head is not None:
        assert np.array_equal(counts(circuit, bits), slow_counts(circuit, bits))
        assert np.array_equal(classify(circuit, bits), slow_classes(circuit, bits))


def test_blocks_do_not_change_anything(monkeypatch):
    circuit = random_circuit(7, n_inputs=30, n_gates=500)
    bits = random_bits(circuit, 1000)
    packed = PackedBits.pack(bits)
    whole = counts(circuit, bits)
    assert np.array_equal(counts(circuit, packed), whole)
    monkeypatch.setattr("gatewright.circuit.evaluate._WORKING_BYTES", 0)
    assert np.array_equal(counts(circuit, bits), whole)
    assert np.array_equal(counts(circuit, packed), whole)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float32"])
def test_encode(dtype):
    circuit = random_circuit(11, n_inputs=40, dtype=dtype)
    x = random_features(circuit, 200)
    assert np.array_equal(encode(circuit, x), slow_encode(circuit, x))


def test_encode_accepts_flat_images_and_lossless_types():
    circuit = Circuit(2, [], [], [], [0, 1], Encoder([0, 5], [3, 200], (1, 2, 3), "int16"))
    x = np.arange(12, dtype=np.uint8).reshape(2, 1, 2, 3) * 20
    expected = np.array([[False, False], [True, True]])
    assert np.array_equal(encode(circuit, x), expected)
    assert np.array_equal(encode(circuit, x.reshape(2, 6)), expected)


def test_encode_refuses_what_it_cannot_read():
    circuit = Circuit(1, [], [], [], [0], Encoder([2], [0.5], (3,), "float32"))
    with pytest.raises(ShapeError, match=r"\(4, 2\), expected \(n, 3\)"):
        encode(circuit, np.zeros((4, 2), np.float32))
    with pytest.raises(DtypeError, match="x is float64, which float32 features cannot hold without loss"):
        encode(circuit, np.zeros((4, 3)))
    with pytest.raises(DataError, match="NaN: sample 1, feature 2"):
        encode(circuit, np.array([[0, 1, 2], [0, 1, np.nan]], np.float32))
    with pytest.raises(OptionError, match="no encoder"):
        encode(circuit.replace(encoder=None), np.zeros((4, 3), np.float32))
    assert encode(circuit, np.array([[0, 0, np.inf], [0, 0, -np.inf]], np.float32)).tolist() == [[True], [False]]


def test_bits_are_checked():
    circuit = random_circuit(1, n_inputs=5, head=False)
    with pytest.raises(DtypeError, match="bits are uint8, expected bool"):
        evaluate(circuit, np.zeros((3, 5), np.uint8))
    with pytest.raises(ShapeError, match=r"\(3, 4\), expected \(n, 5\)"):
        evaluate(circuit, np.zeros((3, 4), bool))
    with pytest.raises(OptionError, match="no head"):
        counts(circuit, np.zeros((3, 5), bool))
    with pytest.raises(ShapeError, match="have 4 rows, expected 5"):
        evaluate(circuit, PackedBits(np.zeros((4, 1), np.uint64), 3))


def test_ties_go_to_the_lowest_class():
    head = Head([0, 1, 2], [0, 0, 0])
    circuit = Circuit(3, [], [], [], [0, 1, 2], None, head)
    bits = np.array([[0, 0, 0], [0, 1, 1], [1, 1, 1], [0, 0, 1]], bool)
    assert classify(circuit, bits).tolist() == [0, 1, 0, 2]
    assert classify(circuit.replace(head=Head([0, 1, 2], [0, 0, 1])), bits).tolist() == [2, 2, 2, 2]
