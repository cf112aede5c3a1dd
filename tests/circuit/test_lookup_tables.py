"""Netlists of lookup tables, against their definition: evaluated, as gates, as BLIF, and mapped again."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gatewright as gw
from gatewright.circuit.evaluate import evaluate
from gatewright.errors import DtypeError, FormatError, OptionError, ShapeError, UnsupportedError
from gatewright.formats.blif import from_blif, read_tables, tables_to_blif

MAJORITY = [[0, 0, 0, 1, 0, 1, 1, 1]]


def random_tables(seed, k, n, n_inputs=6):
    rng = np.random.default_rng(seed)
    wiring = np.array([rng.integers(0, n_inputs + j, k) for j in range(n)]).reshape(n, k)
    return gw.LookupTables(
        n_inputs,
        wiring,
        rng.random((n, 1 << k)) < rng.choice([0.1, 0.5, 0.9]),
        rng.integers(0, n_inputs + n, 5),
        rng.integers(0, k + 1, n),
    )


def all_bits(n_inputs):
    return (np.arange(1 << n_inputs)[:, None] >> np.arange(n_inputs) & 1).astype(bool)


def walk(tables, row):
    nodes = list(row)
    for read, truth, size in zip(tables.wiring, tables.truth, tables.sizes, strict=True):
        index = int("".join(str(int(nodes[i])) for i in read[:size]) or "0", 2)
        nodes.append(bool(truth[index]))
    return [nodes[i] for i in tables.outputs]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.integers(0, 12))
def test_every_way_gives_the_same(tmp_path_factory, seed, k, n):
    tables = random_tables(seed, k, n)
    bits = all_bits(tables.n_inputs)
    wanted = np.array([walk(tables, row) for row in bits])
    assert np.array_equal(tables.evaluate(bits), wanted)
    assert np.array_equal(evaluate(tables.to_circuit(), bits), wanted)
    (path,) = tables_to_blif(tables, tmp_path_factory.mktemp("blif"))
    again = read_tables(path)
    assert np.array_equal(again.evaluate(bits), wanted)
    assert np.array_equal(evaluate(from_blif(path), bits), wanted)
    assert again.n_tables <= tables.n_tables


@pytest.mark.parametrize("k", range(2, 9))
def test_there_and_back_is_proven(k):
    rng = np.random.default_rng(k)
    wiring = np.concatenate([rng.integers(0, 12, (30, k)), rng.integers(12, 42, (30, k))])
    tables = gw.LookupTables(12, wiring, rng.random((60, 1 << k)) < 0.5, range(42, 72))
    circuit = gw.simplify(tables.to_circuit())
    mapped = gw.map_luts(circuit, k)
    assert mapped.proof.equal
    assert gw.prove(tables.to_circuit(), mapped.tables.to_circuit()).equal
    assert 1 < max(mapped.tables.by_inputs) <= k
    bits = all_bits(12)
    assert np.array_equal(mapped.tables.evaluate(bits), tables.evaluate(bits))


def test_a_trained_circuit_keeps_its_encoder_and_head():
    circuit = gw.load("digits-narrow").circuit
    mapped = gw.map_luts(circuit, 6)
    x = gw.load_dataset("digits").test.x
    assert (gw.Engine(mapped.circuit).predict(x) == gw.Engine(circuit).predict(x)).all()


def test_counts():
    tables = gw.LookupTables(
        3,
        [[0, 1, 2], [3, -1, -1], [-1, -1, -1], [3, 4, -1], [0, -1, -1]],
        [*MAJORITY, [1, 0] * 4, [1] * 8, [0, 1, 1, 0] * 2, [0, 1] * 4],
        [6, 7],
        [3, 1, 0, 2, 1],
    )
    assert (tables.by_inputs, tables.inverters, tables.levels) == ({2: 1, 3: 1}, 1, 2)
    assert tables.wiring[1].tolist() == [3, -1, -1]
    assert tables.truth[1].tolist() == [True] + [False] * 7
    same = pickle.loads(pickle.dumps(tables))
    assert np.array_equal(same.truth, tables.truth)
    assert not same.truth.flags.writeable


def test_what_is_no_table_is_refused(tmp_path):
    for arguments, error, message in [
        (([[0, 1]], [[0] * 8], [2]), FormatError, "expected"),
        (([range(9)], [[0] * 512], [0]), OptionError, "9 inputs"),
        (([[0, 3, 1]], MAJORITY, [0]), FormatError, r"wiring\[0\] is \[0, 3, 1\], expected nodes before 3"),
        (([[0, -1, 1]], MAJORITY, [0]), FormatError, "expected nodes before"),
        (([[0, 1, 2]], MAJORITY, [4]), FormatError, "outputs are"),
        (([[0, 1, 2]], MAJORITY, [3], [4]), FormatError, "sizes are not 1 numbers from 0 to 3"),
        (([[0, 1, 2]], [[0, 0, 0, 1, 0, 1, 1, 2]], [3]), FormatError, "truth has values"),
    ]:
        with pytest.raises(error, match=message):
            gw.LookupTables(3, *arguments)
    majority = gw.LookupTables(3, [[0, 1, 2]], MAJORITY, [3])
    with pytest.raises(ShapeError):
        majority.evaluate(np.zeros((4, 2), bool))
    with pytest.raises(DtypeError):
        majority.evaluate(np.zeros((4, 3)))
    with pytest.raises(UnsupportedError, match="no outputs"):
        tables_to_blif(gw.LookupTables(3, [[0, 1, 2]], MAJORITY, []), tmp_path)
    names = [f"x{i}" for i in range(9)]
    text = f".model m\n.inputs {' '.join(names)}\n.outputs y\n.names {' '.join(names)} y\n{'1' * 9} 1\n.end\n"
    (tmp_path / "wide.blif").write_text(text)
    with pytest.raises(UnsupportedError, match="line 4: 'y' reads 9 values"):
        read_tables(tmp_path / "wide.blif")
