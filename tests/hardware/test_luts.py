"""Lookup tables: counted as ABC counts them, proven, and readable as BLIF by anybody."""

import re

import numpy as np
import pytest

from gatewright.circuit import Circuit, prove, save_circuit, simplify
from gatewright.circuit.cost import lut6, map_aig
from gatewright.errors import OptionError, ToolError, UnsupportedError, VerificationError
from gatewright.formats.blif import read_tables, tables_to_blif
from gatewright.hardware import map_luts
from gatewright.runtime.abc import run_abc
from gatewright.verification import verify
from support.circuits import random_circuit, random_features, slow_encode, slow_outputs


@pytest.fixture
def circuit():
    return simplify(random_circuit(3, 30, 1500, 60, classes=5))


def nodes_and_levels(script, folder):
    said = run_abc(script, folder, 60)
    return (int(n) for n in re.search(r"nd =\s*(\d+).*lev =\s*(\d+)", said).groups())


@pytest.mark.parametrize("k", [2, 3, 4, 6])
def test_tables_are_the_circuit_and_counted_as_by_abc(circuit, tmp_path, k):
    mapped = map_luts(circuit, k)
    assert mapped.proof.equal
    assert mapped.gates_before == circuit.n_gates
    tables = mapped.tables
    assert max(tables.by_inputs) <= k
    assert mapped.count == sum(tables.by_inputs.values())
    bits = slow_encode(circuit, random_features(circuit, 300))
    np.testing.assert_array_equal(slow_outputs(mapped.circuit, bits), slow_outputs(circuit, bits))
    np.testing.assert_array_equal(tables.evaluate(bits), slow_outputs(circuit, bits))
    (path,) = tables_to_blif(tables, tmp_path, name="mapped")
    nodes, _ = nodes_and_levels("read mapped.blif; print_stats", tmp_path)
    # ABC counts wires to outputs, and constants, too.
    others = len(re.findall(r"^\.names( \S+)? \S+\n *1( 1)?$", path.read_text(), re.MULTILINE))
    assert 0 <= nodes - (mapped.count + tables.inverters) <= others
    # It also counts a level for each of them, so without them.
    _, levels = nodes_and_levels("read mapped.blif; sweep -s; print_stats", tmp_path)
    assert tables.levels <= levels <= tables.levels + (tables.inverters > 0)
    save_circuit(circuit, tmp_path / "c.gw")
    assert verify(tmp_path / "c.gw", path).equal
    again = read_tables(path)
    assert again.by_inputs == tables.by_inputs
    np.testing.assert_array_equal(again.evaluate(bits), tables.evaluate(bits))


def test_larger_tables_are_fewer(circuit):
    tables = [map_luts(circuit, k).count for k in (2, 4, 6)]
    assert tables[0] > tables[1] > tables[2]
    assert tables[2] == lut6(circuit)
    assert map_luts(circuit, 6, rewrite=True).proof.equal


def test_a_majority_is_one_table():
    majority = Circuit(3, [1, 7, 1, 7], [0, 0, 2, 3], [1, 1, 4, 5], [6])
    mapped = map_luts(majority, 3)
    tables = mapped.tables
    assert (mapped.count, tables.by_inputs, tables.levels, tables.inverters) == (1, {3: 1}, 1, 0)
    inverter = map_luts(Circuit(1, [12], [0], [0], [1]))
    assert (inverter.count, inverter.tables.levels, inverter.tables.inverters) == (0, 0, 1)
    assert prove(inverter.circuit, Circuit(1, [12], [0], [0], [1])).equal


def test_what_goes_wrong_is_said(circuit, monkeypatch):
    for k in (1, 9, True, 4.0):
        with pytest.raises(OptionError, match="k is"):
            map_luts(circuit, k)
    with pytest.raises(UnsupportedError, match="no outputs"):
        map_luts(Circuit(1, [], [], [], []))
    with pytest.raises(ToolError, match="did not map"):
        map_luts(circuit, timeout=1e-4)

    def broken(*args, **options):
        tables, blif = map_aig(*args, **options)
        return tables, blif.replace("\n11 1\n", "\n10 1\n", 1)

    monkeypatch.setattr("gatewright.hardware.luts.map_aig", broken)
    with pytest.raises(VerificationError, match="the circuits differ"):
        map_luts(circuit, 2)
