"""Netlists as other tools write them: what says nothing about the function is skipped, the rest is read or refused."""

import numpy as np
import pytest

from gatewright import verify
from gatewright.circuit import Circuit
from gatewright.errors import FormatError, GatewrightError, UnsupportedError
from gatewright.formats import export, from_blif, from_verilog
from gatewright.runtime.programs import run_yosys
from support.circuits import random_circuit

XOR = Circuit(2, [6], [0], [1], [2])
STATEMENTS = [
    *(".area 3", ".delay a INV 1 2 3 4 5 6", ".wire_load_slope 0.1", ".wire 1 2", ".clock a", ".clock_event 1 r'a"),
    *(".cycle 10", ".input_arrival a 0 0", ".input_required a 0 0", ".input_drive a 1 1", ".max_input_load a 1"),
    *(".output_arrival y 0 0", ".output_required y 1 1", ".output_load y 1", ".default_input_arrival 0 0"),
    *(".default_input_required 0 0", ".default_input_drive 1 1", ".default_max_input_load 1", ".latch_order"),
    *(".default_output_arrival 0 0", ".default_output_required 1 1", ".default_output_load 1"),
    *('.attr src file.v:3 "a b"', ".cname $xor$1", ".param WIDTH 00000010"),
]


@pytest.mark.parametrize("end", ["", ".end\n"])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_statements_without_a_function_are_skipped(tmp_path, statement, end):
    path = tmp_path / "f.blif"
    path.write_text(f".model m\n.inputs a b\n.outputs y\n{statement}\n.names a b y\n10 1\n01 1\n{statement}\n{end}")
    assert verify(XOR, path).equal


@pytest.mark.parametrize(
    "statement",
    [
        *(
            ".exdc",
            ".gate INV A=a O=q",
            ".subckt m a=a y=q",
            ".mlatch D D=a Q=q re c 2",
            ".search lib.blif",
            ".blackbox",
        ),
        *(".latch a q re b 2", ".start_kiss", ".mv a 2", ".table a q", ".flop D=a Q=q", ".short a q", ".onehot a b"),
    ],
)
def test_statements_with_a_function_are_refused_by_name(tmp_path, statement):
    path = tmp_path / "f.blif"
    path.write_text(f".model m\n.inputs a b\n.outputs y\n.names a b y\n10 1\n01 1\n{statement}\n.end\n")
    with pytest.raises(UnsupportedError, match=rf"f\.blif, line 7: \{statement.split()[0]}"):
        from_blif(path)


def test_what_yosys_writes_with_every_remark(tmp_path):
    circuit = random_circuit(4, 12, 80, 10, head=False, encoder=False)
    (path,) = export(circuit, "verilog", tmp_path)
    options = "-conn -attr -param -cname -iname -iattr"
    run_yosys([f"read_verilog {path.name}", "techmap", f"write_blif {options} out.blif"], tmp_path, 60)
    text = (tmp_path / "out.blif").read_text()
    assert all(f"\n{word} " in text for word in (".conn", ".attr", ".cname"))
    assert verify(circuit, tmp_path / "out.blif").equal
    other = circuit.replace(outputs=np.roll(circuit.outputs, 1))
    assert verify(other, tmp_path / "out.blif").equal is False


@pytest.mark.parametrize(
    "body",
    [
        "assign y = y2; wire y2 = ~y;",
        "reg r; always @* if (a) r = 1; assign y = r;",
        "assign y = undriven;",
        "assign y = 1'bx;",
        "assign y = a; assign y = ~a;",
        "syntax error",
        "unknown u(a, y);",
        "reg [3:0] m [0:3]; reg q; always @(posedge a) begin m[0] <= 1; q <= m[1][0]; end assign y = q;",
    ],
)
def test_messages_name_the_file_that_was_given(tmp_path, body):
    path = tmp_path / "mine.v"
    path.write_text(f"module m(input a, output y);\n{body}\nendmodule\n")
    with pytest.raises(GatewrightError) as caught:
        from_verilog(path)
    assert "mine.v" in str(caught.value)
    assert not [name for name in ("source.v", "netlist.blif", "gatewright-") if name in str(caught.value)]


def test_a_second_reader_names_the_file_that_was_given(tmp_path):
    path = tmp_path / "mine.aag"
    path.write_text("aag 1 1 0 1 0\n2\n2\ni0 x\ni1 y\n")
    with pytest.raises(FormatError, match=r"mine\.aag"):
        verify(path, path)
