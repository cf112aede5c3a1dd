"""Downloads, from a server on this machine that can be made to misbehave."""

import gzip
import hashlib
import socket

import numpy as np
import pytest

from gatewright.data import catalogue, download, idx
from gatewright.data import known_files as files
from gatewright.data.dataset import DatasetInfo, Reader
from gatewright.errors import DataError

PATH = "set/raw/file"
DATA = bytes(range(256)) * 3000  # several chunks


def sha(data):
    return hashlib.sha256(data).hexdigest()


def left_in(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_download_lands_in_its_place_and_is_not_repeated(tmp_path, know, server, monkeypatch):
    know({PATH: DATA})
    server.answers[f"/{PATH}"] = DATA
    monkeypatch.setenv("GATEWRIGHT_MIRROR", server.url + "/")
    download.download(tmp_path / "new", [PATH])
    assert left_in(tmp_path / "new") == [PATH]
    assert files.read(tmp_path / "new", [PATH]) == {PATH: DATA}
    download.download(tmp_path / "new", [PATH])
    assert server.asked == [f"/{PATH}"]


def test_without_a_mirror_the_upstream_url_is_asked(tmp_path, know, server):
    know({PATH: DATA}, url=server.url + "/upstream/")
    server.answers[f"/upstream/{PATH}"] = DATA
    download.download(tmp_path, [PATH])
    assert server.asked == [f"/upstream/{PATH}"]


def test_an_archive_is_downloaded_once_for_all_its_files(tmp_path, know, server, tar_of):
    contents = {"set/a": b"one", "set/b": b"two"}
    archive = tar_of(contents)
    know(contents, ("set.tar.gz", archive))
    server.answers["/set.tar.gz"] = archive
    download.download(tmp_path, list(contents), mirror=server.url)
    assert server.asked == ["/set.tar.gz"]
    assert files.read(tmp_path, list(contents)) == contents


@pytest.mark.parametrize("sent", [DATA[:70_000], b"<html>log in first</html>", b"", DATA + b"more"])
def test_another_file_is_refused_with_both_checksums_and_leaves_nothing(tmp_path, know, server, sent):
    know({PATH: DATA})
    server.answers[f"/{PATH}"] = sent
    with pytest.raises(DataError) as caught:
        download.download(tmp_path, [PATH], mirror=server.url)
    for text in (f"{server.url}/{PATH}", sha(sent), sha(DATA), f"({len(sent)} bytes)", f"put the file at {tmp_path}"):
        assert text in str(caught.value)
    assert left_in(tmp_path) == []
    assert files.missing(tmp_path, [PATH]) == (PATH,)


def test_a_connection_that_breaks_is_an_error_and_leaves_nothing(tmp_path, know, server):
    know({PATH: DATA})
    server.answers[f"/{PATH}"] = (DATA[:100_000], len(DATA))
    with pytest.raises(DataError, match="could not download") as caught:
        download.download(tmp_path, [PATH], mirror=server.url)
    assert sha(DATA) in str(caught.value)
    assert left_in(tmp_path) == []


def test_an_unreachable_server_a_missing_page_and_a_bad_url_are_named(tmp_path, know, server):
    know({PATH: DATA})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(DataError, match=f"could not download {nobody}/{PATH}.*GATEWRIGHT_MIRROR"):
            download.download(tmp_path, [PATH], mirror=nobody)
    with pytest.raises(DataError, match="404"):
        download.download(tmp_path, [PATH], mirror=server.url)
    with pytest.raises(DataError, match="could not download example/set"):
        download.download(tmp_path, [PATH], mirror="example")
    assert left_in(tmp_path) == []


def test_a_root_that_cannot_be_written_is_named(tmp_path, know, server):
    know({PATH: DATA})
    server.answers[f"/{PATH}"] = DATA
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="choose a data root that can be written"):
        download.download(tmp_path / "file", [PATH], mirror=server.url)


def test_the_first_files_of_a_stopped_download_stay(tmp_path, know, server):
    know({"a": b"one", "b": b"two"})
    server.answers["/a"] = b"one"
    with pytest.raises(DataError, match="404"):
        download.download(tmp_path, ["a", "b"], mirror=server.url)
    assert left_in(tmp_path) == ["a"]
    server.answers["/b"] = b"two"
    download.download(tmp_path, files.missing(tmp_path, ["a", "b"]), mirror=server.url)
    assert server.asked == ["/a", "/b", "/b"]


def test_progress_goes_to_standard_error_and_reaches_the_end(tmp_path, know, server, capsys):
    know({PATH: DATA})
    server.answers[f"/{PATH}"] = DATA
    download.download(tmp_path, [PATH], mirror=server.url, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert PATH in err
    assert "768.0/768.0" in err


def test_without_progress_a_download_is_silent(tmp_path, know, server, capfd):
    know({PATH: DATA})
    server.answers[f"/{PATH}"] = DATA
    download.download(tmp_path, [PATH], mirror=server.url)
    assert capfd.readouterr() == ("", "")


def idx_file(array):
    header = bytes((0, 0, 8, array.ndim)) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def test_load_downloads_what_is_missing_then_reads_it(tmp_path, know, server, monkeypatch):
    info = catalogue.describe("mnist")
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 10, (6, *shape), dtype=np.uint8) for shape in ((28, 28), (), (28, 28), ())]
    contents = {path: idx_file(array) for path, array in zip(info.files, arrays, strict=True)}
    know(contents)
    server.answers.update({f"/{path}": data for path, data in contents.items()})
    monkeypatch.setenv("GATEWRIGHT_MIRROR", server.url)
    with pytest.raises(DataError, match="is missing and 3 more"):
        catalogue.load_dataset("mnist", tmp_path, download=False)
    assert server.asked == []
    assert catalogue.missing("mnist", tmp_path) == info.files
    assert catalogue.download_size("mnist", tmp_path) == sum(map(len, contents.values()))
    dataset = catalogue.load_dataset("mnist", tmp_path)
    assert np.array_equal(dataset.test.x[:, 0], arrays[2])
    assert np.array_equal(dataset.validation.y, arrays[1])
    assert catalogue.missing("mnist", tmp_path) == ()
    assert catalogue.download_size("mnist", tmp_path) == 0
    catalogue.load_dataset("mnist", tmp_path, download=False)
    assert len(server.asked) == 4


def test_a_label_out_of_range_is_named(tmp_path, know, put):
    info = catalogue.describe("mnist")
    x, y = np.zeros((3, 28, 28), np.uint8), np.array([1, 10, 2], np.uint8)
    contents = dict(zip(info.files, map(idx_file, (x, y % 10, x, y)), strict=True))
    know(contents)
    for path, data in contents.items():
        put(f"{path}.gz", gzip.compress(data))
    with pytest.raises(DataError, match=r"mnist, test part: label of sample 1 is 10, expected 0\.\.9"):
        idx.READERS[0].read(info, tmp_path / "root")


def test_the_reader_type_carries_both_halves():
    assert all(isinstance(reader, Reader) and isinstance(reader.info, DatasetInfo) for reader in idx.READERS)
