"""FPGAs: known functions map to known numbers of tables, the registers around are right, and the report says whence."""

import json
import re

import numpy as np
import pytest

from gatewright.circuit import save_circuit
from gatewright.circuit.adders import ADDERS
from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.errors import MissingExtraError, OptionError, ToolError, UnsupportedError
from gatewright.formats import to_verilog
from gatewright.formats.gate_level import to_gate_level
from gatewright.hardware import TARGETS, Target, synth, synthesis, targets
from gatewright.runtime import programs as tools_module
from support.circuits import random_circuit, random_features
from support.commands import gatewright


def parity(n):
    """XOR of n inputs, as a chain."""
    gates = np.full(n - 1, 6)
    a = np.concatenate([[0], n + np.arange(n - 2)])
    return Circuit(n, gates, a, np.arange(1, n), [2 * n - 2])


@pytest.mark.parametrize(
    ("target", "inputs", "luts", "depth"),
    [("generic", 6, 1, 1), ("generic", 36, 7, 2), ("xilinx", 36, 7, 2), ("ice40", 4, 1, 1), ("ecp5", 16, 5, 2)],
)
def test_parity_takes_the_tables_it_must(target, inputs, luts, depth):
    report = synth(parity(inputs), target, place=False)
    assert report.table_inputs == TARGETS[target].table_inputs
    # A chain is not the best tree there is; the mapper may miss a table or a level of it, never beat it.
    assert luts <= report.luts.value <= luts + 1
    assert depth <= report.depth.value <= 2 * depth
    assert report.flip_flops.value == 0
    assert {report.luts.how, report.depth.how, report.flip_flops.how} == {"mapped"}
    assert (report.device, report.cells) == (None, None)
    assert list(report.parts) == ["logic"]
    assert report.parts["logic"].share.value == 1


def test_time_is_estimated_for_xilinx_and_unknown_where_nothing_is_placed():
    slow = synth(parity(36), "xilinx")
    assert slow.fmax_mhz.how == slow.latency_ns.how == slow.throughput.how == "estimated"
    assert slow.fmax_mhz.value * slow.latency_ns.value == pytest.approx(1000)
    assert "estimated" in str(slow)
    unknown = synth(parity(36), "generic")
    assert (unknown.fmax_mhz, unknown.latency_ns, unknown.throughput) == (None, None, None)
    assert str(unknown).count("unknown (not placed)") == 3


def test_registers_are_counted_and_shorten_the_stages():
    circuit = random_circuit(4, 40, 800, 120, classes=6)
    plain, piped = synth(circuit, "generic"), synth(circuit, "generic", pipeline=3)
    text = str(piped)
    assert plain.flip_flops.value == 0 < piped.flip_flops.value
    assert piped.depth.value < plain.depth.value
    assert "levels of tables per stage" in text
    assert synth(circuit, "xilinx", pipeline=3).latency_ns.value == pytest.approx(
        4 * 1000 / synth(circuit, "xilinx", pipeline=3).fmax_mhz.value
    )


def test_parts_are_mapped_alone():
    circuit = random_circuit(4, 40, 800, 120, classes=6)
    parts = synth(circuit, "ecp5", place=False).parts
    assert list(parts) == ["encoder", "logic", "head"]
    assert sum(part.share.value for part in parts.values()) == pytest.approx(1)
    assert all(part.luts.value > 0 and part.depth.value > 0 for part in parts.values())
    total = sum(part.luts.value for part in parts.values())
    assert parts["head"].share.value == pytest.approx(parts["head"].luts.value / total)
    # A threshold that is a power of two is a wire for the top bit alone; comparing with 77 is not.
    encoder = Encoder(np.arange(8), np.full(8, 128), (8,), "uint8")
    wires = parity(8).replace(encoder=encoder)
    assert synth(wires, "generic").parts["encoder"].luts.value == 0
    assert synth(wires.replace(encoder=Encoder(np.arange(8), np.full(8, 77), (8,), "uint8")), "generic").parts[
        "encoder"
    ].luts.value >= 8  # fmt: skip


def test_constant_and_wired_outputs():
    circuit = Circuit(3, [15, 12], [0, 2], [0, 2], [3, 0, 4], head=Head([0, 1, 2], [0, 0, 0]))
    report = synth(circuit, "generic")
    assert report.luts.value <= 3
    assert report.parts["logic"].luts.value <= 1
    json.dumps(report.as_dict(), allow_nan=False)


def test_the_report_as_values_and_as_text():
    report = synth(random_circuit(4, 20, 100, 30, classes=3), "xilinx", pipeline=1)
    values = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert values["luts"] == {"value": report.luts.value, "how": "mapped"}
    assert values["parts"]["head"]["share"]["how"] == "mapped"
    assert values["tools"]["yosys"][0].isdigit()
    assert f"{report.luts.value:,} (mapped)" in str(report)


@pytest.mark.parametrize("pipeline", [0, 3])
@pytest.mark.parametrize("kind", ["class", "outputs", "one input", "no gate"])
def test_the_registers_around_the_circuit_do_what_they_should(tool, run, tmp_path, pipeline, kind):
    """Simulated: shift a sample in, wait, load its result, shift it out."""
    circuit = {
        "class": random_circuit(5, 12, 90, 40, classes=7, dtype="int16"),
        "outputs": random_circuit(6, 12, 90, 20, head=False, encoder=False),
        "one input": Circuit(1, [12], [0], [0], [1]),
        "no gate": Circuit(5, [], [], [], [3, 0, 3]),
    }[kind]
    bits = np.random.default_rng(0).random((12, circuit.n_inputs)) < 0.5
    samples = random_features(circuit, 12) if circuit.encoder else bits
    netlist = to_gate_level(circuit, encoder=True, head=True)
    inputs, outputs = netlist.expected(samples)
    used = synthesis.used_inputs(netlist.gates)
    to_verilog(circuit, tmp_path, pipeline=pipeline)
    (tmp_path / "top.v").write_text("\n".join(synthesis._top(netlist, pipeline)))
    # The first bit shifted in ends at the highest place. Inputs that nothing reads have no place.
    lines = [
        "module tb;",
        "reg clk = 0, serial = 0, load = 0;",
        "wire out;",
        "top dut(clk, serial, load, out);",
        "task tick; begin #1 clk = 1; #1 clk = 0; end endtask",
        "initial begin",
    ]
    for row in inputs[:, used]:
        lines += [f"serial = {int(bit)}; tick;" for bit in row[::-1]]
        lines += ["tick;"] * (pipeline + 1)  # through the stages, into the register that holds the result
        lines += ["load = 1; tick; load = 0;"]
        lines += ['$write("%b", out); tick;'] * outputs.shape[1] + ['$write("\\n");']
    lines += ["$finish; end", "endmodule"]
    (tmp_path / "tb.v").write_text("\n".join(lines))
    run(tool("iverilog"), "-g2001", "-o", "tb.vvp", "tb.v", "top.v", "model.v", cwd=tmp_path)
    got = run(tool("vvp"), "-n", "tb.vvp", cwd=tmp_path).split()
    assert got == ["".join(str(int(bit)) for bit in row) for row in outputs]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["ice40", "ecp5"])
def test_small_circuits_are_placed_and_routed(tool, target):
    if target == "ice40":
        tool("nextpnr-ice40")
    circuit = Circuit(60, [], [], [], np.arange(60), head=Head(np.arange(60) % 3, [0, 0, 0]))
    report = synth(circuit, target, pipeline=2)
    assert report.device is not None
    assert {f.how for f in (report.cells, report.fmax_mhz, report.latency_ns, report.throughput)} == {
        "placed and routed"
    }
    assert report.cells.value >= report.luts.value
    assert 20 < report.fmax_mhz.value < 1000
    assert report.latency_ns.value == pytest.approx(3 * 1000 / report.fmax_mhz.value)
    assert report.throughput.value == pytest.approx(1e6 * report.fmax_mhz.value)
    assert report.luts == synth(circuit, target, pipeline=2, place=False).luts
    assert re.fullmatch(r"\d+\.\d+.*", report.tools[TARGETS[target].pnr])
    assert synth(circuit, target, pipeline=0).fmax_mhz.value < report.fmax_mhz.value


def test_a_family_can_be_added_from_outside(monkeypatch, tmp_path):
    monkeypatch.setitem(TARGETS, "mine", Target(table_inputs=5, level_ns=2.0))
    report = synth(parity(5), "mine")
    assert (report.target, report.table_inputs) == ("mine", 5)
    assert (report.luts.value, report.depth.value) == (1, 1)
    assert report.fmax_mhz.value == pytest.approx(500)
    save_circuit(parity(5), tmp_path / "c.gw")
    assert "5-input tables" in gatewright("synth", tmp_path / "c.gw", "--target", "mine").out
    with pytest.raises(OptionError, match="target 'mine' exists already"):
        TARGETS["mine"] = Target(4)
    with pytest.raises(OptionError, match="target 'other' is 4, expected: Target"):
        TARGETS["other"] = 4


def test_a_circuit_too_large_for_the_device_is_said_to_be(monkeypatch):
    monkeypatch.setattr(synthesis, "find_pnr", lambda _family: ["never run"])
    n = 5000
    circuit = Circuit(n, [], [], [], np.arange(n))
    with pytest.raises(ToolError, match=r"at least 15,000 logic cells, but iCE40HX8K has 7,680"):
        synth(circuit, "ice40")


def test_mistakes_are_explained(monkeypatch):
    circuit = random_circuit(1)
    with pytest.raises(OptionError, match="unknown target 'ice4'; did you mean 'ice40'"):
        synth(circuit, "ice4")
    with pytest.raises(OptionError, match="pipeline is -1"):
        synth(circuit, "generic", pipeline=-1)
    with pytest.raises(OptionError, match="timeout is 0"):
        synth(circuit, "generic", timeout=0)
    with pytest.raises(ToolError, match=r"was stopped after \d+ s: allow a longer timeout"):
        synth(circuit, "generic", timeout=0.001)
    with pytest.raises(UnsupportedError, match="no outputs"):
        synth(Circuit(2, [], [], [], []), "generic")
    monkeypatch.setattr(tools_module.importlib.util, "find_spec", lambda _name: None)
    monkeypatch.setattr(targets.shutil, "which", lambda _name: None)
    with pytest.raises(ToolError, match="apt-get install nextpnr-ice40"):
        synth(circuit, "ice40")
    with pytest.raises(MissingExtraError, match=r"pyosys.*\[hardware\]"):
        synth(circuit, "ecp5")
    with pytest.raises(MissingExtraError, match=r"pyosys .* pip install 'pyosys"):
        synth(circuit, "generic")


def test_adders_are_those_of_the_target_unless_others_are_wanted():
    circuit = Circuit(300, [], [], [], np.arange(300), head=Head(np.arange(300) % 3, [0, 0, 0]))
    luts = {
        (target, adders): synth(circuit, target, adders=adders, place=False).luts.value
        for target in ("ecp5", "generic")
        for adders in ("", "ops", "nand", "lut4", "lut6")
    }
    for target, best in (("ecp5", "lut4"), ("generic", "lut6")):
        each = [luts[target, adders] for adders in ADDERS]
        assert luts[target, ""] == luts[target, best] == min(each) < 0.9 * luts[target, "ops"]
    with pytest.raises(OptionError, match="adders 'lut5'"):
        synth(parity(3), "ecp5", adders="lut5", place=False)


def test_the_command(tmp_path):
    circuit = random_circuit(4, 20, 100, 30, classes=3)
    save_circuit(circuit, tmp_path / "c.gw")
    done = gatewright("synth", tmp_path / "c.gw", "--target", "ice40", "--no-place", "--pipeline", 2, "--json")
    assert done.code == 0
    wanted = synth(circuit, "ice40", place=False, pipeline=2).as_dict()
    assert {**done.json, "seconds": 0} == {"file": str(tmp_path / "c.gw"), **wanted, "seconds": 0}
    shown = gatewright("synth", tmp_path / "c.gw", "--target", "generic")
    assert "6-input tables" in shown.out
    refused = gatewright("synth", tmp_path / "c.gw", "--target", "ise40")
    assert refused.code == 2
    assert "did you mean 'ice40'" in refused.err
