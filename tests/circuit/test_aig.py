import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit import Circuit, simplify
from gatewright.circuit.aig import INPUT_NAMES, OUTPUT_NAMES, from_aig, read_aig, to_aig, write_aig
from gatewright.errors import FormatError, GatewrightError, OptionError, UnsupportedError
from gatewright.gates import Gate
from support.circuits import circuits, random_circuit, slow_outputs


def read_aiger(data):
    """An independent, slow reader of the format, from its specification: (n_inputs, ands, outputs)."""
    header, rest = data.split(b"\n", 1)
    m, i, latches, o, a = map(int, header.split()[1:])
    assert m == i + a
    assert latches == 0
    outputs = []
    for _ in range(o):
        line, rest = rest.split(b"\n", 1)
        outputs.append(int(line))
    at = 0

    def number():
        nonlocal at
        value, shift = 0, 0
        while rest[at] & 128:
            value |= (rest[at] & 127) << shift
            at, shift = at + 1, shift + 7
        value |= rest[at] << shift
        at += 1
        return value

    ands = []
    for k in range(a):
        own = 2 * (i + 1 + k)
        left = own - number()
        ands.append((left, left - number()))
    return i, ands, outputs


def run_aiger(data, bits):
    n, ands, outputs = read_aiger(data)
    values = [np.zeros(len(bits), bool), *bits.T]
    assert len(values) == n + 1

    def get(literal):
        return values[literal >> 1] ^ bool(literal & 1)

    for left, right in ands:
        assert left >= right
        values.append(get(left) & get(right))
    return np.array([get(literal) for literal in outputs]).reshape(len(outputs), len(bits)).T


@given(circuits)
@settings(deadline=None, max_examples=100)
def test_there_and_back(circuit):
    bits = np.random.default_rng(0).random((80, circuit.n_inputs)) < 0.5
    expected = slow_outputs(circuit, bits)
    data = write_aig(circuit)
    assert np.array_equal(run_aiger(data, bits), expected)
    back = read_aig(data)
    assert np.array_equal(slow_outputs(back, bits), expected)
    assert write_aig(back) == data


@pytest.mark.parametrize("gate", range(16))
def test_every_gate_is_as_few_ands_as_it_can_be(gate):
    constant = gate in {0, 15}
    circuit = Circuit(2, [gate], [0], [0 if constant else 1], [2])
    ands = len(to_aig(circuit).left)
    assert ands == (3 if gate in {6, 9} else 0 if gate in {0, 3, 5, 10, 12, 15} else 1)
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)
    assert np.array_equal(slow_outputs(from_aig(to_aig(circuit)), bits), slow_outputs(circuit, bits))


def test_simplify_finds_the_xors_again():
    circuit = simplify(random_circuit(4, n_inputs=30, n_gates=400, head=False, encoder=False, gates=[1, 6, 7, 9]))
    back = simplify(read_aig(write_aig(circuit)))
    assert np.isin(back.gate, [6, 9]).sum() > 50
    assert back.n_gates <= circuit.n_gates


def test_names():
    circuit = Circuit(2, [1], [0], [1], [2, 0])
    data = write_aig(circuit, inputs=["x[0]", "größe y"], outputs=["z", "w"], comment="made by hand")
    assert data.endswith("i0 x[0]\ni1 größe y\no0 z\no1 w\nc\nmade by hand\n".encode())
    back = read_aig(data)
    assert json.loads(back.metadata[INPUT_NAMES]) == {"0": "x[0]", "1": "größe y"}
    assert json.loads(back.metadata[OUTPUT_NAMES]) == {"0": "z", "1": "w"}
    with pytest.raises(OptionError, match="1 names for 2 inputs"):
        write_aig(circuit, inputs=["x"])
    with pytest.raises(OptionError, match="one line"):
        write_aig(circuit, outputs=["x\ny", "z"])


def test_comments_are_skipped():
    data = write_aig(Circuit(1, [], [], [], [0]))
    for tail in (b"c\n\xff\x00 anything", b"cn\x00\x00\x00\x02a\x00", b"i0 x\nc\ni9 y\n"):
        assert read_aig(data + tail).n_outputs == 1


def test_unreduced_files_are_read():
    # ANDs with constants and with twice the same operand, which a writer need not have removed.
    data = b"aig 5 2 0 4 3\n6\n8\n11\n1\n" + bytes([6 - 2, 2 - 1, 8 - 4, 4 - 0, 10 - 3, 0])
    back = read_aig(data)
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)
    a = bits[:, 0]
    expected = np.stack([a, a & False, a, a | True], axis=1)
    assert np.array_equal(slow_outputs(back, bits), expected)
    assert Gate.FALSE in back.gate


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", FormatError, "byte 0 starts b''"),
        (b"aag 1 1 0 1 0\n2\n", FormatError, "ASCII AIGER"),
        (b"aig 1 1 0 1\n2\n", FormatError, "expected 'aig M I L O A'"),
        (b"aig 2 1 1 1 0\n2\n2\n", UnsupportedError, "latches"),
        (b"aig 1 1 0 0 0 1\n2\n", UnsupportedError, "properties"),
        (b"aig 9 1 0 1 0\n2\n", FormatError, r"9 variables, expected 1 \+ 0"),
        (b"aig 1 1 0 1 0\n4\n", FormatError, "output 0 at byte 14 is b'4'"),
        (b"aig 1 1 0 1 0\n2", FormatError, "output 0 at byte 14"),
        (b"aig 2 1 0 1 1\n4\n\x02", FormatError, "AND 0 of 1 at byte 17 is truncated or damaged"),
        (b"aig 2 1 0 1 1\n4\n\x00\x01", FormatError, "AND 0 of 1 at byte 16"),
        (b"aig 2 1 0 1 1\n4\n\x05\x00", FormatError, "AND 0 of 1 at byte 16"),
        (b"aig 2 1 0 1 1\n4\n\x02\x00i1 x\n", FormatError, "byte 18: b'i1 x' is no symbol"),
        (b"aig 99999999 1 0 1 99999998\n4\n", FormatError, "do not fit into 30 bytes"),
    ],
)
def test_damaged(data, error, message):
    with pytest.raises(error, match=message):
        read_aig(data)


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(deadline=None, max_examples=200)
def test_flipped_bytes_never_crash(where, flip):
    raw = bytearray(write_aig(random_circuit(2, n_gates=60), outputs=[f"o{k}" for k in range(30)]))
    raw[where % len(raw)] ^= flip
    try:
        circuit = read_aig(bytes(raw))
    except GatewrightError:
        return
    assert circuit.n_nodes >= 0
