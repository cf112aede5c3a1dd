"""The table of gates against the words of DESIGN section 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright import gates
from gatewright.gates import Gate

PLAIN = {
    Gate.FALSE: lambda a, b: False,
    Gate.AND: lambda a, b: a and b,
    Gate.A_AND_NOT_B: lambda a, b: a and not b,
    Gate.A: lambda a, b: a,
    Gate.NOT_A_AND_B: lambda a, b: not a and b,
    Gate.B: lambda a, b: b,
    Gate.XOR: lambda a, b: a != b,
    Gate.OR: lambda a, b: a or b,
    Gate.NOR: lambda a, b: not (a or b),
    Gate.XNOR: lambda a, b: a == b,
    Gate.NOT_B: lambda a, b: not b,
    Gate.A_OR_NOT_B: lambda a, b: a or not b,
    Gate.NOT_A: lambda a, b: not a,
    Gate.NOT_A_OR_B: lambda a, b: not a or b,
    Gate.NAND: lambda a, b: not (a and b),
    Gate.TRUE: lambda a, b: True,
}


@pytest.mark.parametrize("gate", list(Gate))
@pytest.mark.parametrize("a", [0, 1])
@pytest.mark.parametrize("b", [0, 1])
def test_truth_table_and_coefficients(gate, a, b):
    wanted = int(bool(PLAIN[gate](bool(a), bool(b))))
    c = gates.COEFFICIENTS[gate].astype(int)
    assert gates.TRUTH[gate, a, b] == wanted
    assert c[0] + c[1] * a + c[2] * b + c[3] * a * b == wanted
    assert gates.TRUTH[gates.NEGATE[gate], a, b] == 1 - wanted
    assert gates.TRUTH[gates.NEGATE_A[gate], 1 - a, b] == wanted
    assert gates.TRUTH[gates.NEGATE_B[gate], a, 1 - b] == wanted
    assert gates.TRUTH[gates.SWAP[gate], b, a] == wanted


def test_logic_gates_are_the_ten_that_use_both_operands():
    assert [Gate(g).name for g in np.flatnonzero(~gates.IS_LOGIC)] == ["FALSE", "A", "B", "NOT_B", "NOT_A", "TRUE"]


@given(st.lists(st.integers(0, 15), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_apply_on_words_is_apply_on_bits(ids, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 256, (len(ids), 3)).astype(np.uint8) for _ in range(2))
    words = gates.apply(np.array(ids)[:, None], a, b)
    bits = gates.apply(
        np.array(ids)[:, None, None], np.unpackbits(a[..., None], -1) > 0, np.unpackbits(b[..., None], -1) > 0
    )
    assert np.array_equal(np.unpackbits(words[..., None], -1) > 0, bits)
    one = gates.TRUTH[ids[0]][np.unpackbits(a[0]), np.unpackbits(b[0])]
    assert np.array_equal(np.unpackbits(words[0]), one)


def test_gates_are_sorted_by_what_they_cost():
    assert len(gates.LOGIC) == 10
    assert not set(gates.LOGIC) & {*gates.WIRES, Gate.B, Gate.NOT_B, Gate.FALSE, Gate.TRUE}
