"""Only regular files are replaced: links are written through, devices and pipes are written into."""

import os
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest

import gatewright as gw
from gatewright.circuit import Circuit, Encoder, Head, load_circuit, save_circuit
from gatewright.engine import Engine
from gatewright.engine.bulk import predict_file
from gatewright.errors import DataError, OptionError
from gatewright.formats import WRITERS
from gatewright.runtime.files import make_folder, read_bytes, remove_temporaries, write_text_atomically
from support.commands import gatewright

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX's")

XOR = Circuit(2, [6], [0], [1], [2])


@pytest.fixture
def circuit_file(tmp_path):
    circuit = Circuit(2, [6], [0], [1], [2, 0], Encoder([0, 1], [1, 1], (2,), "uint8"), Head([0, 1], [0, 0]))
    save_circuit(circuit, tmp_path / "c.gw")
    np.save(tmp_path / "x.npy", np.array([[0, 1], [1, 1], [1, 0]], np.uint8))
    return tmp_path / "c.gw"


def received(pipe, write):
    """What arrives in a pipe while `write` runs."""
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    write(pipe)
    reader.join(20)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    return got[0]


def test_a_link_is_written_through(tmp_path):
    real, link, far = tmp_path / "real.txt", tmp_path / "link.txt", tmp_path / "other" / "far.txt"
    real.write_text("old")
    link.symlink_to("real.txt")
    write_text_atomically(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    link.unlink()
    link.symlink_to(far)  # to a file that is still to be made
    write_text_atomically(link, "new")
    assert link.is_symlink()
    assert far.read_text() == "new"
    assert {each.name for each in tmp_path.iterdir()} == {"real.txt", "link.txt", "other"}


def test_a_pipe_is_written_into(tmp_path):
    text = "x" * 300_000  # more than a pipe holds
    assert received(tmp_path / "pipe", lambda pipe: write_text_atomically(pipe, text)) == text.encode()


def test_a_device_stays_a_device(tmp_path):
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        device.open("wb").close()
    except OSError:
        pytest.skip("no devices can be made here")
    save_circuit(XOR, device)
    assert stat.S_ISCHR(device.stat().st_mode)
    link = tmp_path / "c.gw"
    link.symlink_to(device)
    save_circuit(XOR, link)
    assert link.is_symlink()
    assert stat.S_ISCHR(device.stat().st_mode)


def test_a_mode_survives(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("")
    secret.chmod(0o600)
    write_text_atomically(secret, "x")
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_continued(tmp_path, name):
    code = (
        "import sys; from pathlib import Path; from gatewright.runtime.files import write_text_atomically as w; "
        f"print('before', flush=True); w(Path({name!r}), 'written\\n'); print('after')"
    )
    with (tmp_path / "all").open("wb") as stream:
        subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    assert (tmp_path / "all").read_text() == "before\nwritten\nafter\n"


@pytest.mark.parametrize("to", sorted(WRITERS))
def test_exports_write_through_links(tmp_path, to, circuit_file):
    circuit = load_circuit(circuit_file)
    first = gw.export(circuit, to, tmp_path / "a" / "deep")
    other = tmp_path / "b"
    other.mkdir()
    (tmp_path / "files").mkdir()
    for path in first:
        (other / path.name).symlink_to(tmp_path / "files" / path.name)
    again = gw.export(circuit, to, other)
    assert all(path.is_symlink() for path in again)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in first]


def test_predictions_go_into_pipes_and_new_folders(tmp_path, circuit_file):
    engine, source = Engine(load_circuit(circuit_file)), tmp_path / "x.npy"
    expected = predict_file(engine, source, tmp_path / "new" / "folder" / "y.npy")
    assert expected.tolist() == [0, 1, 0]
    got = received(tmp_path / "pipe", lambda pipe: predict_file(engine, source, pipe))
    assert got == (tmp_path / "new" / "folder" / "y.npy").read_bytes()
    assert predict_file(engine, source, tmp_path / "y.npy").tolist() == [0, 1, 0]


def test_commands_make_folders_alike(tmp_path, circuit_file):
    done = gatewright("predict", circuit_file, tmp_path / "x.npy", "-o", tmp_path / "no" / "dir" / "y.npy", "--json")
    assert done.code == 0, done.err
    assert np.load(tmp_path / "no" / "dir" / "y.npy").tolist() == [0, 1, 0]
    load_circuit(circuit_file)
    gw.Model(load_circuit(circuit_file)).save(tmp_path / "also" / "new" / "c.gw")
    assert load_circuit(tmp_path / "also" / "new" / "c.gw").n_gates == 1


@pytest.mark.parametrize("name", ["file/y.npy", "file/deeper/y.npy", "folder"])
def test_what_cannot_be_written_is_one_error(tmp_path, circuit_file, name):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    done = gatewright("predict", circuit_file, tmp_path / "x.npy", "-o", tmp_path / name)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert len(done.err.splitlines()) == 1
    assert "is a file, expected a directory" in done.err or "is a folder, expected the name of a file" in done.err
    assert (tmp_path / "file").read_text() == "mine"


def test_folders_behind_links(tmp_path):
    (tmp_path / "link").symlink_to("real")
    make_folder(tmp_path / "link" / "inner")
    assert (tmp_path / "real" / "inner").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match=r"file is a file, expected a directory"):
        make_folder(tmp_path / "file" / "inner")


def test_long_names(tmp_path):
    path = tmp_path / ("n" * 255)
    write_text_atomically(path, "x")
    assert path.read_text() == "x"


def test_what_a_kill_left_is_removed_and_nothing_else(tmp_path):
    for name in (".model.safetensors.0123456789abcdef.tmp", ".mine.tmp", "a.0123456789abcdef.tmp"):
        (tmp_path / name).write_text("")
    remove_temporaries(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {".mine.tmp", "a.0123456789abcdef.tmp"}


def test_devices_without_an_end_are_refused(monkeypatch):
    monkeypatch.setattr("gatewright.runtime.files._MOST_BYTES", 1 << 16)
    with pytest.raises(DataError, match="no regular file, and gives more than 65536 bytes"):
        read_bytes("/dev/zero")
    with pytest.raises(DataError, match="cannot be the name of a file"):
        read_bytes("a\0b")
