"""What is not fully understood is never proven: each of these files once counted as equal to something that it is not."""

import json
import re

import numpy as np
import pytest

from gatewright import verification
from gatewright.circuit import Circuit, Encoder, Head, prove, save_circuit
from gatewright.errors import FormatError, ShapeError, UnsupportedError, VerificationError
from gatewright.formats import export, from_blif, from_verilog
from gatewright.verification import verify
from support.circuits import random_circuit

WIRE = Circuit(2, [], [], [], [1])
AND = Circuit(2, [1], [0], [1], [2])
HEAD_REG = "module m(input [1:0] bits, output reg outputs);"
HEAD = "module m(input [1:0] bits, output outputs);"
CLOCKED = "module m(input clk, input [1:0] bits, output reg outputs);"

NOT_VERILOG_OF_A_WIRE = {
    "a latch": (HEAD_REG + "always @* if (bits[0]) outputs = bits[1]; endmodule", "is a latch"),
    "clocked by data": (HEAD_REG + "always @(posedge bits[0]) outputs <= bits[1]; endmodule", "data"),
    "clocked by logic": (
        CLOCKED + "wire c = clk & bits[0]; always @(posedge c) outputs <= bits[1]; endmodule",
        "clocked by logic",
    ),
    "clock as data": (
        CLOCKED + "reg r; always @(posedge clk) r <= bits[1]; always @* outputs = r & clk; endmodule",
        "'clk', which is data",
    ),
    "two clocks": (
        CLOCKED.replace("clk", "c, input d")
        + "reg r; always @(posedge c) r <= bits[1]; always @(posedge d) outputs <= r; endmodule",
        "several clocks",
    ),
    "both edges": (
        CLOCKED + "reg r; always @(posedge clk) r <= bits[1]; always @(negedge clk) outputs <= r; endmodule",
        "both edges",
    ),
    "initial block": (
        CLOCKED + "initial outputs = 1; always @(posedge clk) outputs <= bits[1]; endmodule",
        "line 1: an initial block",
    ),
    "initial value in the declaration": (
        CLOCKED.replace("reg outputs", "outputs") + "reg r = 1'b0; always @(posedge clk) r <= bits[1];"
        "assign outputs = r; endmodule",
        "initial value",
    ),
    "asynchronous reset": (
        CLOCKED.replace("input clk", "input clk, input rst")
        + "always @(posedge clk or posedge rst) if (rst) outputs <= 0; else outputs <= bits[1]; endmodule",
        "asynchronous reset",
    ),
    "memory": (
        CLOCKED
        + "reg [0:0] k [0:3]; always @(posedge clk) begin k[bits] <= bits[1]; outputs <= k[bits]; end endmodule",
        "memory",
    ),
    "two modules": (
        HEAD
        + "assign outputs = bits[1]; endmodule module n(input [1:0] bits, output outputs); assign outputs = bits[0];"
        " endmodule",
        r"'m', 'n' could be the module",
    ),
    "a marked top": (
        HEAD + "inner i(bits, outputs); endmodule (* top *) module inner(input [1:0] bits, output outputs);"
        "assign outputs = bits[1]; endmodule",
        "could be the module",
    ),
    "a port of a million bits": (
        "module m(input [1:0] bits, output [1048576:0] outputs); assign outputs = {1048577{bits[0]}}; endmodule",
        "bytes of source become a netlist of",
    ),
    "no outputs": ("module m(input [1:0] bits); endmodule", "no outputs"),
    "undriven": (HEAD + "endmodule", "never driven"),
    "a misspelled name": (HEAD + "assign outputs = bits[1] ^ typo; endmodule", "'typo' is used but never driven"),
    "an open input": (
        HEAD
        + "inner i(.a(bits[1]), .y(outputs)); endmodule module inner(input a, input b, output y); assign y = a | b;"
        " endmodule",
        "never driven",
    ),
    "two drivers": (
        HEAD + "assign outputs = bits[1]; assign outputs = bits[0]; endmodule",
        "driven more than once",
    ),
    "two gates on a wire": (
        HEAD + "assign outputs = bits[1] & bits[0]; assign outputs = bits[1] | bits[0]; endmodule",
        "driven more than once",
    ),
    "a gate and a constant": (
        HEAD + "assign outputs = bits[1] & bits[0]; assign outputs = 1'b0; endmodule",
        "driven more than once",
    ),
    "two constants": (HEAD + "assign outputs = 1'b0; assign outputs = 1'b1; endmodule", "driven more than once"),
    "two blocks": (
        HEAD_REG + "always @* outputs = bits[1]; always @* outputs = bits[0]; endmodule",
        "'outputs' is driven more than once",
    ),
    "two instances": (
        HEAD + "inner i(bits[0], outputs); inner j(bits[1], outputs); endmodule "
        "module inner(input a, output y); assign y = a; endmodule",
        "'outputs' is driven more than once",
    ),
    "a driven input": (HEAD + "assign bits[0] = bits[1]; assign outputs = bits[1]; endmodule", "driven more than once"),
    "inout": (
        "module m(input [1:0] bits, inout outputs); assign outputs = bits[1]; endmodule",
        "'outputs' is inout",
    ),
    "an incomplete list": (
        HEAD_REG + "always @(bits[0]) outputs = bits[1]; endmodule",
        r"line 1: always @\(bits\[0\]\) reads 'bits', which its list lacks",
    ),
    "an incomplete list without brackets": (
        HEAD_REG + "wire b = bits[1]; wire a = bits[0]; always @a outputs = b; endmodule",
        "reads 'b', which its list lacks",
    ),
    "an incomplete list of escaped names": (
        HEAD_REG + "wire \\b = bits[1]; wire \\a = bits[0]; always @(\\a ) outputs = \\b ; endmodule",
        "line 1: a block at",
    ),
    "a list with brackets": (HEAD_REG + "always @(bits[(0)]) outputs = bits[1]; endmodule", "line 1: a block at"),
    "a list and a macro": (
        "`define B bits[1]\n" + HEAD_REG + "wire a = bits[0]; always @(a) outputs = `B; endmodule",
        "line 2: a block at",
    ),
    "an event in a block": (
        HEAD_REG + "always @* begin @(bits[0]) outputs = bits[1]; end endmodule",
        "line 1: a block at",
    ),
    "a function of more than its inputs": (
        HEAD + "function f(input x); f = x | bits[1]; endfunction assign outputs = f(1'b0); endmodule",
        "line 1: a function reads 'bits'",
    ),
    "full_case": (
        HEAD_REG
        + "always @* (* full_case *) case (bits) 0: outputs = 0; 2: outputs = 1; 3: outputs = 1; endcase endmodule",
        "full_case",
    ),
    "translate_off": (
        HEAD + "// synopsys translate_off\nassign outputs = bits[0];\n// synopsys translate_on\n"
        "assign outputs = bits[1]; endmodule",
        "line 1: translate_off",
    ),
    "other for synthesis": (
        HEAD + "\n`ifdef SYNTHESIS\nassign outputs = bits[1];\n`else\nassign outputs = bits[0];\n`endif\nendmodule",
        "line 2: SYNTHESIS",
    ),
    "a free value": (HEAD + "(* anyconst *) wire k; assign outputs = bits[1] & k; endmodule", "'k' is a free"),
}


@pytest.mark.parametrize("case", NOT_VERILOG_OF_A_WIRE)
def test_verilog_that_is_no_wire(tmp_path, case):
    text, message = NOT_VERILOG_OF_A_WIRE[case]
    (tmp_path / "m.v").write_text(text)
    with pytest.raises((UnsupportedError, FormatError), match=rf"(?s)m\.v.*{message}"):
        verify(WIRE, tmp_path / "m.v")


def test_unknown_and_tri_state_values(tmp_path):
    zero = Circuit(2, [0], [0], [0], [2])
    for value, circuit, message in (
        ("bits[0] ? bits[1] : 1'bz", AND, r"tri-state \(z\)"),
        ("bits[0] ? bits[1] : 1'bx", AND, r"unknown \(x\)"),
        ("1'bx", zero, r"unknown \(x\)"),
        ("bits[1] & (bits[0] == 1'bx)", zero, r"unknown \(x\)"),
        ("bits[bits + 1]", zero, r"unknown \(x\)"),
        ("bits / bits[1]", AND, r"division that may be by zero"),
    ):
        (tmp_path / "m.v").write_text(f"{HEAD}\n\nassign outputs = {value};\nendmodule\n")
        with pytest.raises(UnsupportedError, match=rf"m\.v.*{message}"):
            verify(circuit, tmp_path / "m.v")


def test_an_export_with_a_line_too_much(tmp_path):
    circuit = random_circuit(5, 24, 100, 20, head=False, encoder=False)
    (path,) = export(circuit, "verilog", tmp_path)
    good = path.read_text()
    assert verify(circuit, path).equal
    for line, message in (
        ("reg q; always @* if (bits[0]) q = bits[1]; assign outputs[3] = q;", "driven more than once"),
        ("assign outputs[3] = bits[0];", "driven more than once"),
        ("assign bits[2] = bits[5];", "driven more than once"),
    ):
        path.write_text(good.replace("endmodule", f"{line}\nendmodule"))
        with pytest.raises(UnsupportedError, match=message):
            verify(circuit, path)
    # In place of an output, a latch, a register, an unknown value.
    target = re.search(r"assign (outputs\[\d+\]) = (w\d+);", good)
    for line in (
        f"reg q; always @* if (bits[0]) q = {target[2]}; assign {target[1]} = q;",
        f"reg q = 1'b1; always @(posedge bits[1]) q <= {target[2]}; assign {target[1]} = q;",
        f"assign {target[1]} = bits[0] ? {target[2]} : 1'bx;",
        "",
    ):
        path.write_text(good.replace(target[0], line))
        with pytest.raises(UnsupportedError):
            verify(circuit, path)


GOOD_VERILOG = {
    "wires": "assign outputs = bits[1];",
    "a full case": "reg r; always @* case (bits) 0: r = 0; 1: r = 0; 2: r = 1; default: r = 1; endcase "
    "assign outputs = r;",
    "a full list": "reg r; always @(bits) begin : b r = bits[0]; if (bits[1]) r = 1; else r = 0; end "
    "assign outputs = r;",
    "a list in parts": "wire a = bits[1], b = bits[0]; reg r; always @(a or b) if (b) r = a; else r = a; "
    "assign outputs = r;",
    "a function": "function f(input a, input b); reg t; begin t = a & b; f = t | a; end endfunction "
    "assign outputs = f(bits[1], bits[0]);",
    "a loop": "reg r; integer i; always @* begin r = 0; for (i = 1; i < 2; i = i + 1) r = r | bits[i]; end "
    "assign outputs = r;",
    "arithmetic": "wire [2:0] s = bits * 3'd1 + 2'd2 - 2'd2; assign outputs = s >= 3'd2;",
    "a constant division": "wire [1:0] s = bits / 2'd2; assign outputs = s[0];",
    "a shift": "wire [1:0] s = bits >> 1; assign outputs = s[0];",
    "an index": "wire [3:0] t = 4'b1100; assign outputs = t[bits];",
    "wired": "wand w; assign w = bits[1]; assign w = 1'b1; assign outputs = w;",
    "parts": "inner #(.W(2)) i(.x(bits), .y(outputs)); endmodule "
    "module inner #(parameter W = 1)(input [W-1:0] x, output y); assign y = x[W-1];",
    "unused unknowns": "wire u = 1'bx; wire [1:0] v; assign outputs = bits[1];",
    "a remark": "// full_case and translate_off are only words here\nassign outputs = bits[1];",
}


@pytest.mark.parametrize("case", GOOD_VERILOG)
def test_verilog_that_is_a_wire(tmp_path, case):
    (tmp_path / "m.v").write_text(f"{HEAD}{GOOD_VERILOG[case]} endmodule\n")
    assert verify(WIRE, tmp_path / "m.v").equal


def test_only_an_enable_that_stalls_registers_is_held(tmp_path):
    data = tmp_path / "data.v"
    data.write_text(
        "module m(input clk, input enable, input a, output reg y); always @(posedge clk) y <= enable & a; endmodule"
    )
    assert list(json.loads(from_verilog(data).metadata["blif.inputs"]).values()) == ["enable", "a"]
    stall = tmp_path / "stall.v"
    stall.write_text(
        "module m(input clk, enable, input a, output reg y); always @(posedge clk) if (enable) y <= a; endmodule"
    )
    assert list(json.loads(from_verilog(stall).metadata["blif.inputs"]).values()) == ["a"]
    both = tmp_path / "both.v"
    both.write_text(
        "module m(input clk, input enable, input a, output reg y, output reg z);"
        "always @(posedge clk) begin if (enable) y <= a; z <= enable; end endmodule"
    )
    with pytest.raises(FormatError, match=r"both\.v.*depends on itself"):
        from_verilog(both)


BLIF = ".model m\n.inputs a b\n.outputs y\n.names a b y\n11 1\n.end\n"


def blif(folder, text, name="m.blif"):
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text)
    return path


def test_nothing_to_compare(tmp_path):
    one = blif(tmp_path, BLIF.replace(".outputs y\n", ""), "one.blif")
    two = blif(tmp_path, BLIF.replace(".outputs y\n", "").replace("11 1", "00 1"), "two.blif")
    with pytest.raises(UnsupportedError, match=r"one\.blif: no \.outputs"):
        verify(one, two)
    (tmp_path / "a.aig").write_bytes(b"aig 2 2 0 0 0\n")
    with pytest.raises(UnsupportedError, match=r"a\.aig.* no outputs"):
        verify(tmp_path / "a.aig", tmp_path / "a.aig")
    save_circuit(Circuit(2, [], [], [], []), tmp_path / "a.gw")
    with pytest.raises(UnsupportedError, match=r"a\.gw has no outputs"):
        verify(tmp_path / "a.gw", tmp_path / "a.gw")


@pytest.mark.parametrize("blank", ["\u1680", "\u3000"])
def test_words_end_with_blanks_and_tabs_alone(tmp_path, blank):
    # Blanks for Python, parts of a name for ABC.
    text = f".model m\n.inputs a{blank}b b\n.outputs y\n.names a{blank}b b y\n11\t1\n.end\n"
    assert verify(AND, blif(tmp_path, text)).equal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BLIF.replace("a b\n.out", "a \\ # more\nb\n.out"), "line 2: a backslash"),
        (BLIF.replace("a b\n.out", "a b \\\n\n.out"), "line 3: a backslash"),
        (BLIF + "\\", "line 7"),
        (BLIF.replace(".end", ".exdc\n.names y\n1\n.end"), r"line 6: \.exdc: don't-cares"),
        (BLIF.replace(".end", ".search x.blif\n.end"), r"line 6: \.search"),
        (BLIF.replace(".names a b y\n11 1", ".names $undef y\n1 1\n.names $undef"), "unknown"),
        (BLIF.replace(".end", ".latch y z re a 0\n.end"), r"line 6: \.latch"),
    ],
)
def test_blif_that_tools_read_in_different_ways(tmp_path, text, message):
    with pytest.raises((FormatError, UnsupportedError), match=message):
        from_blif(blif(tmp_path, text))


def test_a_second_reader_must_agree(tmp_path, monkeypatch):
    path = blif(tmp_path, BLIF)
    assert "once" not in verify(AND, path).detail
    read = verification.read
    monkeypatch.setattr(verification, "read", lambda path: read(path).replace(n_inputs=2, outputs=[2, 2], metadata={}))
    with pytest.raises(
        VerificationError, match=r"m\.blif is ambiguous: ABC sees 2 inputs, 1 outputs and 0 latches, gatewright 2, 2"
    ):
        verify(path, path)
    swapped = {"blif.inputs": json.dumps({"0": "b", "1": "a"}), "blif.outputs": json.dumps({"0": "y"})}
    monkeypatch.setattr(verification, "read", lambda path: read(path).replace(metadata=swapped))
    with pytest.raises(VerificationError, match="input 0 is 'a' for ABC, 'b' for gatewright"):
        verify(path, path)
    monkeypatch.undo()
    monkeypatch.setattr("gatewright.formats.second_reading.find_abc", lambda: None)
    assert "was read once only, as no second reader is installed" in verify(AND, path).detail


def test_ports_that_contradict_their_order(tmp_path):
    one = blif(tmp_path, BLIF.replace("11 1", "10 1"), "one.blif")
    two = blif(tmp_path, BLIF.replace("11 1", "10 1").replace("a b", "b c"), "two.blif")
    with pytest.raises(ShapeError, match=r"not clear which inputs .* 'b' stands at another place"):
        verify(one, two)
    text = BLIF.replace("11 1", "10 1").replace("a b", "x bits[0]")
    with pytest.raises(ShapeError, match=r"bits\[0\] is port 1"):
        verify(Circuit(2, [2], [0], [1], [2]), blif(tmp_path, text))


@pytest.mark.parametrize("threshold", [np.nextafter(2.0**63, 0), 2.0**63, 2.0**64, 1e300])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32"])
def test_thresholds_beyond_all_values_are_constants_everywhere(tmp_path, dtype, threshold):
    encoder = Encoder([0, 0], [threshold, -threshold], (1,), dtype)
    circuit = Circuit(2, [], [], [], [0, 1], encoder)
    export(circuit, "blif", tmp_path, encoder=True)
    assert verify(circuit, tmp_path / "model.blif").equal
    constants = Circuit(2, [0, 15], [0, 0], [0, 0], [2, 3], Encoder([0, 0], [1, 1], (1,), dtype))
    assert prove(circuit, constants).equal
    assert not prove(circuit, constants.replace(outputs=[3, 3])).equal


def test_other_names_are_said(tmp_path):
    head = Head([0, 1], [0, 0], class_names=("cat", "dog"))
    circuit = Circuit(2, [], [], [], [0, 1], Encoder([0, 1], [5, 5], (2,), "uint8", ("height", "width")), head)
    save_circuit(circuit, tmp_path / "a.gw")
    assert "BUT" not in verify(tmp_path / "a.gw", tmp_path / "a.gw").detail
    save_circuit(circuit.replace(head=Head([0, 1], [0, 0], class_names=("dog", "cat"))), tmp_path / "b.gw")
    proof = verify(tmp_path / "a.gw", tmp_path / "b.gw")
    assert (
        "BUT class names stand in another order: class 0 is 'cat' in the first and 'dog' in the second" in proof.detail
    )
    encoder = Encoder([0, 1], [5, 5], (2,), "uint8", ("height", "depth"))
    proof = verify(circuit, circuit.replace(encoder=encoder))
    assert (
        "BUT feature names differ: feature 1 is 'width' in the first and 'depth' in the second (1 such)" in proof.detail
    )
