"""Files that are complete or not there."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from gatewright.errors import OptionError
from gatewright.runtime.files import (
    sha256_of_file,
    temporary_beside,
    write_atomically,
    write_files,
    write_text_atomically,
)


def test_a_file_is_replaced_in_one_step(tmp_path):
    path = tmp_path / "a.txt"
    write_text_atomically(path, "one")
    write_text_atomically(path, "two ü")
    assert path.read_text(encoding="utf-8") == "two ü"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(temporary):
        temporary.write_text("half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_atomically(path, fail)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_do_not_disturb_each_other(tmp_path):
    path = tmp_path / "a.txt"
    texts = [str(i) * 100_000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: write_text_atomically(path, text), texts * 4))
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]
    with temporary_beside(path) as one, temporary_beside(path) as two:
        assert one != two
        assert one.parent == two.parent == tmp_path


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_files_have_the_mode_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    write_text_atomically(tmp_path / "atomic", "")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("directory", ["file", "file/below"])
def test_a_file_in_the_place_of_a_directory_is_refused(tmp_path, directory):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OptionError, match="expected a directory to write to"):
        write_files(tmp_path / directory, {"a": "text"})
    assert (tmp_path / "file").read_text() == "mine"


def test_checksums(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
