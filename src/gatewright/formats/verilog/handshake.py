"""Valid/ready handshakes around a Verilog module, and a testbench that stops and starts at both ends.

A sample goes in at a rising edge of `clk` at which `in_valid` and `in_ready` are both 1, and its result goes out where
`out_valid` and `out_ready` are. A result waits unchanged until it is taken. The pipeline stands still as a whole while the
result at its end waits, and else moves on, so it takes and gives a sample a clock; `in_ready` depends on `out_ready`
in the same clock. `rst` (synchronous) empties it. Without registers the handshake goes straight through.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.formats.gate_level import Whole


def stream_module(whole: Whole, name: str, pipeline: int) -> Iterator[str]:
    """Lines of the module `NAME_stream`.

    Args:
        whole: What is in the module `NAME`.
        name: Name of that module.
        pipeline: Its register stages; if there are any it has the ports `clk` and `enable`.
    """
    yield f"// {name}_stream: {name} with valid/ready handshakes, written by gatewright."
    yield "// A sample is taken where in_valid and in_ready are 1 at a rising edge of clk, a result where out_valid and"
    yield "// out_ready are; results come in the order of the samples and wait until they are taken."
    yield f"module {name}_stream ("
    ports = ["input wire clk", "input wire rst"] if pipeline else []
    ports += ["input wire in_valid", "output wire in_ready", *whole.input_ports()]
    ports += ["output wire out_valid", "input wire out_ready", *whole.output_ports()]
    yield ",\n".join(f"    {port}" for port in ports)
    yield ");"
    inner = testbench_ports(whole)
    if pipeline:
        inner += [".clk(clk)", ".enable(advance)"]
        yield f"reg [{pipeline - 1}:0] valid; // of the sample behind each stage of registers"
        yield f"wire advance = out_ready | ~valid[{pipeline - 1}];"
        yield "assign in_ready = advance & ~rst;"
        yield f"assign out_valid = valid[{pipeline - 1}];"
        yield "always @(posedge clk) begin"
        yield f"    if (rst) valid <= {pipeline}'b0;"
        yield f"    else if (advance) valid <= {'in_valid' if pipeline == 1 else f'{{valid[{pipeline - 2}:0], in_valid}}'};"
        yield "end"
    else:
        yield "assign in_ready = out_ready;"
        yield "assign out_valid = in_valid;"
    yield f"{name} network ({', '.join(inner)});"
    yield "endmodule"


def testbench_ports(whole: Whole) -> list[str]:
    """Connections of all data ports to wires of the same names."""
    inputs = [whole.input_name] if whole.gates.n_inputs else []
    return [f".{port}({port})" for port in [*(port for port, _ in whole.outputs), *inputs]]


def testbench_head(whole: Whole, name: str, bench: str, n: int) -> Iterator[str]:
    """Start of a testbench: its vectors, wires of the data ports, what was `got` and is `expected`.

    Args:
        whole: What is in the module under test.
        name: Name of the model.
        bench: Name of the testbench.
        n: Number of samples.
    """
    n_inputs, n_outputs = whole.gates.n_inputs, whole.gates.n_outputs
    yield f"// Reads {name}_vectors.hex from the working directory: expected outputs, then inputs, a line per sample."
    yield f"module {bench};"
    yield f'parameter VECTORS = "{name}_vectors.hex";'
    in_file = -(-(n_inputs + n_outputs) // 8) * 8  # whole bytes
    yield f"reg [{in_file - 1}:0] vectors [0:{max(n, 1) - 1}];"
    yield from (f"wire [{width - 1}:0] {port};" for port, width in whole.outputs)
    if n_inputs:
        yield f"reg [{n_inputs - 1}:0] {whole.input_name};"
    outputs = ", ".join(port for port, _ in reversed(whole.outputs))
    yield f"wire [{n_outputs - 1}:0] got = {{{outputs}}};"
    yield f"reg [{n_outputs - 1}:0] expected;"


def stream_testbench(whole: Whole, name: str, pipeline: int, n: int) -> Iterator[str]:
    """Lines of the testbench `NAME_stream_tb`.

    In turn for 32 clocks each: both ends always ready, both at random, results seldom taken, samples seldom there. Inputs
    are the inverse of the next sample while `in_valid` is 0. Results must be right, in order, and stay while they wait.

    Args:
        whole: What is in the module `NAME`.
        name: Name of that module.
        pipeline: Its register stages.
        n: Number of samples.
    """
    n_inputs, n_outputs = whole.gates.n_inputs, whole.gates.n_outputs
    yield from testbench_head(whole, name, f"{name}_stream_tb", n)
    yield f"reg [{n_outputs - 1}:0] before;"
    yield "reg clk, rst, in_valid, out_ready, accepted, waiting, ready_always, valid_always;"
    yield "wire in_ready, out_valid;"
    yield "reg [15:0] noise;"
    yield "integer cycle, sent, checked, failures;"
    ports = [".in_valid(in_valid)", ".in_ready(in_ready)", ".out_valid(out_valid)", ".out_ready(out_ready)"]
    ports += [".clk(clk)", ".rst(rst)"] if pipeline else []
    yield f"{name}_stream dut ({', '.join([*ports, *testbench_ports(whole)])});"
    yield "initial begin"
    yield f"    if ({n} > 0) $readmemh(VECTORS, vectors);"
    yield "    sent = 0; checked = 0; failures = 0;"
    yield "    noise = 16'hACE1;"
    yield "    clk = 0; rst = 1; in_valid = 0; out_ready = 0; accepted = 0; waiting = 0;"
    yield "    #1; clk = 1; #1; clk = 0; rst = 0;"
    yield f"    for (cycle = 0; cycle < {32 * (n + pipeline) + 256} && checked < {n}; cycle = cycle + 1) begin"
    yield "        noise = {noise[14:0], noise[15] ^ noise[13] ^ noise[12] ^ noise[10]};"
    yield "        valid_always = cycle % 128 < 32;"
    yield "        ready_always = cycle % 128 < 32 || cycle % 128 >= 96;"
    yield "        if (!in_valid || accepted) // what was offered stays until it is taken"
    yield f"            in_valid = sent < {n} && (valid_always || (cycle % 128 < 96 ? noise[0] : noise[4:2] == 0));"
    yield "        out_ready = ready_always || (cycle % 128 < 64 ? noise[5] : noise[8:6] == 0);"
    if n_inputs:
        yield f"        if (sent < {n}) {whole.input_name} = vectors[sent][{n_inputs - 1}:0];"
        yield f"        if (!in_valid) {whole.input_name} = ~{whole.input_name};"
    yield "        #1;"
    yield "        if (waiting && (!out_valid || got !== before)) begin"
    yield '            if (failures == 0) $display("FAIL sample %0d: a result that waits has changed", checked);'
    yield "            failures = failures + 1;"
    yield "        end"
    yield "        if (out_valid && out_ready) begin"
    yield f"            expected = vectors[checked][{n_inputs + n_outputs - 1}:{n_inputs}];"
    yield "            if (got !== expected) begin"
    yield "                if (failures == 0)"
    yield '                    $display("FAIL sample %0d: got %h, expected %h", checked, got, expected);'
    yield "                failures = failures + 1;"
    yield "            end"
    yield "            checked = checked + 1;"
    yield "        end"
    yield "        accepted = in_valid && in_ready;"
    yield "        if (accepted) sent = sent + 1;"
    yield "        waiting = out_valid && !out_ready;"
    yield "        before = got;"
    yield "        clk = 1; #1; clk = 0;"
    yield "    end"
    yield f"    if (failures == 0 && checked == {n} && sent == {n})"
    yield '        $display("PASS %0d samples", checked);'
    yield "    else"
    yield '        $display("FAIL %0d of %0d samples, %0d taken", failures, checked, sent);'
    yield "    $finish;"
    yield "end"
    yield "endmodule"
