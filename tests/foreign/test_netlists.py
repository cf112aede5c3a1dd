"""Netlists in and out again: read, simplified, proven, with the encoder and head they belong to."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import gatewright as gw
from gatewright.circuit.aag import read_aag
from gatewright.errors import FormatError, OptionError, ShapeError, ToolError, UnsupportedError
from gatewright.foreign.netlists import netlist_circuit
from support.circuits import random_circuit, random_features
from support.commands import gatewright

FORMATS = {"aiger": "model.aig", "blif": "model.blif", "verilog": "model.v"}


@pytest.fixture(scope="module")
def digits():
    return gw.load("digits").circuit


@pytest.mark.parametrize("format_", FORMATS)
def test_round_trips_are_proven(tmp_path, format_):
    circuit = gw.simplify(random_circuit(3, n_inputs=12, n_gates=120, n_outputs=12, classes=3))
    gw.export(circuit, format_, tmp_path, **({} if format_ != "verilog" else {"encoder": False, "head": False}))
    read = gw.import_network(tmp_path / FORMATS[format_], like=circuit)
    assert gw.prove(circuit, read).equal
    assert gw.prove(read, gw.simplify(read)).equal
    x = random_features(circuit, 200)
    assert (gw.Engine(read).scores(x) == gw.Engine(circuit).scores(x)).all()
    alone = gw.import_network(tmp_path / FORMATS[format_])
    assert alone.encoder is None
    assert alone.head is None
    assert alone.metadata["imported"] == FORMATS[format_]


def test_ascii_aiger(tmp_path):
    text = b"aag 3 2 0 1 1\n2\n4\n6\n6 2 4\n"
    (tmp_path / "and.aag").write_bytes(text)
    read = gw.import_network(tmp_path / "and.aag")
    assert gw.prove(read, read_aag(text, source="x")).equal


def test_ports_are_matched_by_name_not_by_place(tmp_path):
    circuit = gw.Circuit(2, gate=[2, 5], a=[0, 1], b=[1, 1], outputs=[2, 3])
    (tmp_path / "m.blif").write_text(
        ".model m\n.inputs bits[1] bits[0]\n.outputs outputs[1] outputs[0]\n"
        ".names bits[0] bits[1] outputs[0]\n10 1\n.names bits[1] outputs[1]\n1 1\n.end\n"
    )
    assert gw.prove(circuit, gw.import_network(tmp_path / "m.blif", like=circuit)).equal


def test_what_does_not_fit_is_refused(tmp_path):
    circuit = random_circuit(3, n_inputs=12, n_gates=50, n_outputs=8, classes=3)
    other = random_circuit(3, n_inputs=12, n_gates=50, n_outputs=7, classes=3)
    gw.export(circuit, "blif", tmp_path)
    with pytest.raises(ShapeError, match="8 outputs, expected 7"):
        gw.import_network(tmp_path / "model.blif", like=other)
    gw.export(circuit, "blif", tmp_path, encoder=True, head=True)
    with pytest.raises(ShapeError, match="contains the encoder or the head as gates"):
        gw.import_network(tmp_path / "model.blif", like=circuit)


@pytest.mark.parametrize("format_", FORMATS)
def test_truncated_netlists_are_refused_by_name(tmp_path, format_):
    gw.export(random_circuit(1), format_, tmp_path)
    path = tmp_path / FORMATS[format_]
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 5])  # names of AIGER's ports come last, and may be missing
    with pytest.raises((FormatError, ToolError), match=path.name):
        gw.import_network(path)


def test_pickles_are_not_read(tmp_path):
    ran = tmp_path / "ran"

    class Harm:
        def __reduce__(self):
            return ran.touch, ()

    for suffix in (".pkl", ".joblib"):
        path = tmp_path / f"model{suffix}"
        path.write_bytes(pickle.dumps(Harm()))
        with pytest.raises(UnsupportedError, match="a pickle, which runs code"):
            gw.import_network(path)
    assert not ran.exists()


def test_other_sources_are_refused_by_name(tmp_path):
    with pytest.raises(OptionError, match=r"unknown suffix of foreign networks '\.onnx'"):
        gw.import_network("model.onnx")
    with pytest.raises(OptionError, match="holds no file of a foreign network"):
        gw.import_network(tmp_path)
    with pytest.raises(UnsupportedError, match=r"a builtins\.dict is not a network"):
        gw.import_network({})
    with pytest.raises(OptionError, match=r"unknown option for \.blif files 'quantize'"):
        gw.import_network("model.blif", quantize=3)


def test_the_command(tmp_path, digits):
    gw.export(digits, "aiger", tmp_path)
    out = tmp_path / "out.gw"
    done = gatewright(
        "import",
        tmp_path / "model.aig",
        "-o",
        out,
        "--like",
        "digits",
        "--dataset",
        "digits",
        "--split",
        "test",
        "--json",
    )
    assert done.code == 0, done.err
    assert done.json["proof"]["equal"]
    assert done.json["logic_ops"] == gw.cost(netlist_circuit(tmp_path / "model.aig", like=digits)).logic_ops
    test = gw.load_dataset("digits").test
    assert done.json["accuracy"] == np.mean(gw.Engine(digits).predict(test.x) == test.y)
    assert (gw.load(out).predict(test.x) == gw.Engine(digits).predict(test.x)).all()
    shown = gatewright("import", tmp_path / "model.aig", "-o", out, "--no-proof")
    assert "skipped" in shown.out
    assert "model.aig" in shown.out


def test_the_command_explains_what_is_wrong(tmp_path):
    done = gatewright("import", "missing.blif", "-o", tmp_path / "out.gw")
    assert done.code == 2
    assert "missing.blif" in done.err
    done = gatewright("import", "x.json", "-o", tmp_path / "out.gw", "--shape", "1,x")
    assert done.code == 2
    assert "--shape '1,x': expected sizes between commas" in done.err
