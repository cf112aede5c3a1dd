"""Finding, unpacking and checking files."""

import gzip
import hashlib
import re

import pytest

from gatewright.data import known_files as files
from gatewright.errors import DataError

PATH = "MNIST/raw/some-file"
DATA = bytes(range(256)) * 40


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(("suffix", "packed"), [("", None), (".gz", "gz"), (".xz", "xz")])
def test_a_file_is_read_plain_and_packed(tmp_path, know, put, suffix, packed):
    know({PATH: DATA})
    put(PATH + suffix, DATA, packed)
    assert files.read(tmp_path / "root", [PATH]) == {PATH: DATA}


def test_files_are_read_from_the_archive_in_the_order_asked_for(tmp_path, know, put, tar_of):
    contents = {"set/b": b"two", "set/a": b"one", "set/unused": b"x"}
    archive = tar_of(contents)
    know({path: contents[path] for path in ("set/a", "set/b")}, ("set.tar.gz", archive))
    put("set.tar.gz", archive)
    assert list(files.read(tmp_path / "root", ["set/a", "set/b"]).items()) == [("set/a", b"one"), ("set/b", b"two")]


def test_the_archive_is_not_opened_where_files_lie_beside_it(tmp_path, know, put, tar_of):
    know({"set/a": b"one"}, ("set.tar.gz", tar_of({"set/a": b"one"})))
    put("set.tar.gz", b"garbage")
    put("set/a", b"one")
    assert files.read(tmp_path / "root", ["set/a"]) == {"set/a": b"one"}


def test_a_missing_file_is_named_with_its_checksum_and_the_remedy(tmp_path, know):
    know({PATH: DATA, "other": b""})
    with pytest.raises(DataError) as caught:
        files.read(tmp_path, [PATH, "other"])
    message = str(caught.value)
    assert str(tmp_path / PATH) in message
    assert sha(DATA) in message
    assert "and 1 more" in message
    assert "GATEWRIGHT_DATA" in message


@pytest.mark.parametrize("packed", [None, "gz", "xz"])
def test_wrong_content_is_named_with_both_checksums(tmp_path, know, put, packed):
    know({PATH: DATA})
    wrong = DATA[:-1] + b"!"
    place = put(PATH + (f".{packed}" if packed else ""), wrong, packed)
    with pytest.raises(DataError, match="delete the file and load again") as caught:
        files.read(tmp_path / "root", [PATH])
    for text in (str(place), sha(wrong), sha(DATA), f"({len(DATA)} bytes)"):
        assert text in str(caught.value)


@pytest.mark.parametrize("packed", ["gz", "xz"])
@pytest.mark.parametrize("keep", [0, 5, 0.5, -1])
def test_a_cut_off_packed_file_is_named_with_both_checksums(tmp_path, know, put, packed, keep):
    know({PATH: DATA})
    place = put(f"{PATH}.{packed}", DATA, packed)
    whole = place.read_bytes()
    part = whole[: int(len(whole) * keep)] if isinstance(keep, float) else whole[:keep]
    place.write_bytes(part)
    with pytest.raises(DataError) as caught:
        files.read(tmp_path / "root", [PATH])
    assert str(place) in str(caught.value)
    assert sha(DATA) in str(caught.value)
    # An empty .gz unpacks to nothing without complaint: then it is the content that is found wrong.
    assert sha(part) in str(caught.value)


def test_a_cut_off_upstream_gz_is_held_against_upstreams_checksum(tmp_path, know, put):
    packed = gzip.compress(DATA)
    know({PATH: DATA}, (f"{PATH}.gz", packed))
    place = put(f"{PATH}.gz", packed[:-9])
    with pytest.raises(DataError, match=rf"expected {sha(packed)} \({len(packed)} bytes\)"):
        files.read(tmp_path / "root", [PATH])
    assert place.exists()


@pytest.mark.parametrize("damage", ["cut", "garbage", "lacks"])
def test_a_damaged_archive_is_named(tmp_path, know, put, tar_of, damage):
    archive = tar_of({"set/a": DATA * 50})
    know({"set/a": DATA * 50, "set/b": b"two"}, ("set.tar.gz", archive))
    place = put("set.tar.gz", {"cut": archive[: len(archive) // 2], "garbage": b"garbage", "lacks": archive}[damage])
    with pytest.raises(DataError) as caught:
        files.read(tmp_path / "root", ["set/a", "set/b"])
    assert str(place) in str(caught.value)
    assert sha(archive) in str(caught.value)
    assert ("no member set/b" in str(caught.value)) == (damage == "lacks")


def test_a_bomb_is_unpacked_no_further_than_needed(tmp_path, know, put, monkeypatch):
    know({PATH: DATA})
    put(f"{PATH}.gz", bytes(50_000_000), "gz")
    seen = []
    monkeypatch.setattr(files, "sha256", lambda data: seen.append(len(data)) or sha(data))
    with pytest.raises(DataError, match=f"more than {len(DATA)} bytes"):
        files.read(tmp_path / "root", [PATH])
    assert seen == [len(DATA) + 1]


def test_a_folder_in_the_files_place_is_no_file(tmp_path, know):
    know({PATH: DATA})
    (tmp_path / PATH).mkdir(parents=True)
    assert files.missing(tmp_path, [PATH]) == (PATH,)


def test_the_root_is_the_argument_then_the_environment_then_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWRIGHT_DATA", str(tmp_path / "env"))
    assert files.data_root(tmp_path) == tmp_path
    assert files.data_root(str(tmp_path)) == tmp_path
    assert files.data_root() == tmp_path / "env"
    monkeypatch.setenv("GATEWRIGHT_DATA", "")
    assert files.data_root() == tmp_path / "cache"
    monkeypatch.delenv("GATEWRIGHT_DATA")
    assert files.data_root() == tmp_path / "cache"
    assert files.data_root("~/data").is_absolute()


def test_the_table_of_known_files_is_sound():
    known = files.known_files()
    for path, entry in known.items():
        assert entry.path == path
        assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
        assert entry.size > 0
        assert entry.is_download or known[entry.source].is_download
    downloads = [entry.source for entry in known.values() if entry.is_download]
    assert len(set(downloads)) == len(downloads)
    assert len({entry.sha256 for entry in known.values()}) == len(known)
