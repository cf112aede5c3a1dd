"""Features with types of their own: every back end against plain comparisons of the numbers themselves."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewright.circuit import Circuit, Encoder, Head, cost, load_circuit, prove, save_circuit, simplify
from gatewright.circuit.arithmetic import feature_bits, with_encoder_gates
from gatewright.circuit.evaluate import encode, evaluate
from gatewright.circuit.proof.prove import sample_of, sample_of_raw
from gatewright.columns import Column
from gatewright.engine import Engine
from gatewright.errors import DataError, FormatError, OptionError
from gatewright.features import feature_range, holding_type, narrowest_type, type_bits
from gatewright.formats import to_verilog
from gatewright.verification import verify
from support.tools import run, tool  # noqa: F401 - fixtures

WHOLE = st.one_of(
    st.just("bool"), st.integers(1, 63).map(lambda n: f"uint{n}"), st.integers(2, 64).map(lambda n: f"int{n}")
)
KINDS = st.one_of(WHOLE, st.just("float32"))


@st.composite
def encoders(draw, kinds=KINDS):
    """Encoders of up to four features of mixed types, with thresholds that are exact and within their range."""
    types = draw(st.lists(kinds, min_size=1, max_size=4))
    feature, threshold = [], []
    for i, kind in enumerate(types):
        low, high = feature_range(kind)
        if kind == "float32":
            numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
        else:
            top = min(int(high), 1 << 53)
            numbers = st.integers(max(int(low) + 1, -(1 << 53)), top).map(float)
            if high > 1 << 54:
                numbers |= st.integers(1 << 42, (int(high) >> 11) - 1).map(lambda n: float(n << 11))
        for t in sorted(draw(st.lists(numbers, min_size=1, max_size=4))):
            feature.append(i)
            threshold.append(t)
    dtype = holding_type(types)
    return Encoder(feature, threshold, (len(types),), dtype, types=tuple(types))


def samples(encoder, n=40, seed=0):
    """Numbers around the thresholds, at the ends of the types and beyond them."""
    rng = np.random.default_rng(seed)
    x = np.zeros((n, encoder.n_features), np.float64)
    for i, kind in enumerate(encoder.types):
        near = encoder.threshold[encoder.feature == i]
        low, high = feature_range(kind)
        if kind == "float32":
            with np.errstate(over="ignore"):  # below the least finite number is -inf
                below = np.nextafter(near.astype(np.float32), np.float32(-np.inf))
            values = np.concatenate([near, below, [0.0, -0.0]])
        else:
            values = np.concatenate([near, near - 1, [low, high]])
        x[:, i] = rng.choice(values, n)
    if np.dtype(encoder.dtype).kind in "iu":
        ends = np.iinfo(encoder.dtype)
        x = np.clip(x, ends.min, ends.max)
    return x.astype(encoder.dtype)


@settings(max_examples=60, deadline=None)
@given(encoders())
def test_gates_compare_as_numbers_do(encoder):
    circuit = Circuit(encoder.n_bits, [], [], [], range(encoder.n_bits), encoder=encoder)
    x = samples(encoder)
    wanted = x.astype(np.float64)[:, encoder.feature] >= encoder.threshold
    np.testing.assert_array_equal(encode(circuit, x), wanted)
    gates = with_encoder_gates(circuit)
    assert gates.n_inputs == encoder.n_raw_bits == sum(map(type_bits, encoder.types))
    np.testing.assert_array_equal(evaluate(gates, feature_bits(encoder, x)), wanted)
    np.testing.assert_array_equal(evaluate(simplify(gates), feature_bits(encoder, x)), wanted)


@settings(max_examples=40, deadline=None)
@given(encoders())
@example(Encoder([0, 1], [1.0, -float(np.finfo(np.float32).max)], (2,), "float32", types=("bool", "float32")))
def test_samples_are_found_for_bits(encoder):
    x = samples(encoder, 8)
    circuit = Circuit(encoder.n_bits, [], [], [], range(encoder.n_bits), encoder=encoder)
    for bits, raw in zip(encode(circuit, x), feature_bits(encoder, x), strict=True):
        np.testing.assert_array_equal(encode(circuit, sample_of(encoder, bits)[None])[0], bits)
        np.testing.assert_array_equal(encode(circuit, sample_of_raw(encoder, raw)[None])[0], bits)


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**63), 2**63 - 1))
def test_the_narrowest_type_holds_both_ends_and_none_is_narrower(one, two):
    low, high = min(one, two), max(one, two)
    kind = narrowest_type(low, high)
    bits = type_bits(kind)

    def holds(bits):
        ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if low < 0 else (0, (1 << bits) - 1)
        return ends[0] <= low <= high <= ends[1]

    assert holds(bits)
    assert kind in {"bool", "int2"} or not holds(bits - 1)


def test_numbers_beyond_64_bits_are_refused():
    with pytest.raises(DataError, match="subtract a base"):
        narrowest_type(0, 2**63)
    for kind in ("uint64", "int65", "int1", "uint0", "float64", ""):
        with pytest.raises(OptionError, match="unknown feature type"):
            type_bits(kind)


TYPES = ("uint7", "bool", "int5", "float32")


def mixed():
    encoder = Encoder([0, 0, 1, 2, 3, 3], [17, 64, 1, -3, -0.5, 2.25], (4,), "float32", types=TYPES)
    gates = {"gate": [6, 1, 7, 4], "a": [0, 1, 2, 6], "b": [2, 4, 3, 5]}
    return Circuit(6, **gates, outputs=[6, 7, 8, 9], encoder=encoder, head=Head([0, 1, 1, 0], [0, 0]))


def test_a_typed_circuit_is_saved_run_proven_and_exported(tmp_path, tool, run):  # noqa: F811
    circuit = mixed()
    save_circuit(circuit, tmp_path / "mixed.gw")
    again = load_circuit(tmp_path / "mixed.gw")
    assert again.same_as(circuit)
    assert again.encoder.types == TYPES
    x = samples(circuit.encoder, 200)
    wanted = x[:, circuit.encoder.feature] >= circuit.encoder.threshold
    np.testing.assert_array_equal(Engine(circuit).predict(x), Engine(circuit.replace(encoder=None)).predict(wanted))
    assert prove(circuit, simplify(circuit), engine="sat").equal
    to_verilog(circuit, tmp_path, name="mixed", samples=x)
    text = (tmp_path / "mixed.v").read_text()
    assert "input wire [44:0] features" in text
    assert "features[6:0] is feature 0: unsigned, 0 .. 127" in text
    assert verify(circuit, tmp_path / "mixed.v").equal
    tool("iverilog")
    run("iverilog", "-o", tmp_path / "sim", tmp_path / "mixed.v", tmp_path / "mixed_tb.v")
    assert "PASS 200" in run("vvp", tmp_path / "sim", cwd=tmp_path)


def test_arrays_of_64_bits_are_cut_below_not_rounded():
    encoder = Encoder([0], [2.0**60], (1,), "float64", types=("int64",))
    circuit = Circuit(1, [], [], [], [0], encoder)
    x = np.array([[2**60 - 1], [2**60], [-(2**63)], [2**63 - 1]], np.int64)
    assert encode(circuit, x)[:, 0].tolist() == Engine(circuit).outputs(x)[:, 0].tolist() == [False, True, False, True]


def test_no_samples_of_floats_beside_wide_numbers():
    encoder = Encoder([0, 1], [2.0**60, 0.5], (2,), "float64", types=("int64", "float32"))
    assert encoder.samples(np.zeros((0, 2))).shape == (0, 2)


def test_narrow_types_make_cheap_encoders():
    encoder = Encoder(range(8), [1] * 8, (8,), "int32")
    wide = Circuit(8, [], [], [], range(8), encoder=encoder, head=Head([0, 1] * 4, [0, 0]))
    narrow = wide.replace(encoder=Encoder(range(8), [1] * 8, (8,), "int32", types=("bool",) * 8))
    assert cost(wide).encoder_ops > 200
    assert cost(narrow).encoder_ops == 0


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"types": ("uint7",)}, "1 feature types for 2 features"),
        ({"types": ("uint7", "uint99")}, "unknown feature type"),
        ({"types": ("uint9", "bool")}, "uint8 cannot hold features of type uint9"),
        (
            {"types": ("uint4", "bool")},
            r"threshold\[0\] is .*20.*, expected one .* the range of uint4",
        ),
        ({"types": ("float32", "bool")}, "uint8 cannot hold features of type float32"),
        ({"types": ("uint7", "bool"), "columns": (Column("a", "integer"),)}, "columns do not make the 2 features"),
        ({"dtype": "float64"}, "encoder.dtype is 'float64'"),
    ],
)
def test_types_that_do_not_fit_are_named(parts, message):
    with pytest.raises(FormatError, match=message):
        Encoder([0, 1], [20, 1], (2,), **({"dtype": "uint8"} | parts))
