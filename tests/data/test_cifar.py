"""CIFAR-10, and what its unpickler refuses."""

import os
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.data import cache, catalogue, cifar, load_dataset
from gatewright.data.cifar import parse_batch
from gatewright.errors import DataError


def old_pickle(images, labels):
    """A batch as Python 2 wrote it: protocol 2, byte strings, integer flags of the type."""
    raw = images.tobytes()
    out = b"\x80\x02}("
    out += b"U\x04data" + b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01bt" + b"R"
    out += b"(K\x01J" + len(images).to_bytes(4, "little") + b"M\x00\x0c\x86"
    out += b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    out += b"\x89T" + len(raw).to_bytes(4, "little") + raw + b"tb"
    out += b"U\x06labels](" + b"".join(b"K" + bytes([y]) for y in labels) + b"e"
    return out + b"u."


def batch(n=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 3072), dtype=np.uint8), rng.integers(0, 10, n).tolist()


def test_an_old_pickle_is_read_in_colour_planes():
    images, labels = batch()
    x, y = parse_batch(old_pickle(images, labels), "b")
    assert x.shape == (3, 3, 32, 32)
    assert x[1, 2, 5, 7] == images[1, 2 * 1024 + 5 * 32 + 7]
    assert np.array_equal(x.reshape(3, -1), images)
    assert y.tolist() == labels
    assert y.dtype == np.int64


class Evil:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_would_run_code_is_refused_and_runs_nothing(tmp_path, protocol):
    mark = tmp_path / "was here"
    for evil in (Evil(os.mkdir, str(mark)), Evil(eval, f"open({str(mark)!r}, 'w')"), Evil(getattr, "x", "upper")):
        data = pickle.dumps([evil], protocol=protocol)
        with pytest.raises(DataError, match=r"evil-batch is not a CIFAR-10 batch, refused: .* is not allowed"):
            parse_batch(data, "evil-batch")
    assert not mark.exists()


def test_arrays_of_objects_persistent_ids_and_attribute_walks_are_refused():
    for array in (np.array([[1, "x"]], object), np.zeros((1, 3072), np.int8), np.zeros(3072, np.uint8)):
        with pytest.raises(DataError, match="its b'data' is not uint8"):
            parse_batch(pickle.dumps({b"data": array, b"labels": [0]}, protocol=3), "b")
    with pytest.raises(DataError, match="persistent id"):
        parse_batch(b"\x80\x02Pname\n.", "b")
    walk = b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.tofile.\x93."
    with pytest.raises(DataError, match="is not allowed"):
        parse_batch(walk, "b")


def test_a_malicious_file_in_the_data_root_stops_at_its_checksum(tmp_path, put, know):
    mark = tmp_path / "was here"
    info = catalogue.describe("cifar10")
    know(dict.fromkeys(info.files, b"the real one"))
    for path in info.files:
        put(path, pickle.dumps(Evil(os.mkdir, str(mark))))
    with pytest.raises(DataError, match="does not hold the known content of cifar-10-batches-py/data_batch_1"):
        cifar.READERS[0].read(info, tmp_path / "root")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "its b'data' is not uint8"),
        ({b"labels": [1]}, "its b'data' is not uint8"),
        ({b"data": "text", b"labels": [1]}, "its b'data' is not uint8"),
    ],
)
def test_other_pickles_are_refused(content, message):
    with pytest.raises(DataError, match=message):
        parse_batch(pickle.dumps(content, protocol=3), "b")


def test_a_new_pickle_is_read_too():
    images, labels = batch()
    x, y = parse_batch(pickle.dumps({b"data": images, b"labels": labels}, protocol=4), "b")
    assert np.array_equal(x.reshape(3, -1), images)
    assert y.tolist() == labels
    with pytest.raises(DataError, match="a label is beyond 64 bits"):
        parse_batch(pickle.dumps({b"data": images, b"labels": [1, 2, 2**70]}), "b")


def test_wrong_arrays_and_labels_are_refused():
    images, labels = batch()
    with pytest.raises(DataError, match="not a list of 3 integers"):
        parse_batch(old_pickle(images, labels[:-1]), "b")
    data = old_pickle(images, labels).replace(b"U\x02u1", b"U\x02i1")
    with pytest.raises(DataError, match="its b'data' is not uint8"):
        parse_batch(data, "b")


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 200))
def test_damage_anywhere_is_a_data_error_or_still_a_batch(garbage, at):
    data = bytearray(old_pickle(*batch(2)))
    data[at : at + len(garbage)] = garbage
    for damaged in (bytes(data), bytes(data[:at]), garbage):
        try:
            x, y = parse_batch(damaged, "b")
        except DataError:
            continue
        assert x.shape[1:] == (3, 32, 32)
        assert len(x) == len(y)


def fake_cifar(know, put, tar_of, as_archive):
    info = catalogue.describe("cifar10")
    batches = [batch(2, seed) for seed in range(6)]
    contents = {path: old_pickle(*one) for path, one in zip(info.files, batches, strict=True)}
    archive = tar_of({**contents, "cifar-10-batches-py/readme.html": b"x"})
    know(contents, ("cifar-10-python.tar.gz", archive))
    if as_archive:
        put("cifar-10-python.tar.gz", archive)
    else:
        for path, data in contents.items():
            put(f"{path}.xz", data, "xz")
    return batches


@pytest.mark.parametrize("as_archive", [True, False])
def test_batches_come_in_order_from_archive_and_folder(tmp_path, know, put, tar_of, as_archive):
    batches = fake_cifar(know, put, tar_of, as_archive)
    data = load_dataset("cifar10", tmp_path / "root", download=False)
    assert np.array_equal(data.validation.x.reshape(10, -1), np.concatenate([x for x, _ in batches[:5]]))
    assert np.array_equal(data.test.x.reshape(2, -1), batches[5][0])
    assert data.validation.y.tolist() == [y for _, labels in batches[:5] for y in labels]


def test_the_decoded_arrays_are_kept_and_never_in_the_data_root(tmp_path, know, put, tar_of, monkeypatch):
    fake_cifar(know, put, tar_of, as_archive=False)
    before = sorted((tmp_path / "root").rglob("*"))
    first = load_dataset("cifar10", tmp_path / "root", download=False)
    assert sorted((tmp_path / "root").rglob("*")) == before
    (entry,) = (tmp_path / "cache" / "decoded").iterdir()
    assert entry.name.startswith("cifar10-")
    with monkeypatch.context() as patch:
        patch.setattr(cifar, "parse_batch", None)  # would fail if it were called
        second = load_dataset("cifar10", tmp_path / "root", download=False)
    for part in ("train", "validation", "test"):
        assert np.array_equal(first.split(part).x, second.split(part).x)
        assert np.array_equal(first.split(part).y, second.split(part).y)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_cache_entry_is_made_anew(tmp_path, know, put, tar_of, damage):
    fake_cifar(know, put, tar_of, as_archive=False)
    first = load_dataset("cifar10", tmp_path / "root", download=False)
    (entry,) = (tmp_path / "cache" / "decoded").iterdir()
    whole = entry.read_bytes()
    at = len(whole) // 4
    flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    entry.write_bytes({"cut": whole[: len(whole) // 2], "flip": flipped, "empty": b""}[damage])
    again = load_dataset("cifar10", tmp_path / "root", download=False)
    assert np.array_equal(first.validation.x, again.validation.x)
    assert entry.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, know, put, tar_of, monkeypatch):
    fake_cifar(know, put, tar_of, as_archive=False)
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(cache, "user_cache", lambda: tmp_path / "file")
    assert len(load_dataset("cifar10", tmp_path / "root", download=False).test) == 2


def test_real(real_data):
    data = real_data("cifar10")
    y = np.concatenate([data.train.y, data.validation.y])
    assert np.bincount(y).tolist() == [5000] * 10
    assert np.bincount(data.test.y).tolist() == [1000] * 10
    values = np.arange(256) / 255
    for channel, (mean, deviation) in enumerate(
        [(0.49139968, 0.24703223), (0.48215841, 0.24348513), (0.44653091, 0.26158784)]
    ):
        pixels = sum(np.bincount(part.x[:, channel].ravel(), minlength=256) for part in (data.train, data.validation))
        found = np.average(values, weights=pixels)
        assert found == pytest.approx(mean, abs=1e-8)
        assert np.sqrt(np.average((values - found) ** 2, weights=pixels)) == pytest.approx(deviation, abs=1e-8)
