"""Netlists that are not understood in full are refused, so that no proof says more than was read."""

import pytest

from gatewright import verify
from gatewright.circuit import Circuit, Encoder, Head
from gatewright.errors import FormatError, GatewrightError, UnsupportedError
from gatewright.formats import from_blif, from_verilog

WIRE = "module top (input a, input b, input en, output y);\nassign y = b;\nendmodule\n"

VERILOG = {
    "a transparent latch": "module top (input a, input b, input en, output reg y);\nalways @* if (en) y = b;\nendmodule\n",
    "a tri-state driver": "module top (input a, input b, output y);\nassign y = a ? b : 1'bz;\nendmodule\n",
    "an unknown value": "module top (input a, output y);\nassign y = 1'bx;\nendmodule\n",
    "an unknown branch": "module top (input a, input b, output y);\nassign y = a ? b : 1'bx;\nendmodule\n",
    "two clocks": "module top (input c, input d, input a, output reg [1:0] y);\n"
    "always @(posedge c) y[0] <= a;\nalways @(posedge d) y[1] <= a;\nendmodule\n",
    "both edges": "module top (input c, input a, output reg [1:0] y);\n"
    "always @(posedge c) y[0] <= a;\nalways @(negedge c) y[1] <= a;\nendmodule\n",
    "a clock that is data": "module top (input c, input a, output reg y, output z);\n"
    "always @(posedge c) y <= a;\nassign z = c;\nendmodule\n",
    "a clock that is computed": "module top (input c, input a, output reg y);\n"
    "wire d = ~c;\nwire e = c & a;\nalways @(posedge e) y <= a;\nendmodule\n",
    "an initial value": "module top (input c, input a, output reg y);\n"
    "initial y = 1;\nalways @(posedge c) y <= a;\nendmodule\n",
    "two modules at the top": "module one (input a, output y);\nassign y = a;\nendmodule\n"
    "module two (input a, output y);\nassign y = ~a;\nendmodule\n",
    "two drivers": "module top (input a, input b, output y);\nassign y = a;\nassign y = b;\nendmodule\n",
    "two drivers, one the inverse": "module top (input a, input b, output y);\nassign y = b;\nassign y = ~b;\nendmodule\n",
    "two constant drivers": "module top (input a, input b, output [1:0] y);\n"
    "assign y[0] = b;\nassign y = 2'b11;\nassign y[1] = 1'b1;\nendmodule\n",
    "drivers in two modules": "module one (output y);\nassign y = 1'b1;\nendmodule\n"
    "module top (input b, output y);\none u (y);\nassign y = 1'b1;\nendmodule\n",
    "a value that is taken once": "module top (input a, input b, output reg y);\ninitial y = b;\nendmodule\n",
    "a list of signals without edges": "module top (input a, input b, output reg y);\nalways @(a) y = b;\nendmodule\n",
    "a block that waits": "module top (input a, input b, output reg y);\nalways @a y = b;\nendmodule\n",
    "a register that is not declared": "module top (input a, input b, output y);\n"
    "always @* r = b;\nassign y = r;\nendmodule\n",
    "no driver": "module top (input a, output y, output z);\nassign y = a;\nendmodule\n",
    "no outputs": "module top (input a);\nendmodule\n",
}


@pytest.mark.parametrize("what", VERILOG)
def test_verilog_beyond_gates_and_pipelines_is_refused(what, tmp_path):
    path, wire = tmp_path / "odd.v", tmp_path / "wire.v"
    path.write_text(VERILOG[what])
    wire.write_text(WIRE)
    with pytest.raises(GatewrightError):
        from_verilog(path)
    with pytest.raises(GatewrightError):
        verify(path, wire)


@pytest.mark.parametrize(
    "text",
    [
        "module top (input a, output reg y); // initial, @(a)\nalways @ ( * ) y = a; /* @a */\nendmodule\n",
        "module top (input a, output reg y);\nalways @* begin y = 0; if (a) y = 1; end\nendmodule\n",
        """module one (input a, output y);
        assign y = a;
        endmodule
        module top (input a, output [1:0] y);
        one u (a, y[0]);
        one v (a, y[1]);
        endmodule
        """,
        "module top (input a, output y);\nwire \\initial  = a;\nassign y = \\initial ;\nendmodule\n",
    ],
)
def test_what_means_the_same_everywhere_is_read(text, tmp_path):
    path = tmp_path / "plain.v"
    path.write_text(text)
    assert from_verilog(path).n_inputs == 1


def test_a_pipeline_is_read(tmp_path):
    path = tmp_path / "pipe.v"
    path.write_text("module top (input c, input a, output reg y);\nalways @(posedge c) y <= ~a;\nendmodule\n")
    assert from_verilog(path).n_inputs == 1


HEAD = ".model m\n.inputs a b\n.outputs y\n"


@pytest.mark.parametrize("separator", ["\f", "\v", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\r"])
def test_characters_that_end_lines_for_some_tools_are_refused(separator, tmp_path):
    path = tmp_path / "odd.blif"
    path.write_bytes((HEAD + f"# remark{separator}.names a b y\n11 1\n.names a y\n1 1\n.end\n").encode())
    with pytest.raises(FormatError, match="line 4: the character"):
        from_blif(path)


def test_lines_of_dos_are_lines(tmp_path):
    path = tmp_path / "dos.blif"
    path.write_bytes((HEAD + ".names a b y\n11 1\n.end\n").replace("\n", "\r\n").encode())
    assert from_blif(path).n_gates == 1


def test_what_says_nothing_about_the_function_is_skipped(tmp_path):
    path = tmp_path / "remarks.blif"
    remarks = ".wire_load_slope 0.1\n.default_input_arrival 0 0\n.area 3\n.attr src x\n.cname g\n.input_arrival a 1 1\n"
    path.write_text(HEAD + remarks + ".names a b z\n11 1\n.conn z y\n")  # .end is optional
    assert from_blif(path).n_outputs == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".model m\n.inputs a\n.names a y\n1 1\n.end\n", "no .outputs"),
        ("", "no .model"),
        (HEAD + ".names a b y\n11 1\n.exdc\n.names a y\n1 1\n.end\n", r"\.exdc"),
        (HEAD + ".names a b y\n11 1\n.strange\n.end\n", r"unknown statement '\.strange'"),
        (HEAD + ".latch a y\n.end\n", r"\.latch"),
        (HEAD + ".names a b y\n11 1\n.end\n.model two\n.end\n", r"'\.model' after \.end"),
        (HEAD + ".names a b y\n11 1\n.end\n.outputs z\n", r"'\.outputs' after \.end"),
    ],
)
def test_blif_that_is_not_understood_is_refused(text, message, tmp_path):
    path = tmp_path / "odd.blif"
    path.write_text(text)
    with pytest.raises((FormatError, UnsupportedError), match=message):
        from_blif(path)


@pytest.mark.parametrize("threshold", [2.0**63, 2.0**64, 1e30])
def test_thresholds_beyond_every_integer_are_never_reached(threshold):
    def circuit(gate):
        encoder = Encoder([0], [threshold], (1,), "int32")
        return Circuit(1, [gate], [0], [0], [1], encoder, Head([0], [0]))

    never, always = circuit(3), Circuit(1, [15], [0], [0], [1], circuit(3).encoder, Head([0], [0]))
    assert verify(never, circuit(3)).equal
    assert verify(never, always).equal is False
