"""Heads that give a number: what they refuse, and that simplification, proofs, files, engine and commands keep it."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gatewright as gw
from gatewright.circuit import Circuit, Head, cost, load_circuit, prove, save_circuit, simplify
from gatewright.circuit.evaluate import counts, evaluate
from gatewright.circuit.head_gates import with_head_gates
from gatewright.columns import Column
from gatewright.engine import Engine
from gatewright.errors import FormatError, OptionError, ShapeError
from gatewright.hardware import synth
from support.circuits import random_circuit
from support.commands import gatewright

NUMBER = (1.5, -0.25)


def numbered(seed=0, offset=3, number=NUMBER):
    """A random circuit whose outputs count several times each."""
    plain = random_circuit(seed, encoder=False)
    outputs = np.repeat(plain.outputs, np.random.default_rng(seed).integers(1, 6, plain.n_outputs))
    return plain.replace(outputs=outputs, head=Head(np.zeros(len(outputs), int), [offset], number=number))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"number": (1.0,)}, "expected two finite numbers"),
        ({"number": (np.nan, 1.0)}, "expected two finite numbers"),
        ({"number": (0.0, 0.0)}, "other than 0 that a float32 holds"),
        ({"number": (0.0, 0.1)}, "that a float32 holds"),
        ({"number": (0.0, 1e300)}, "that a float32 holds"),
        ({"offset": [-1]}, "counts from 0"),
        ({"offset": [1 << 29]}, "counts from 0"),
        ({"offset": [0, 0]}, "one count"),
        ({"class_names": ("one",)}, "one count"),
        ({"places": (1, 1)}, "one count"),
    ],
)
def test_what_is_no_head_of_numbers_is_refused(changes, message):
    with pytest.raises(FormatError, match=message):
        Head(**{"group": [0, 0], "offset": [0], "number": NUMBER} | changes)


@given(st.integers(0, (1 << 29) - 1), st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(-1e9, 1e9))
def test_products_are_exact(count, scale, base):
    if scale == 0:
        return
    numerator, denominator = float(scale).as_integer_ratio()
    product = float(scale) * float(count)
    assert product.as_integer_ratio()[0] * denominator == numerator * count * product.as_integer_ratio()[1]
    assert Head([], [0], number=(base, scale)).numbers(np.array([[count]]))[0] == base + product


@pytest.mark.parametrize("seed", range(4))
def test_numbers_survive_simplification_files_and_the_engine(seed, tmp_path):
    circuit = numbered(seed)
    small = simplify(circuit)
    bits = np.random.default_rng(seed).random((300, circuit.n_inputs)) < 0.5
    whole = counts(circuit, bits)[:, 0]
    np.testing.assert_array_equal(counts(small, bits)[:, 0], whole)
    np.testing.assert_array_equal(Engine(small).predict(bits), 1.5 - 0.25 * whole)
    assert prove(circuit, small).equal
    save_circuit(small, tmp_path / "n.gw")
    assert load_circuit(tmp_path / "n.gw").same_as(small)
    out = evaluate(with_head_gates(small), bits)
    np.testing.assert_array_equal(out @ (1 << np.arange(out.shape[1])), whole)
    assert cost(circuit).head_ops == cost(small).head_ops > 0
    assert "number=1.5 + -0.25 * count" in repr(small)
    assert "a number" in repr(Engine(small)) + repr(gw.load(small))


def test_files_of_classes_are_as_they_were(tmp_path):
    circuit = random_circuit(1)
    save_circuit(circuit.replace(head=Head(np.zeros(circuit.n_outputs, int), [0])), tmp_path / "c.gw")
    assert b"number" not in (tmp_path / "c.gw").read_bytes()


def test_other_numbers_of_the_same_count_are_not_called_equal():
    one, two, three = numbered(), numbered(number=(1.5, 0.25)), numbered(number=())
    for other in (two, three):
        with pytest.raises(ShapeError, match=r"make of their counts a number, 1.5 \+ -0.25 \* count and"):
            prove(one, other)


@pytest.mark.parametrize("form", ["verilog", "blif", "aiger"])
def test_netlists_are_proven_with_and_without_head(form, tmp_path):
    circuit = numbered(2)
    suffix = {"verilog": ".v", "blif": ".blif", "aiger": ".aig"}[form]
    for head in (True, False):
        gw.export(circuit, form, tmp_path, name="net", head=head)
        assert gw.verify(circuit, tmp_path / f"net{suffix}").equal
    gw.export(circuit, form, tmp_path, name="net", head=True)
    with pytest.raises(ShapeError, match=r"gives a count, but|outputs, expected"):
        gw.verify(circuit.replace(head=None), tmp_path / f"net{suffix}")
    with pytest.raises(OptionError, match="always binary"):
        with_head_gates(circuit, output="onehot")


def test_hardware_counts_the_head():
    report = synth(numbered(), "generic")
    assert report.parts["head"].luts.value > 0


def test_commands_write_numbers_and_refuse_what_takes_classes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = (Column("age", "integer"), Column("size", "float"))
    encoder = gw.Encoder([0, 0, 1], [10, 20, 0.5], (2,), "float32", ("age", "size"), ("uint7", "float32"), columns)
    circuit = Circuit(3, [1], [0], [2], [3, 1, 1], encoder, Head([0, 0, 0], [0], number=(2.0, 0.5)))
    save_circuit(circuit, "n.gw")
    frame = pd.DataFrame({"id": ["a", "b", "c"], "age": [30, 12, 5], "size": [1.0, 2.0, 0.0]})
    frame.to_csv("in.csv", index=False)
    assert gatewright("predict", "n.gw", "in.csv", "-o", "out.csv").code == 0
    written = pd.read_csv("out.csv")
    assert written.id.tolist() == ["a", "b", "c"]
    assert written.prediction.tolist() == [3.5, 2.5, 2.0]
    np.save("in.npy", frame[["age", "size"]].to_numpy(np.float32))
    assert gatewright("predict", "n.gw", "in.npy", "-o", "out.npy").code == 0
    assert np.load("out.npy").tolist() == [3.5, 2.5, 2.0]
    assert gatewright("predict", "n.gw", "in.csv", "-o", "out.csv", "--scores").code == 2
    for data, message in (("in.csv", "column 'id' of in.csv holds texts"), ("breast-cancer", "--target is of tables")):
        done = gatewright("eval", "n.gw", "--dataset", data, "--target", "id")
        assert done.code == 2
        assert message in " ".join(done.err.split())
    assert json.loads(gatewright("info", "n.gw", "--json").out)["head"]["number"] == "2 + 0.5 * count"
    assert gatewright("report", "n.gw", "-o", "report.html").code == 0
