"""Packed bits: their rule, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit.packed import PackedBits
from gatewright.errors import DtypeError, ShapeError


@given(st.integers(0, 300), st.integers(0, 9), st.integers(0, 99))
@settings(deadline=None)
def test_packing_follows_its_rule(n, rows, seed):
    bits = np.random.default_rng(seed).random((n, rows)) < 0.5
    packed = PackedBits.pack(bits)
    words = packed.words
    assert words.shape == (rows, -(-n // 64))
    assert words.dtype == np.uint64
    assert len(packed) == packed.n == n
    for s in range(n):
        assert np.array_equal(words[:, s // 64] >> np.uint64(s % 64) & np.uint64(1), bits[s])
    assert np.array_equal(packed.unpack(), bits)
    assert np.array_equal(PackedBits.pack(PackedBits(words, n).unpack()).words, words)  # unused bits are zero


def test_what_is_not_packed_is_refused():
    for n in (64, 129):
        with pytest.raises(ShapeError, match=f"n is {n}, but 2 word\\(s\\) hold 65 to 128 samples"):
            PackedBits(np.zeros((20, 2), np.uint64), n)
    with pytest.raises(ShapeError, match="hold 0 to 0 samples"):
        PackedBits(np.zeros((20, 0), np.uint64), 1)
    with pytest.raises(ShapeError, match=r"expected \(rows, words\)"):
        PackedBits(np.zeros(2, np.uint64), 128)
    with pytest.raises(DtypeError, match="words are bool, expected uint64; pack Booleans"):
        PackedBits(np.zeros((5, 20), bool), 5)
    with pytest.raises(DtypeError, match="bits are uint8, expected bool"):
        PackedBits.pack(np.zeros((5, 20), np.uint8))
    with pytest.raises(ShapeError, match=r"expected \(n, rows\)"):
        PackedBits.pack(np.zeros(5, bool))


def test_words_are_not_copied():
    words = np.zeros((3, 4), np.uint64)[:, ::2]
    assert PackedBits(words, 100).words is words
