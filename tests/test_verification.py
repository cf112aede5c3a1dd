"""Any two of run, circuit, AIGER, BLIF and Verilog: proven equal, or told apart by a sample."""

import re

import numpy as np
import pytest

import gatewright as gw
from gatewright.circuit import Circuit, Encoder, Head, save_circuit, simplify
from gatewright.errors import DataError, FormatError, OptionError, ShapeError, ToolError, UnsupportedError
from gatewright.formats import READERS, export, from_blif, from_verilog
from gatewright.gates import Gate
from gatewright.verification import read, verify
from support.circuits import random_circuit, random_features, slow_classes, slow_counts, slow_encode, slow_outputs

INTERFACES = {
    "gates": {"encoder": False, "head": False},
    "classes": {"encoder": False, "head": True},
    "samples": {"encoder": True, "head": False},
    "whole": {"encoder": True, "head": True},
}
SUFFIX = {"aiger": "aig", "blif": "blif", "verilog": "v"}


LOGIC = [1, 2, 4, 6, 7, 8, 9, 11, 13, 14]


@pytest.fixture
def circuit():
    made = random_circuit(5, 24, 300, 40, dtype="uint8", classes=4, gates=LOGIC)
    return simplify(made.replace(head=Head(made.head.group, [0, 1, 0, -1])))


def changed(circuit, value=slow_classes):
    """One gate replaced by its inverse, the first one that changes a class (or count) on some of these samples."""
    bits = slow_encode(circuit, random_features(circuit, 300))
    for at in range(circuit.n_gates):
        gate = circuit.gate.copy()
        gate[at] ^= 15
        other = circuit.replace(gate=gate)
        if not np.array_equal(value(circuit, bits), value(other, bits)):
            return other
    pytest.fail("no gate matters")


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("kind", SUFFIX)
def test_a_circuit_and_what_it_was_exported_to(circuit, tmp_path, kind, interface):
    save_circuit(circuit, tmp_path / "c.gw")
    export(circuit, kind, tmp_path, name="good", **INTERFACES[interface])
    proof = verify(tmp_path / "c.gw", tmp_path / f"good.{SUFFIX[kind]}")
    assert proof.equal, proof
    assert verify(tmp_path / f"good.{SUFFIX[kind]}", tmp_path / "c.gw").equal

    other = changed(circuit)
    export(other, kind, tmp_path, name="bad", **INTERFACES[interface])
    proof = verify(tmp_path / "c.gw", tmp_path / f"bad.{SUFFIX[kind]}")
    assert proof.equal is False
    x = proof.sample[None]
    assert x.shape == (1, 12)
    assert x.dtype == np.uint8
    value = slow_classes if INTERFACES[interface]["head"] else slow_counts
    assert not np.array_equal(value(circuit, slow_encode(circuit, x)), value(other, slow_encode(other, x)))


@pytest.mark.parametrize("interface", INTERFACES)
def test_netlists_of_different_formats(circuit, tmp_path, interface):
    for kind in SUFFIX:
        export(circuit, kind, tmp_path, **INTERFACES[interface])
    paths = [tmp_path / f"model.{suffix}" for suffix in SUFFIX.values()]
    for i, one in enumerate(paths):
        for two in paths[i + 1 :]:
            assert verify(one, two).equal
    export(changed(circuit), "blif", tmp_path, name="other", **INTERFACES[interface])
    assert verify(tmp_path / "model.aig", tmp_path / "other.blif").equal is False


@pytest.mark.parametrize("dtype", ["bool", "int16", "float32"])
def test_samples_of_every_type(tmp_path, dtype):
    circuit = simplify(random_circuit(9, 12, 60, 20, dtype=dtype, classes=3, gates=LOGIC))
    save_circuit(circuit, tmp_path / "c.gw")
    export(circuit, "verilog", tmp_path, scores=True)
    assert verify(tmp_path / "c.gw", tmp_path / "model.v").equal
    other = changed(circuit, slow_counts)
    export(other, "verilog", tmp_path, scores=True)
    proof = verify(tmp_path / "model.v", tmp_path / "c.gw")
    assert proof.equal is False
    assert proof.sample.dtype == dtype
    bits = slow_encode(circuit, proof.sample[None])
    assert not np.array_equal(slow_counts(circuit, bits), slow_counts(other, bits))


@pytest.mark.parametrize(("pipeline", "stream"), [(1, False), (3, True), (9, False)])
def test_pipelines_are_what_comes_out_of_them(circuit, tmp_path, pipeline, stream):
    save_circuit(circuit, tmp_path / "c.gw")
    (path, *_) = export(circuit, "verilog", tmp_path, pipeline=pipeline, stream=stream)
    assert verify(tmp_path / "c.gw", path).equal
    # A value taken one register too early is no pipeline any more.
    text = path.read_text()
    late, early = re.search(r"(r\d+_\d+) <= (\S+);", text).groups()
    broken, n = re.subn(rf"(?m)^(wire w\d+ = .*)\b{late}\b", rf"\g<1>{early}", text, count=1)
    assert n == 1
    path.write_text(broken)
    with pytest.raises(UnsupportedError, match="different clocks"):
        verify(tmp_path / "c.gw", path)


def test_a_network_and_the_export_of_its_simplification(tmp_path):
    # Constant outputs, and inverse ones of a class, became offsets: the netlist has fewer outputs than the network.
    raw = random_circuit(3, 20, 400, 60, gates=[0, 15, 1, 6, 7, 12], classes=3)
    small = simplify(raw)
    assert small.n_outputs < raw.n_outputs
    save_circuit(raw, tmp_path / "raw.gw")
    export(small, "blif", tmp_path)
    assert verify(tmp_path / "raw.gw", tmp_path / "model.blif").equal


def test_ports_in_another_order_and_ports_that_are_gone(circuit, tmp_path):
    save_circuit(circuit, tmp_path / "c.gw")
    (path,) = export(circuit, "blif", tmp_path)
    back = from_blif(path)
    text = path.read_text()
    names = re.search(r"^\.inputs (.*)$", text, re.MULTILINE)[1].split()
    used = [name for name in names if re.search(rf"^\.names.* {re.escape(name)}( .*)?$", text, re.MULTILINE)]
    assert len(used) < len(names) == back.n_inputs
    text = text.replace(" ".join(names), " ".join(reversed(used)))
    outputs = re.search(r"^\.outputs (.*)$", text, re.MULTILINE)[1]
    text = text.replace(outputs, " ".join(reversed(outputs.split())))
    path.write_text(text)
    assert verify(tmp_path / "c.gw", path).equal
    # Without names that say anything, only the order counts.
    path.write_text(text.replace("outputs[", "o").replace("bits[", "i").replace("]", ""))
    with pytest.raises(ShapeError, match=rf"has {len(used)} inputs, expected {len(names)}"):
        verify(tmp_path / "c.gw", path)


def test_foreign_verilog_is_read(tmp_path):
    (tmp_path / "majority.v").write_text(
        """
module inner(input [2:0] bits, output most);
    wire [1:0] sum = {1'b0, bits[0]} + {1'b0, bits[1]} + {1'b0, bits[2]};
    assign most = sum[1];
endmodule
module majority(input clock, input [2:0] bits, output reg outputs);
    wire most;
    inner i(.bits(bits), .most(most));
    always @(posedge clock) outputs <= most;
endmodule
"""
    )
    circuit = from_verilog(tmp_path / "majority.v")
    bits = np.arange(8)[:, None] >> np.arange(3) & 1
    assert circuit.n_inputs == 3
    np.testing.assert_array_equal(slow_outputs(circuit, bits.astype(bool))[:, 0], bits.sum(1) >= 2)
    one = Circuit(3, [1, 7, 1, 7], [0, 0, 2, 3], [1, 1, 4, 5], [6])
    save_circuit(one, tmp_path / "one.gw")
    assert verify(tmp_path / "one.gw", tmp_path / "majority.v").equal


def test_what_cannot_be_compared_is_explained(circuit, tmp_path):
    save_circuit(circuit, tmp_path / "c.gw")
    save_circuit(circuit.replace(encoder=None, head=None), tmp_path / "bare.gw")
    export(circuit, "blif", tmp_path, name="whole", encoder=True, head=True)
    export(circuit, "blif", tmp_path, name="classes", head=True)
    with pytest.raises(ShapeError, match="takes features, but the circuit to compare it with has no encoder"):
        verify(tmp_path / "bare.gw", tmp_path / "whole.blif")
    with pytest.raises(ShapeError, match="gives classes, but the circuit to compare it with has no head"):
        verify(tmp_path / "bare.gw", tmp_path / "classes.blif")
    with pytest.raises(ShapeError, match="inputs"):
        verify(tmp_path / "whole.blif", tmp_path / "classes.blif")
    fewer = circuit.replace(outputs=circuit.outputs[1:], head=Head(circuit.head.group[1:], circuit.head.offset))
    save_circuit(fewer, tmp_path / "fewer.gw")
    export(circuit, "aiger", tmp_path)
    with pytest.raises(ShapeError, match=r"model\.aig has \d+ outputs, expected"):
        verify(tmp_path / "fewer.gw", tmp_path / "model.aig")
    (tmp_path / "c.txt").write_text("")
    with pytest.raises(OptionError, match=r"unknown kind of file '\.txt'"):
        read(tmp_path / "c.txt")
    (tmp_path / "bad.v").write_text("module m(input a, output b) assign b = ~a; endmodule\n")
    with pytest.raises(ToolError, match=r"(?s)bad\.v: yosys could not read it.*syntax error"):
        verify(tmp_path / "c.gw", tmp_path / "bad.v")
    (tmp_path / "counter.v").write_text(
        "module m(input clk, output reg [1:0] outputs); always @(posedge clk) outputs <= outputs + 1; endmodule\n"
    )
    with pytest.raises(FormatError, match="depends on itself"):
        read(tmp_path / "counter.v")
    with pytest.raises(DataError, match="No such file"):
        read(tmp_path / "none.v")


def test_registers_of_different_length_are_told_apart(tmp_path):
    (tmp_path / "skew.v").write_text(
        "module m(input clk, input [1:0] bits, output outputs);\n"
        "reg r; always @(posedge clk) r <= bits[0]; assign outputs = r & bits[1];\nendmodule\n"
    )
    with pytest.raises(UnsupportedError, match=r"behind \['0', '1'\] registers"):
        read(tmp_path / "skew.v")


def test_circuits_are_taken_as_they_are(circuit, tmp_path):
    (path, *_) = export(circuit, "blif", tmp_path)
    other = changed(circuit)
    for proof in (gw.verify(circuit, path), gw.verify(path, circuit), gw.verify(circuit, circuit)):
        assert proof.equal
    for proof in (gw.verify(other, path), gw.verify(path, other), gw.verify(circuit, other)):
        assert proof.equal is False
    with pytest.raises(OptionError, match=r"is a folder, expected a file.*runs\.run\.read_circuit"):
        gw.verify(circuit, tmp_path)


def test_a_netlist_format_can_be_added_from_outside(circuit, tmp_path, monkeypatch):
    monkeypatch.setitem(READERS, ".net", from_blif)
    (path, *_) = export(circuit, "blif", tmp_path)
    assert gw.verify(path.rename(tmp_path / "model.net"), circuit).equal


def test_netlists_of_an_encoder_alone(tmp_path):
    encoder = Encoder([0, 0, 1], [10, 20, 5], (2,), "uint8")
    circuit = Circuit(3, [Gate.XOR], [0], [1], [3, 2], encoder)
    save_circuit(circuit, tmp_path / "c.gw")
    export(circuit, "verilog", tmp_path)
    assert verify(tmp_path / "c.gw", tmp_path / "model.v").equal
