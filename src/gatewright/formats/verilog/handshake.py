"""Valid/ready handshakes around a Verilog module.

A sample is taken at a rising edge of `clk` at which `in_valid` and `in_ready` are both 1, its result at one at which
`out_valid` and `out_ready` are. A result stays unchanged until it is taken. The pipeline stalls while its last result is
not taken, and otherwise takes and gives one sample per clock; `in_ready` depends on `out_ready` in the same clock. `rst`
(synchronous) empties it. Without registers the handshake signals pass straight through.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatewright.formats.gate_level import GateLevel


def stream_module(netlist: GateLevel, name: str, pipeline: int) -> Iterator[str]:
    """Lines of the module `NAME_stream` around the module `NAME`, which has the ports `clk` and `enable` if pipelined."""
    yield f"// {name}_stream: {name} with valid/ready handshakes, written by gatewright."
    yield "// A sample is taken if in_valid and in_ready are 1 at a rising edge of clk, a result if out_valid and out_ready"
    yield "// are; results come in the order of the samples and stay until they are taken."
    yield f"module {name}_stream ("
    ports = ["input wire clk", "input wire rst"] if pipeline else []
    ports += ["input wire in_valid", "output wire in_ready", *netlist.input_ports()]
    ports += ["output wire out_valid", "input wire out_ready", *netlist.output_ports()]
    yield ",\n".join(f"    {port}" for port in ports)
    yield ");"
    inner = netlist.connections()
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
