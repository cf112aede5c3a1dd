"""The cache of decoded arrays: it can fail to help, but never give something else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.data import cache
from gatewright.data import known_files as files
from gatewright.data.cache import cached
from gatewright.data.known_files import KnownFile
from gatewright.runtime.files import sha256_of_file

ARRAYS = {"x": np.arange(24, dtype=np.int16).reshape(4, 6), "y": np.array([1, 2, 3, 4])}


def same(one, two):
    return one.keys() == two.keys() and all(
        np.array_equal(one[key], two[key]) and one[key].dtype == two[key].dtype for key in one
    )


def test_arrays_are_made_once_for_each_version_and_checksum(tmp_path, know, monkeypatch):
    made = []

    def make():
        made.append(1)
        return ARRAYS

    know({"a": b"one"})
    assert same(cached("set", 1, ["a"], make), ARRAYS)
    assert same(cached("set", 1, ["a"], make), ARRAYS)
    assert len(made) == 1
    cached("set", 2, ["a"], make)
    know({"a": b"other"})
    cached("set", 1, ["a"], make)
    assert len(made) == 3
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_any_damage_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "known_files", lambda: {"a": KnownFile("0" * 64, 1, "a", "http://x/a")})
    assert files.user_cache() == tmp_path / "cache"
    cached("set", 1, ["a"], lambda: ARRAYS)
    (entry,) = (tmp_path / "cache" / "decoded").iterdir()
    whole = entry.read_bytes()

    @settings(deadline=None, max_examples=400)
    @given(st.integers(0, len(whole) - 1), st.integers(1, 255), st.integers(0, 3))
    def damage(at, by, kind):
        changed = whole[:at] + bytes([whole[at] ^ by]) + whole[at + 1 :]
        entry.write_bytes([changed, changed, whole[:at], whole[:at] + whole[at + by :]][kind])
        assert entry.read_bytes() != whole
        assert same(cached("set", 1, ["a"], lambda: ARRAYS), ARRAYS)
        assert entry.read_bytes() == whole

    damage()


def test_an_entry_that_holds_pickles_is_not_loaded_even_if_its_name_is_right(tmp_path, know):
    know({"a": b"one"})
    cached("set", 1, ["a"], lambda: ARRAYS)
    (entry,) = (tmp_path / "cache" / "decoded").iterdir()
    np.savez(entry, x=np.array([{}], object), allow_pickle=True)
    entry.rename(entry.with_stem(entry.stem.rpartition("-")[0] + "-" + sha256_of_file(entry)))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        cached("set", 1, ["a"], lambda: ARRAYS)


def test_entries_that_cannot_be_written_leave_nothing(tmp_path, know, monkeypatch):
    know({"a": b"one"})

    def full(*args, **kwargs):
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full)
    assert same(cached("set", 1, ["a"], lambda: ARRAYS), ARRAYS)
    assert list((tmp_path / "cache" / "decoded").iterdir()) == []
