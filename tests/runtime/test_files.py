"""Where files are written: complete or not at all, and never in the place of what is no file."""

import os
import stat
import threading
from pathlib import Path

import pytest

from gatewright import load_circuit, save_circuit
from gatewright.circuit import Circuit
from gatewright.errors import OptionError
from gatewright.runtime.files import write_atomically, write_text_atomically

XOR = Circuit(2, [6], [0], [1], [2])


def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path):
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text_atomically(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"


def test_a_link_to_what_does_not_exist_yet_makes_it(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "target")
    save_circuit(XOR, tmp_path / "link")
    assert load_circuit(tmp_path / "deep" / "target").same_as(XOR)


def test_a_pipe_is_written_into(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_text_atomically(pipe, "through")
    reader.join(10)
    assert got == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_stays_a_device():
    before = Path("/dev/null").stat()
    save_circuit(XOR, "/dev/null")
    after = Path("/dev/null").stat()
    assert stat.S_ISCHR(after.st_mode)
    assert before.st_rdev == after.st_rdev


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(OptionError, match="is a folder"):
        write_text_atomically(tmp_path, "text")


def test_folders_are_made_but_not_inside_of_files(tmp_path):
    write_text_atomically(tmp_path / "a" / "b" / "c", "text")
    with pytest.raises(OptionError, match="is a file, expected a directory"):
        write_text_atomically(tmp_path / "a" / "b" / "c" / "d", "text")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "file").write_text("old")

    def fail(path):
        path.write_text("half")
        raise RuntimeError("disk")

    with pytest.raises(RuntimeError):
        write_atomically(tmp_path / "file", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "old"
