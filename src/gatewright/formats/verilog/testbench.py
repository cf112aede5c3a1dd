"""Testbenches that check themselves: of a module, and of the handshakes around it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gatewright.formats.gate_level import GateLevel


def vectors(bits: npt.NDArray[np.bool_]) -> Iterator[str]:
    """Each row as a hexadecimal number whose least significant bit is column 0."""
    packed = np.packbits(bits, axis=1, bitorder="little")[:, ::-1]
    yield from (row.tobytes().hex() for row in packed)


def _head(netlist: GateLevel, name: str, bench: str, n: int) -> Iterator[str]:
    """Start of the testbench `bench` of a model: vectors of n samples, wires of the data ports, `got` and `expected`."""
    n_inputs, n_outputs = netlist.gates.n_inputs, netlist.gates.n_outputs
    yield f"// Reads {name}_vectors.hex from the working directory: expected outputs, then inputs, a line per sample."
    yield f"module {bench};"
    yield f'parameter VECTORS = "{name}_vectors.hex";'
    in_file = -(-(n_inputs + n_outputs) // 8) * 8  # full bytes
    yield f"reg [{in_file - 1}:0] vectors [0:{max(n, 1) - 1}];"
    yield from (f"wire [{width - 1}:0] {port};" for port, width in netlist.outputs)
    if n_inputs:
        yield f"reg [{n_inputs - 1}:0] {netlist.input_name};"
    outputs = ", ".join(port for port, _ in reversed(netlist.outputs))
    yield f"wire [{n_outputs - 1}:0] got = {{{outputs}}};"
    yield f"reg [{n_outputs - 1}:0] expected;"


def _compare(netlist: GateLevel, sample: str) -> Iterator[str]:
    """Statements that compare `got` with the vector of a sample, and count it."""
    n_inputs, n_outputs = netlist.gates.n_inputs, netlist.gates.n_outputs
    yield f"            expected = vectors[{sample}][{n_inputs + n_outputs - 1}:{n_inputs}];"
    yield "            if (got !== expected) begin"
    yield "                if (failures == 0)"
    yield f'                    $display("FAIL sample %0d: got %h, expected %h", {sample}, got, expected);'
    yield "                failures = failures + 1;"
    yield "            end"
    yield "            checked = checked + 1;"


def _verdict(n: int, *, sent: bool) -> Iterator[str]:
    """End of a testbench of n samples: what it prints, with the number of samples `sent` on request."""
    yield f"    if (failures == 0 && checked == {n}{f' && sent == {n}' if sent else ''})"
    yield '        $display("PASS %0d samples", checked);'
    text, number = (", %0d taken", ", sent") if sent else ("", "")
    yield f'    else $display("FAIL %0d of %0d samples{text}", failures, checked{number});'
    yield "    $finish;"
    yield "end"
    yield "endmodule"


def testbench(netlist: GateLevel, name: str, pipeline: int, n: int, *, stream: bool) -> Iterator[str]:
    """Lines of the testbench `NAME_tb`: one sample per clock (without registers, per time unit)."""
    n_inputs = netlist.gates.n_inputs
    yield from _head(netlist, name, f"{name}_tb", n)
    ports = netlist.connections()
    if pipeline:
        yield "reg clk;"
        ports += [".clk(clk)", *([".enable(1'b1)"] if stream else [])]
    yield "integer i, checked, failures;"
    yield f"{name} dut ({', '.join(ports)});"
    yield "initial begin"
    yield f"    if ({n} > 0) $readmemh(VECTORS, vectors);"
    yield f"    checked = 0; failures = 0;{' clk = 0;' if pipeline else ''}"
    yield f"    for (i = 0; i < {n + pipeline if n else 0}; i = i + 1) begin"
    if pipeline:
        yield "        if (i >= 1) begin clk = 1; #1; clk = 0; end"
    if n_inputs:
        yield f"        if (i < {n}) {netlist.input_name} = vectors[i][{n_inputs - 1}:0];"
    yield "        #1;"
    yield f"        if (i >= {pipeline}) begin"
    yield from _compare(netlist, f"i - {pipeline}")
    yield "        end"
    yield "    end"
    yield from _verdict(n, sent=False)


def stream_testbench(netlist: GateLevel, name: str, pipeline: int, n: int) -> Iterator[str]:
    """Lines of the testbench `NAME_stream_tb`.

    For 32 clocks each, in turn: both ends always ready, both at random, results seldom taken, samples seldom valid. While
    `in_valid` is 0, inputs are the inverse of the next sample. Results must be right, in order, and stable until taken.
    """
    n_inputs, n_outputs = netlist.gates.n_inputs, netlist.gates.n_outputs
    yield from _head(netlist, name, f"{name}_stream_tb", n)
    yield f"reg [{n_outputs - 1}:0] last;"
    yield "reg clk, rst, in_valid, out_ready, accepted, waiting, ready_always, valid_always;"
    yield "wire in_ready, out_valid;"
    yield "reg [15:0] noise;"
    yield "integer cycle, sent, checked, failures;"
    ports = [".in_valid(in_valid)", ".in_ready(in_ready)", ".out_valid(out_valid)", ".out_ready(out_ready)"]
    ports += [".clk(clk)", ".rst(rst)"] if pipeline else []
    yield f"{name}_stream dut ({', '.join([*ports, *netlist.connections()])});"
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
    yield "        if (!in_valid || accepted) // a sample stays valid until it is taken"
    yield f"            in_valid = sent < {n} && (valid_always || (cycle % 128 < 96 ? noise[0] : noise[4:2] == 0));"
    yield "        out_ready = ready_always || (cycle % 128 < 64 ? noise[5] : noise[8:6] == 0);"
    if n_inputs:
        yield f"        if (sent < {n}) {netlist.input_name} = vectors[sent][{n_inputs - 1}:0];"
        yield f"        if (!in_valid) {netlist.input_name} = ~{netlist.input_name};"
    yield "        #1;"
    yield "        if (waiting && (!out_valid || got !== last)) begin"
    yield '            if (failures == 0) $display("FAIL sample %0d: a result changed before it was taken", checked);'
    yield "            failures = failures + 1;"
    yield "        end"
    yield "        if (out_valid && out_ready) begin"
    yield from _compare(netlist, "checked")
    yield "        end"
    yield "        accepted = in_valid && in_ready;"
    yield "        if (accepted) sent = sent + 1;"
    yield "        waiting = out_valid && !out_ready;"
    yield "        last = got;"
    yield "        clk = 1; #1; clk = 0;"
    yield "    end"
    yield from _verdict(n, sent=True)
