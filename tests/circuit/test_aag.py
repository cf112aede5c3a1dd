"""ASCII AIGER: lines in any order of variables, read like binary AIGER, and refused where damaged."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright import verify
from gatewright.circuit.aag import read_aag
from gatewright.circuit.aig import read_aig, to_aig, write_aig
from gatewright.errors import FormatError, UnsupportedError
from support.circuits import circuits, slow_outputs

ADDER = """aag 9 2 0 2 3
4
18
6
12
6 13 15
12 4 18
14 5 19
i0 x
i1 y z
o0 s
o1 c
c
half adder, its variables with gaps and out of order
"""


def to_aag(circuit, seed):
    """Write ASCII AIGER with variables in a random order."""
    aig = to_aig(circuit)
    n = aig.n_inputs + len(aig.left)
    new = np.concatenate([[0], 1 + np.random.default_rng(seed).permutation(n + 3)[:n]])

    def literal(old):
        return 2 * int(new[old >> 1]) + int(old & 1)

    lines = [f"aag {n + 3} {aig.n_inputs} 0 {len(aig.outputs)} {len(aig.left)}"]
    lines += [str(literal(2 * (i + 1))) for i in range(aig.n_inputs)] + [str(literal(o)) for o in aig.outputs]
    ands = [
        f"{literal(2 * (aig.n_inputs + 1 + i))} {literal(right)} {literal(left)}"
        for i, (left, right) in enumerate(zip(aig.left, aig.right, strict=True))
    ]
    np.random.default_rng(seed + 1).shuffle(ands)
    return ("\n".join([*lines, *ands]) + "\n").encode()


@given(circuits, st.integers(0, 9))
@settings(deadline=None, max_examples=60)
def test_the_same_function_as_in_binary(circuit, seed):
    bits = np.random.default_rng(0).random((80, circuit.n_inputs)) < 0.5
    back = read_aag(to_aag(circuit, seed))
    np.testing.assert_array_equal(slow_outputs(back, bits), slow_outputs(circuit, bits))


def test_a_file(tmp_path):
    path = tmp_path / "adder.aag"
    path.write_text(ADDER)
    circuit = read_aag(ADDER.encode())
    bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], bool)
    np.testing.assert_array_equal(slow_outputs(circuit, bits), [[0, 0], [1, 0], [1, 0], [0, 1]])
    assert json.loads(circuit.metadata["aiger.inputs"]) == {"0": "x", "1": "y z"}
    same = tmp_path / "adder.aig"
    same.write_bytes(write_aig(circuit, inputs=["x", "y z"], outputs=["s", "c"]))
    assert verify(path, same).equal
    same.write_bytes(write_aig(circuit.replace(outputs=circuit.outputs[::-1]), inputs=["x", "y z"], outputs=["s", "c"]))
    assert verify(path, same).equal is False
    path.rename(tmp_path / "named.aig")  # the content says which kind it is
    assert verify(circuit, tmp_path / "named.aig").equal


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (("aag 9 2 0 2 3", "aag 9 2 1 2 3"), UnsupportedError, "latches"),
        (("aag 9 2 0 2 3", "aag 4 2 0 2 3"), FormatError, "variables"),
        (("6 13 15", "6 13"), FormatError, "line 6: AND 0 is b'6 13"),
        (("6 13 15", "6 13 21"), FormatError, "line 6: AND 0"),
        (("6 13 15", "7 13 15"), FormatError, "line 6: AND 0 is 7, expected a variable"),
        (("6 13 15", "6 13 16"), FormatError, "variable 8 is used but never defined"),
        (("14 5 19", "14 5 7"), FormatError, "AND [0-9]+ depends on itself"),
        (("14 5 19", "12 5 19"), FormatError, "variable 6 is defined a second time"),
        (("\n4\n18\n", "\n4\n4\n"), FormatError, "variable 2 is defined a second time"),
        (("\n6\n12\n", "\n16\n12\n"), FormatError, "variable 8 is used but never defined"),
        (("i1 y z", "i7 y z"), FormatError, "is no symbol"),
        (("12 4 18\n14 5 19\ni0 x", "12 4 18"), FormatError, "line 8: AND 2"),
    ],
)
def test_damage_is_named(change, error, message):
    assert change[0] in ADDER
    with pytest.raises(error, match=f"half.aag.*{message}"):
        read_aag(ADDER.replace(*change).encode(), source="half.aag")


def test_ascii_is_not_read_as_binary():
    with pytest.raises(FormatError, match="ASCII AIGER"):
        read_aig(ADDER.encode())
