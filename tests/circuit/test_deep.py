import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit import Circuit, deepen, prove, simplify
from gatewright.circuit.aig import from_aiger, to_aiger
from gatewright.circuit.cost import cost
from gatewright.errors import VerificationError
from support.circuits import circuits, random_circuit, slow_counts, slow_outputs


@given(circuits)
@settings(deadline=None, max_examples=15)
def test_deep_is_equal_and_never_larger(circuit):
    plain, _ = simplify(circuit)
    deep, records = deepen(simplify(circuit)[0])
    assert prove(circuit, deep).equal
    assert cost(deep).logic_ops <= cost(plain).logic_ops
    assert [record.name for record in records[-2:]] == ["SAT sweeping", "rewriting"]
    assert deep.n_gates == records[-1].gates_after


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=10)
def test_deep_on_tangled_circuits(seed):
    """Many gates over few inputs: functions that no local rule sees to be equal."""
    circuit = random_circuit(seed, n_inputs=5, n_gates=120, n_outputs=10, encoder=False, gates=[1, 2, 7, 14])
    bits = (np.arange(32)[:, None] >> np.arange(5) & 1).astype(bool)
    deep, _ = deepen(simplify(circuit)[0])
    assert np.array_equal(slow_counts(deep, bits), slow_counts(circuit, bits))


def test_deep_finds_what_the_sweep_cannot():
    # (a AND b) AND (c AND d) and (a AND c) AND (b AND d) are equal, but share no gate.
    circuit = Circuit(4, [1, 1, 1, 1, 1, 1], [0, 2, 4, 0, 1, 7], [1, 3, 5, 2, 3, 8], [6, 9])
    assert cost(simplify(circuit)[0]).logic_ops == 6
    deep, records = deepen(simplify(circuit)[0])
    assert cost(deep).logic_ops == 3
    assert dict(records[-2].removed) == {"SAT sweeping": 3}


def test_a_broken_tool_is_caught(monkeypatch):
    def broken(script, folder, timeout):
        circuit = from_aiger((folder / "in.aig").read_bytes())
        (folder / "out.aig").write_bytes(to_aiger(circuit.replace(outputs=np.zeros(circuit.n_outputs, int))))
        return ""

    monkeypatch.setattr("gatewright.circuit.deep.run_abc", broken)
    circuit = Circuit(2, [6, 1], [0, 0], [1, 1], [2, 3])
    assert slow_outputs(circuit, np.array([[True, True]])).tolist() == [[False, True]]
    with pytest.raises(VerificationError, match="changed the circuit"):
        deepen(simplify(circuit)[0])


def test_what_is_not_proven_in_time_is_dropped(monkeypatch):
    circuit = Circuit(4, [1, 1, 1, 1, 1, 1], [0, 2, 4, 0, 1, 7], [1, 3, 5, 2, 3, 8], [6, 9])
    real = prove
    monkeypatch.setattr("gatewright.circuit.deep.prove", lambda a, b, **_: real(a, b, timeout=0.0001, engine="abc"))
    deep, records = deepen(simplify(circuit)[0])
    assert deep.same_as(simplify(circuit)[0])
    assert [record.removed for record in records[-2:]] == [{}, {}]
