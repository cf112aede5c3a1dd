"""Tables of BLIF of any size, against their cubes."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit import simplify
from gatewright.circuit.evaluate import evaluate
from gatewright.formats.blif import from_blif

CUBES = st.integers(0, 9).flatmap(
    lambda k: st.tuples(st.just(k), st.lists(st.text("01-", min_size=k, max_size=k), max_size=6), st.sampled_from("01"))
)


@settings(max_examples=80, deadline=None)
@given(st.lists(CUBES, min_size=1, max_size=4))
def test_random_tables(tmp_path_factory, tables):
    path = tmp_path_factory.mktemp("blif") / "m.blif"
    inputs = [f"i{j}" for j in range(9)]
    lines = [".model m", ".inputs " + " ".join(inputs), ".outputs " + " ".join(f"o{t}" for t in range(len(tables)))]
    bits = np.array(list(itertools.product((0, 1), repeat=9)), bool)
    wanted = []
    for t, (k, cubes, value) in enumerate(tables):
        lines.append(" ".join([".names", *inputs[:k], f"o{t}"]))
        lines += [f"{cube} {value}".strip() for cube in cubes]
        hit = np.zeros(len(bits), bool)
        for cube in cubes:
            hit |= np.all([bits[:, j] == (c == "1") for j, c in enumerate(cube) if c != "-"], axis=0)
        wanted.append(hit == (value == "1") if cubes else np.zeros(len(bits), bool))
    path.write_text("\n".join([*lines, ".end", ""]))
    circuit = from_blif(path)
    assert np.array_equal(evaluate(circuit, bits), np.array(wanted).T)
    assert np.array_equal(evaluate(simplify(circuit), bits), np.array(wanted).T)


def test_a_multiplexer_takes_few_gates(tmp_path):
    rows = ["001--- 1", "01-1-- 1", "10--1- 1", "11---1 1"]
    path = tmp_path / "m.blif"
    path.write_text("\n".join([".model m", ".inputs s t a b c d", ".outputs o", ".names s t a b c d o", *rows, ".end"]))
    assert simplify(from_blif(path)).n_gates == 9
