import contextlib
import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.circuit import Circuit, Encoder, Head, load_circuit, save_circuit
from gatewright.errors import FormatError
from support.circuits import circuits, random_circuit


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("io")


@given(circuits)
@settings(deadline=None, max_examples=60)
def test_round_trip(folder, circuit):
    path = folder / "c.gw"
    save_circuit(circuit, path)
    again = load_circuit(path)
    assert again.same_as(circuit)
    assert again.gate.dtype == np.uint8
    first = path.read_bytes()
    save_circuit(again, path)
    assert path.read_bytes() == first


def test_compressed_files_are_smaller_and_the_same(tmp_path):
    circuit = random_circuit(3, n_gates=2000)
    plain, packed = tmp_path / "c.gw", tmp_path / "c.gw.xz"
    save_circuit(circuit, plain)
    save_circuit(circuit, packed)
    assert load_circuit(packed).same_as(circuit)
    assert packed.stat().st_size < plain.stat().st_size / 2
    renamed = tmp_path / "renamed.gw"
    renamed.write_bytes(packed.read_bytes())
    assert load_circuit(renamed).same_as(circuit)


def test_damaged_compressed_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "c.gw.xz"
    save_circuit(random_circuit(3), path)
    raw = path.read_bytes()
    path.write_bytes(raw[:-20])
    with pytest.raises(FormatError, match=r"c\.gw\.xz: truncated: its xz data end too early"):
        load_circuit(path)
    path.write_bytes(raw[:40] + bytes([raw[40] ^ 255]) + raw[41:])
    with pytest.raises(FormatError, match=r"c\.gw\.xz: damaged"):
        load_circuit(path)
    path.write_bytes(raw)
    monkeypatch.setattr("gatewright.circuit.io._MOST_BYTES", 100)
    with pytest.raises(FormatError, match="unpacks to more than 100 bytes"):
        load_circuit(path)


def test_names_and_metadata_round_trip(tmp_path):
    circuit = Circuit(
        1,
        [12],
        [0],
        [0],
        [1, 1],
        Encoder([1], [np.float32(0.1)], (2,), "float32", ("Größe", "b\n")),
        Head([0, 1], [2**40, -(2**40)], 0.1, ("yes", "né")),
        {"seed": "1", "Text": '"quoted" \\ ☃'},
    )
    save_circuit(circuit, tmp_path / "c.gw")
    assert load_circuit(tmp_path / "c.gw").same_as(circuit)


def test_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "c.gw"
    save_circuit(random_circuit(1), path)
    before = path.read_bytes()

    def fail(_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        save_circuit(random_circuit(2), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c.gw"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 255))
@settings(deadline=None, max_examples=300)
def test_any_flipped_byte_is_refused(folder, where, flip):
    path = folder / "flip.gw"
    save_circuit(random_circuit(3, n_inputs=6, n_gates=20, n_outputs=5), path)
    raw = bytearray(path.read_bytes())
    raw[where % len(raw)] ^= flip
    path.write_bytes(raw)
    with pytest.raises(FormatError, match=r"flip\.gw: "):
        load_circuit(path)


@pytest.mark.parametrize("keep", [0, 3, 8, 100, -200, -1])
def test_truncated(tmp_path, keep):
    path = tmp_path / "c.gw"
    save_circuit(random_circuit(3), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match=r"c\.gw: truncated.*byte"):
        load_circuit(path)


def test_surplus_bytes(tmp_path):
    path = tmp_path / "c.gw"
    save_circuit(random_circuit(3), path)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(FormatError, match=rf"data up to byte {size}, the file ends at byte {size + 1}"):
        load_circuit(path)


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(100), b"\x80\x04}q\x00." * 20, b"\x02" + bytes(7) + b"[]"])
def test_foreign(tmp_path, content):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"model\.pkl: .*not a gatewright circuit"):
        load_circuit(path)


def test_other_safetensors(tmp_path):
    path = tmp_path / "w.safetensors"
    safetensors.numpy.save_file({"weight": np.zeros(3)}, path, {"format": "pt"})
    with pytest.raises(FormatError, match="metadata have no text 'gatewright'"):
        load_circuit(path)


def rewritten(path, change):
    """Save a circuit, change its arrays or header, and write digests that fit: what remains is a consistent lie."""
    save_circuit(random_circuit(5, n_inputs=6, n_gates=20, n_outputs=5, gates=[1, 6]), path)
    with safetensors.safe_open(path, "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()["gatewright"])
    change(arrays, header)
    from gatewright.circuit import io

    for name, array in arrays.items():
        header["sha256"][name] = io._digest(array)
    with contextlib.suppress(ValueError):
        header["sha256"]["circuit"] = io._text_digest(io._Fields.model_validate(header["circuit"]))
    safetensors.numpy.save_file(arrays, path, {"gatewright": json.dumps(header)})


def _set(dictionary, key, value):
    dictionary[key] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, h: _set(h, "version", 2), "version is 2, this gatewright reads version 1"),
        (lambda a, h: _set(h, "format", "other"), "format: .*other"),
        (lambda a, h: a.pop("outputs"), "array 'outputs' is missing"),
        (lambda a, h: a.pop("head.group"), r"array 'head\.group' is missing"),
        (lambda a, h: _set(a, "extra", np.zeros(1)), "array 'extra' does not belong"),
        (lambda a, h: _set(a, "b", a["b"].astype(np.int64)), r"array 'b' is int64\[20\], expected int32\[n\]"),
        (lambda a, h: _set(a["a"], 4, 15), r"a\[4\] is 15, expected a node before it \(0\.\.9\)"),
        (lambda a, h: _set(a["gate"], 7, 16), r"gate\[7\] is 16, expected 0\.\.15"),
        (lambda a, h: _set(a["outputs"], 2, 99), r"outputs\[2\] is 99"),
        (lambda a, h: h["circuit"].pop("n_inputs"), r"circuit\.n_inputs: Field required"),
        (lambda a, h: _set(h["circuit"], "n_inputs", "6"), r"circuit\.n_inputs: Input should be a valid integer"),
        (lambda a, h: _set(h["circuit"]["encoder"], "dtype", "uint9"), "encoder.dtype is 'uint9'"),
        (lambda a, h: _set(h["circuit"]["head"], "tau", -1.0), "head.tau must be a positive number"),
        (lambda a, h: _set(a["encoder.threshold"], 0, np.nan), "encoder.threshold contains NaN"),
    ],
)
def test_inconsistent_content(tmp_path, change, message):
    path = tmp_path / "c.gw"
    rewritten(path, change)
    with pytest.raises(FormatError, match=message) as caught:
        load_circuit(path)
    assert str(path) in str(caught.value)


def test_damaged_array_is_named(tmp_path):
    path = tmp_path / "c.gw"
    save_circuit(random_circuit(3), path)
    raw = bytearray(path.read_bytes())
    with safetensors.safe_open(path, "np") as file:
        offsets = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
        assert "gate" in file.keys()  # noqa: SIM118
    raw[8 + int.from_bytes(raw[:8], "little") + offsets["gate"]["data_offsets"][0]] ^= 1
    path.write_bytes(raw)
    with pytest.raises(FormatError, match=r"array 'gate' is damaged \(its sha256 differs\)"):
        load_circuit(path)
