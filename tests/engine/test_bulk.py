"""Files of samples: what is written, what is refused, and how much memory it takes."""

import subprocess
import sys

import numpy as np
import pytest

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.circuit.io import save_circuit
from gatewright.engine import Engine
from gatewright.engine import bulk as files
from gatewright.engine.bulk import predict_file
from gatewright.errors import DataError, DtypeError, FormatError, OptionError, ShapeError, UnsupportedError
from support.circuits import random_circuit, random_features


@pytest.fixture
def engine():
    return Engine(random_circuit(4, 60, 500, 80, dtype="float32"))


@pytest.mark.parametrize("n", [0, 1, 5000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_files_are_classified_part_by_part(engine, tmp_path, monkeypatch, n, order):
    monkeypatch.setattr(files, "_PART_BYTES", 100_000)
    x = random_features(engine.circuit, n)
    np.save(tmp_path / "x.npy", np.asarray(x, order=order))
    whole = {"classes": engine.predict(x), "scores": engine.scores(x), "probabilities": engine.predict_proba(x)}
    for result, expected in whole.items():
        written = predict_file(engine, tmp_path / "x.npy", tmp_path / "y.npy", result)
        for y in (written, np.load(tmp_path / "y.npy")):
            assert y.dtype == expected.dtype
            np.testing.assert_array_equal(y, expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "y.npy"]


def test_what_is_wrong_is_said_with_the_file(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_PART_BYTES", 100_000)
    source, target = tmp_path / "x.npy", tmp_path / "y.npy"
    target.write_text("as it was")
    x = random_features(engine.circuit, 3000)
    x[2500, 3] = np.nan
    broken = [
        (x, DataError, "x.npy: x contains NaN: sample 2500, feature 3"),
        (x[:, 1:], ShapeError, r"x.npy: x has shape \(3000, 29\)"),
        (x.astype(float), DtypeError, "x.npy: x is float64"),
        (np.float32(1), ShapeError, "single number"),
    ]
    for array, error, message in broken:
        np.save(source, array)
        with pytest.raises(error, match=message):
            predict_file(engine, source, target)
    source.write_bytes(source.read_bytes()[:60])
    with pytest.raises(FormatError, match="damaged"):
        predict_file(engine, source, target)
    np.save(source, random_features(engine.circuit, 10))
    source.write_bytes(source.read_bytes()[:-1])
    with pytest.raises(FormatError, match="damaged"):
        predict_file(engine, source, target)
    assert target.read_text() == "as it was"
    assert len(list(tmp_path.iterdir())) == 2


def test_circuits_without_an_encoder_take_booleans(tmp_path):
    engine = Engine(random_circuit(4, 60, 500, 80, encoder=False))
    x = np.random.default_rng(0).random((200, 60)) < 0.5
    np.save(tmp_path / "x.npy", x)
    y = predict_file(engine, tmp_path / "x.npy", tmp_path / "y.npy")
    np.testing.assert_array_equal(y, engine.predict(x))
    np.save(tmp_path / "x.npy", np.zeros((60, 4), np.uint64))
    with pytest.raises(DtypeError, match="packed bits"):
        predict_file(engine, tmp_path / "x.npy", tmp_path / "y.npy")


def test_options_that_make_no_sense_are_refused(engine, tmp_path):
    source = tmp_path / "x.npy"
    x = random_features(engine.circuit, 10)
    np.save(source, x)
    with pytest.raises(OptionError, match="give the results another name"):
        predict_file(engine, source, tmp_path / "." / "x.npy")
    with pytest.raises(OptionError, match="unknown result 'logits'"):
        predict_file(engine, source, tmp_path / "y.npy", "logits")
    with pytest.raises(UnsupportedError, match="no head"):
        predict_file(Engine(engine.circuit.replace(head=None)), source, tmp_path / "y.npy")
    np.testing.assert_array_equal(np.load(source), x)


@pytest.mark.skipif(sys.platform != "linux", reason="reads its memory from /proc")
def test_a_file_larger_than_the_memory_there_is(tmp_path):
    # 800 MB of samples and 80 MB of classes by a process that may not have 100 MB more than it has at the start.
    encoder = Encoder(np.arange(80), np.full(80, 1), (80,), "uint8")
    circuit = Circuit(80, [], [], [], np.arange(80), encoder, Head(np.arange(80) % 4, np.zeros(4)))
    save_circuit(circuit, tmp_path / "c.gw")
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.uint8, (10_000_000, 80))
    x[9_999_999, 3] = 1
    del x
    code = """
import resource, sys
from pathlib import Path
from gatewright.circuit.io import load_circuit
from gatewright.engine import Engine
from gatewright.engine.bulk import predict_file

folder = Path(sys.argv[1])
engine = Engine(load_circuit(folder / "c.gw"), threads=2)
list(engine.predict_stream([]))
data = int(Path("/proc/self/status").read_text().split("VmData:")[1].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (data + 100_000_000,) * 2)
try:
    bytearray(200_000_000)
except MemoryError:
    print("limited")
y = predict_file(engine, folder / "x.npy", folder / "y.npy")
print(len(y), y[9_999_999], int(y[:9_999_999].max()))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == ["limited", "10000000", "3", "0"]
