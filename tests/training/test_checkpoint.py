"""State files: exact, atomic, and outspoken about damage."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from gatewright.errors import FormatError
from gatewright.runtime.files import write_atomically
from gatewright.training.checkpoint import load_state, save_state


def equal(one, two):
    if isinstance(one, torch.Tensor):
        return isinstance(two, torch.Tensor) and one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, dict):
        return isinstance(two, dict) and list(one) == list(two) and all(equal(one[k], two[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(two) and len(one) == len(two) and all(map(equal, one, two))
    return type(one) is type(two) and one == two


def tensors():
    dtypes = st.sampled_from([torch.float32, torch.uint8, torch.int64, torch.bool, torch.bfloat16])
    shapes = st.lists(st.integers(0, 3), max_size=3)
    return st.builds(
        lambda dtype, shape: (torch.arange(27)[: torch.Size(shape).numel()]).reshape(shape).to(dtype), dtypes, shapes
    )


def states():
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), tensors())
    keys = st.one_of(st.text("abc$", max_size=3), st.integers())
    return st.dictionaries(
        st.sampled_from("abcdef"),
        st.recursive(
            leaves, lambda inner: st.one_of(st.lists(inner), st.lists(inner).map(tuple), st.dictionaries(keys, inner))
        ),
    )


@given(states())
def test_round_trip(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("state") / "s.safetensors"
    save_state(path, state, "test")
    assert equal(state, load_state(path, "test"))


def test_shared_and_strided_tensors_are_kept_apart(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"whole": whole, "view": whole.T, "again": whole}
    save_state(tmp_path / "s", state, "test")
    assert equal(state, load_state(tmp_path / "s", "test"))


def test_unknown_types_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"state at 'a/b' has type set"):
        save_state(tmp_path / "s", {"a": {"b": {1}}}, "test")


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "s.safetensors"
    save_state(path, {"w": torch.arange(1000), "b": torch.ones(5), "n": 3}, "checkpoint")
    return path


@pytest.mark.parametrize("keep", [0, 4, 100, 0.5, 0.99, -1])
def test_truncated(saved, keep):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(keep * len(content)) if isinstance(keep, float) else keep])
    with pytest.raises(FormatError, match=r"s.safetensors is no checkpoint, or truncated or damaged"):
        load_state(saved, "checkpoint")


def test_flipped_bit_names_the_entry(saved):
    content = bytearray(saved.read_bytes())
    at = content.rindex(torch.arange(990, 1000).numpy().tobytes())
    content[at] ^= 1
    saved.write_bytes(content)
    with pytest.raises(FormatError, match=r"the entry 'w' is damaged"):
        load_state(saved, "checkpoint")


def test_missing_entry_is_named(saved):
    from safetensors import safe_open

    with safe_open(saved, "pt") as file:
        header = file.metadata()
        kept = {"b": file.get_tensor("b")}
    save_file(kept, saved, metadata=header)
    with pytest.raises(FormatError, match=r"the entry 'w' is missing"):
        load_state(saved, "checkpoint")


def test_foreign_files(tmp_path, saved):
    with pytest.raises(FormatError, match="there is no checkpoint at"):
        load_state(tmp_path / "nowhere", "checkpoint")
    save_file({"w": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(FormatError, match="its format is 'no gatewright file'"):
        load_state(tmp_path / "other", "checkpoint")
    with pytest.raises(FormatError, match="is a 'checkpoint' file, expected a 'model' file"):
        load_state(saved, "model")
    save_file(
        {},
        tmp_path / "bad",
        metadata={"format": "gatewright-state-1", "kind": "model", "state": "{", "checksums": "{}"},
    )
    with pytest.raises(FormatError, match=r"the header of .* is damaged"):
        load_state(tmp_path / "bad", "model")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(1))

    def fail(temporary):
        temporary.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, fail)
    assert json.loads(path.read_text()) == 1


def test_one_changed_digit_of_the_header_is_found(tmp_path):
    path = tmp_path / "x"
    save_state(path, {"step": 12345, "name": "run"}, "checkpoint")
    raw = path.read_bytes()
    at = raw.index(b"12345")
    for i in range(5):
        changed = bytearray(raw)
        changed[at + i] = ord("9")
        path.write_bytes(changed)
        with pytest.raises(FormatError, match="header"):
            load_state(path, "checkpoint")
    path.write_bytes(raw)
    assert load_state(path, "checkpoint")["step"] == 12345
