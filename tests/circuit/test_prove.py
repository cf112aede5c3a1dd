import importlib
import importlib.util
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit import Circuit, Encoder, Head, prove, require_equal, simplify
from gatewright.circuit.arithmetic import popcount
from gatewright.circuit.builder import Builder
from gatewright.circuit.evaluate import evaluate
from gatewright.circuit.proof.prove import possible_inputs, sample_of
from gatewright.circuit.simplify.rewriting import rewrite
from gatewright.errors import MissingExtraError, OptionError, ShapeError, ToolError, VerificationError
from gatewright.gates import Gate
from support.circuits import (
    SETS_OF_RULES,
    circuits,
    random_circuit,
    random_features,
    slow_counts,
    slow_encode,
    slow_outputs,
)

ENGINES = ["abc", "sat"]
MODULE = importlib.import_module("gatewright.circuit.proof.prove")  # the package has the function under that name


def all_bits(n):
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(bool)


def value(circuit, bits):
    return slow_outputs(circuit, bits) if circuit.head is None else slow_counts(circuit, bits)


def mutated(circuit, seed):
    """One gate replaced by another that has operands, too."""
    rng = np.random.default_rng(seed)
    gate = circuit.gate.copy()
    candidates = np.flatnonzero(~np.isin(gate, [Gate.FALSE, Gate.TRUE]))
    at = rng.choice(candidates)
    gate[at] = rng.choice([g for g in range(1, 15) if g != gate[at]])
    return circuit.replace(gate=gate)


def small(seed, **options):
    return random_circuit(seed, n_inputs=7, n_gates=40, n_outputs=9, **options)


@pytest.mark.parametrize("engine", ENGINES)
@given(circuit=circuits)
@settings(deadline=None, max_examples=40)
def test_simplification_is_proven(engine, circuit):
    proof = prove(circuit, simplify(circuit), engine=engine)
    assert proof.equal, proof
    assert proof.counterexample is None


@pytest.mark.parametrize("rules", SETS_OF_RULES, ids=str)
def test_every_rule_is_proven(rules):
    for seed in range(8):
        circuit = random_circuit(seed, n_inputs=12, n_gates=150, dtype="uint8", head=seed % 2 == 0)
        assert prove(circuit, rewrite(circuit, rules)[0]).equal


@pytest.mark.parametrize("engine", ENGINES)
@given(seed=st.integers(0, 2**32 - 1), head=st.booleans())
@settings(deadline=None, max_examples=40)
def test_the_verdict_is_that_of_trying_everything(engine, seed, head):
    # Without the random simulation, so that the engines themselves have to find the differences.
    circuit = small(seed, head=head, encoder=False)
    simplified = simplify(circuit)
    if not (simplified.gate[~np.isin(simplified.gate, [Gate.FALSE, Gate.TRUE])]).size:
        return
    broken = mutated(simplified, seed)
    bits = all_bits(7)
    equal = np.array_equal(value(circuit, bits), value(broken, bits))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MODULE, "_SIMULATED", 4)
        proof = prove(circuit, broken, engine=engine)
    assert proof.equal is equal
    if not equal:
        example = proof.counterexample[None]
        assert not np.array_equal(value(circuit, example), value(broken, example))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("head", [False, True])
def test_a_difference_on_one_input_in_2_to_60_is_found(engine, head):
    # NOT x0 AND x1 AND ... AND x59, against FALSE; random inputs miss it, and so does the one with all true.
    builder = Builder(60)
    node = int(builder.append(Gate.NOT_A_AND_B, 0, 1))
    for other in range(2, 60):
        node = int(builder.append(Gate.AND, node, other))
    one = builder.build([node, 1])
    two = Circuit(60, [Gate.FALSE], [0], [0], [60, 1])
    if head:
        one, two = (c.replace(head=Head([0, 1], [0, 0])) for c in (one, two))
    proof = prove(one, two, engine=engine)
    assert proof.equal is False
    assert proof.method == engine
    assert proof.counterexample.tolist() == [False] + [True] * 59


@pytest.mark.parametrize("engine", ENGINES)
def test_outputs_in_another_order_of_one_class_count_the_same(engine):
    circuit = small(3, encoder=False, classes=3)
    order = np.random.default_rng(0).permutation(circuit.n_outputs)
    head = Head(circuit.head.group[order], circuit.head.offset, circuit.head.tau)
    shuffled = circuit.replace(outputs=circuit.outputs[order], head=head)
    assert prove(circuit, shuffled, engine=engine).equal
    moved = circuit.replace(head=Head((circuit.head.group + 1) % 3, circuit.head.offset))
    assert prove(circuit, moved, engine=engine).equal is False


def test_adders_are_made_only_if_outputs_do_not_correspond(monkeypatch):
    circuit = small(3, head=True)
    monkeypatch.setattr(MODULE, "count_circuits", None)
    assert prove(circuit, simplify(circuit), engine="sat").equal


@pytest.mark.parametrize("engine", ENGINES)
def test_equal_counts_without_corresponding_outputs(engine):
    # x + y = (x AND y) + (x OR y): no output corresponds to another.
    head = Head([0, 0, 1], [1, 0])
    one = Circuit(3, [], [], [], [0, 1, 2], None, head)
    two = Circuit(3, [1, 7], [0, 0], [1, 1], [3, 4, 2], None, head)
    proof = prove(one, two, engine=engine)
    assert proof.equal
    assert "counts by adders" in proof.detail
    off = two.replace(head=Head([0, 0, 1], [1, 1]))
    assert prove(one, off, engine=engine).equal is False


@pytest.mark.parametrize("engine", ENGINES)
def test_two_adder_trees(engine):
    """Different structures of one function: what merging of inner nodes is for."""
    n = 24
    builder = Builder(n)
    one = builder.build(popcount(builder, np.arange(n)))
    order = np.random.default_rng(1).permutation(n)
    builder = Builder(n)
    two = builder.build(popcount(builder, np.concatenate([order[:12:-1], order[:13]])))
    one_small, two_small = (_narrow(c, 9) for c in (one, two))
    assert prove(one_small, two_small, engine=engine).equal


def _narrow(circuit, n):
    """The circuit with all inputs from n on tied to FALSE."""
    builder = Builder(n)
    inputs = np.append(np.arange(n), np.full(circuit.n_inputs - n, builder.constant(False)))
    return builder.build(builder.include(circuit, inputs)[circuit.outputs])


@pytest.mark.parametrize("engine", ENGINES)
def test_time_runs_out(engine):
    n = 60
    builder = Builder(n)
    one = builder.build(popcount(builder, np.arange(n)))
    builder = Builder(n)
    two = builder.build(popcount(builder, np.random.default_rng(1).permutation(n)))
    start = time.monotonic()
    proof = prove(one, two, engine=engine, timeout=2.0)
    assert time.monotonic() - start < 10
    assert proof.equal is None
    assert "gave up after 2 s" in proof.detail
    with pytest.raises(VerificationError, match="could not be proven"):
        require_equal(one, two, engine=engine, timeout=0.2)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float32"])
def test_possible_inputs_are_what_the_encoder_makes(dtype):
    for seed in range(10):
        circuit = random_circuit(seed, n_inputs=9, n_gates=0, n_outputs=1, dtype=dtype)
        made = evaluate(possible_inputs(circuit.encoder), all_bits(9))
        x = sample_of_all(circuit.encoder, made)
        assert np.array_equal(slow_encode(circuit, x), made)  # each is possible
        patterns = {row.tobytes() for row in made}
        for row in slow_encode(circuit, random_features(circuit, 500, seed)):
            assert row.tobytes() in patterns  # and nothing else is


def sample_of_all(encoder, bits):
    return np.stack([sample_of(encoder, row) for row in bits])


def test_counterexamples_are_samples():
    enc = Encoder([0, 0, 1], [10, 20, 5], (2,), "uint8", ("age", "size"))
    one = Circuit(3, [2], [0], [1], [3], enc)
    two = Circuit(3, [6], [0], [1], [3], enc)
    assert prove(one, two).equal  # 20 implies 10
    assert prove(one.replace(encoder=None), two.replace(encoder=None)).equal is False
    three = Circuit(3, [7], [0], [1], [3], enc)
    proof = prove(one, three)
    assert proof.equal is False
    assert proof.sample.dtype == np.uint8
    bits = slow_encode(one, proof.sample[None])
    assert np.array_equal(bits[0], proof.counterexample)
    assert not np.array_equal(slow_outputs(one, bits), slow_outputs(three, bits))
    with pytest.raises(VerificationError, match=r"the circuits differ .* on the input \[\d+,"):
        require_equal(one, three)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_different_encoders_are_compared_on_raw_samples(dtype):
    # x >= 7 and not x >= 9, with thresholds in another order and one that is not used.
    one = Circuit(2, [2], [0], [1], [2], Encoder([0, 0], [7, 9], (1,), dtype))
    two = Circuit(3, [4], [1], [2], [3], Encoder([0, 0, 0], [3, 9, 7], (1,), dtype))
    proof = prove(one, two)
    assert proof.equal
    assert "every raw sample" in proof.detail
    off = two.replace(encoder=Encoder([0, 0, 0], [3, 9, 8], (1,), dtype))
    proof = prove(one, off)
    assert proof.equal is False
    x = proof.sample[None]
    assert x.dtype == dtype
    assert slow_outputs(one, slow_encode(one, x)) != slow_outputs(off, slow_encode(off, x))
    assert np.array_equal(slow_encode(one, x)[0], proof.counterexample)


def test_what_cannot_be_compared_is_refused():
    one = Circuit(2, [1], [0], [1], [2])
    with pytest.raises(ShapeError, match="2 and 3 inputs"):
        prove(one, Circuit(3, [1], [0], [1], [3]))
    with pytest.raises(ShapeError, match="1 and 2 outputs"):
        prove(one, one.replace(outputs=[2, 2]))
    with pytest.raises(ShapeError, match="one circuit has a head"):
        prove(one, one.replace(head=Head([0], [0])))
    with pytest.raises(ShapeError, match="1 and 2 classes"):
        prove(one.replace(head=Head([0], [0])), one.replace(head=Head([0], [0, 0])))
    with pytest.raises(OptionError, match="did you mean 'sat'"):
        prove(one, one, engine="sats")


def test_missing_tools(monkeypatch):
    circuit = Circuit(2, [6, 1, 8, 8], [0, 0, 0, 3], [1, 1, 1, 4], [2])
    other = circuit.replace(outputs=[5])
    assert prove(circuit, other).equal
    monkeypatch.setattr("gatewright.runtime.abc.find_abc", lambda: None)
    monkeypatch.setattr(MODULE, "find_abc", lambda: None)
    with pytest.raises(MissingExtraError, match=r"ABC is not installed.*pyosys.*\[prove\]"):
        prove(circuit, other, engine="abc")
    builder = Builder(3)
    absorbed = builder.build([builder.append(Gate.AND, 0, builder.append(Gate.OR, 0, 1))])
    wire = Circuit(3, [], [], [], [0])
    assert prove(absorbed, wire).method == "sat"
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "pysat" else real(name))
    with pytest.raises(MissingExtraError, match=r"neither ABC nor python-sat.*python-sat>=.*\[prove\]"):
        prove(absorbed, wire)
    # What needs no tool still works: the same graph, or a difference that simulation finds.
    assert prove(wire, wire).method == "structure"
    assert prove(wire, wire.replace(outputs=[1])).method == "simulation"


def test_a_broken_tool_is_reported(monkeypatch, tmp_path):
    fake = tmp_path / "abc"
    fake.write_text("#!/bin/sh\necho no such thing\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setattr("gatewright.runtime.abc.find_abc", lambda: fake)
    circuit = Circuit(2, [1], [0], [1], [2])
    with pytest.raises(ToolError, match=r"exit code 3: no such thing"):
        prove(circuit, circuit, engine="abc")
