"""Complete circuits in NANDs and tables."""

import json
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.circuit import Circuit, Encoder, Head
from gatewright.circuit.aig import write_aig
from gatewright.circuit.cost import map_aig
from gatewright.circuit.evaluate import classify
from gatewright.circuit.head_gates import head_alone
from gatewright.circuit.proof import prove
from gatewright.errors import ToolError, UnsupportedError
from gatewright.formats.gate_level import to_gate_level
from gatewright.gates import IS_LOGIC, Gate
from gatewright.hardware.currencies import CURRENCIES, lut4_complete, lut6_complete, map_nand, nand_inv
from support.circuits import random_circuit
from support.commands import gatewright

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


def test_one_gate_is_one_table_and_a_nand_one_cell():
    xor = Circuit(2, [6], [0], [1], [2])
    assert lut6_complete(xor) == 1
    assert nand_inv(Circuit(2, [14], [0], [1], [2])) == 1


def test_encoder_and_head_are_counted():
    # Two comparators with 128, which are wires, and a majority of one bit each: class 1 wins if only its bit is set.
    encoder = Encoder([0, 1], [128, 128], (2,), "uint8")
    circuit = Circuit(2, [], [], [], [0, 1], encoder, Head([0, 1], [0, 0]))
    assert (nand_inv(circuit), lut6_complete(circuit)) == (3, 1)


def test_the_mapped_netlist_is_the_circuit():
    circuit = random_circuit(3, 16, 120, 30, classes=3)
    netlist = map_nand(circuit, ports="pix,cls")
    assert set(netlist.gate[IS_LOGIC[netlist.gate]]) == {Gate.NAND}
    assert np.count_nonzero((netlist.gate == Gate.NAND) | (netlist.gate == Gate.NOT_A)) == nand_inv(circuit)
    assert json.loads(netlist.metadata["blif.inputs"])["9"] == "pix[9]"
    assert prove(netlist, to_gate_level(circuit, encoder=True, head=True).gates).equal
    with pytest.raises(ToolError, match="yosys was stopped"):
        map_nand(circuit, timeout=0.01)


def test_benchmarks_agree_on_nands():
    whole, counted = (json.loads((BENCHMARKS / f"{name}_cost.json").read_text()) for name in ("whole", "zoo"))
    for name, row in whole.items():
        assert row["nand_inv"] is None or row["equal_to_engine"] == row["images"] == 10_000, name
        if (
            name in counted
            and counted[name]["sha256"] == row["sha256"]
            and None not in {row["nand_inv"], counted[name]["nand_inv"]}
        ):
            assert (counted[name]["nand_inv"], counted[name]["total_ops"]) == (row["nand_inv"], row["total_ops"]), name
            assert counted[name]["test"] * row["images"] == pytest.approx(row["correct"]), name


def test_the_head_alone_decides_from_the_bits_that_it_counts():
    inverters = Circuit(3, [12, 12], [0, 2], [0, 0], [0, 3, 1, 4, 4, 2], head=Head([0, 1, 1, 0, 0, 1], [0, 1]))
    alone = head_alone(inverters)
    assert (alone.n_inputs, alone.n_gates, alone.n_outputs) == (3, 2, 6)
    x = np.array([[i >> k & 1 for k in range(3)] for i in range(8)], bool)
    assert np.array_equal(classify(alone, x), classify(inverters, x))


def test_a_head_with_places_is_refused():
    circuit = Circuit(2, [], [], [], [0, 1, 0, 1], head=Head([0, 1, 2, 3], [0] * 4, places=(2,)))
    for count in CURRENCIES.values():
        with pytest.raises(UnsupportedError, match="places"):
            count(circuit)


def test_the_smaller_of_whole_and_parts_counts():
    bits = Circuit(60, [], [], [], np.arange(60), head=Head(np.arange(60) % 2, [0, 0]))
    whole = to_gate_level(bits, encoder=True, head=True, adders="lut4").gates
    assert lut6_complete(bits) < lut4_complete(bits) <= map_aig(write_aig(whole), 4)[0]


def test_info_shows_them():
    shown = gatewright("info", "monks-1", "--cost", "nand,lut4,lut6", "--json").json
    circuit = gw.load("monks-1").circuit
    assert [shown[name] for name in CURRENCIES] == [count(circuit) for count in CURRENCIES.values()]
    assert "currency 'lut7'" in gatewright("info", "monks-1", "--cost", "lut7").err
