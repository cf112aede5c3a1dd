"""The list of data sets, their descriptions, and the types."""

import json
import subprocess
import sys

import numpy as np
import pytest

from gatewright.data import SPLITS, Dataset, Split, describe, download_size, load_dataset, missing, names, register
from gatewright.data.catalogue import READERS
from gatewright.data.known_files import known_files
from gatewright.errors import DataError, DtypeError, OptionError, ShapeError

ALL = (
    "digits",
    "mnist",
    "fashion-mnist",
    "cifar10",
    "adult",
    "breast-cancer",
    "monks-1",
    "monks-2",
    "monks-3",
    "mit-bih",
    "mit-bih-2d",
    "shapes",
)


def test_names():
    assert names() == ALL


@pytest.mark.parametrize("name", ALL)
def test_descriptions_are_complete_and_become_json(name):
    info = describe(name)
    assert info.name == name
    for text in (info.title, info.split, info.source, info.licence, info.citation):
        assert text
    assert set(info.files) <= set(known_files())
    plain = json.loads(json.dumps(info.as_dict()))
    assert plain["shape"] == list(info.shape)
    assert plain["n_features"] == np.prod(info.shape)
    assert plain["n_classes"] == len(info.class_names)


@pytest.mark.parametrize("name", ALL)
def test_a_real_set_is_what_its_description_says(real_data, real_root, name):
    info, data = describe(name), real_data(name)
    assert data.name == name
    for part in SPLITS:
        split = data.split(part)
        assert len(split) == getattr(info, part)
        assert split.x.shape == (len(split), *info.shape)
        assert split.x.dtype == info.dtype == data.dtype
        assert split.x.flags.c_contiguous
        assert split.x.flags.writeable
        assert split.y.dtype == np.int64
        assert set(np.unique(split.y)) == set(range(info.n_classes))
        flat = split.x.reshape(len(split), -1)[:, data.binary_features]
        assert flat.size == 0 or (flat.min(), flat.max()) == (0, 1)
    assert (data.class_names, data.source, data.licence) == (info.class_names, info.source, info.licence)
    assert len(data.feature_names) == (0 if info.kind == "image" else info.n_features)
    assert (data.n_features, data.n_classes) == (info.n_features, info.n_classes)
    assert data.label_shape == info.label_shape
    assert missing(name, real_root) == ()


def test_an_unknown_name_gets_the_nearest():
    for function in (describe, load_dataset, missing, download_size):
        with pytest.raises(OptionError, match=r"unknown data set 'fashon-mnist'; did you mean 'fashion-mnist'\?"):
            function("fashon-mnist")
    with pytest.raises(OptionError, match=r"unknown split 'tset'; did you mean 'test'\?"):
        load_dataset("digits").split("tset")


def test_what_is_missing_and_its_size(tmp_path):
    assert missing("digits", tmp_path) == ()
    assert download_size("digits", tmp_path) == 0
    assert missing("monks-1", tmp_path) == ("UCI/monks-1.train", "UCI/monks-1.test")
    assert download_size("monks-1", tmp_path) == 2_947 + 10_260
    assert download_size("cifar10", tmp_path) == 170_498_071
    assert download_size("mnist", tmp_path) == 1_648_877 + 4_542 + 9_912_422 + 28_881
    with pytest.raises(DataError, match=r"UCI/monks-1.train is missing and 1 more .*GATEWRIGHT_DATA"):
        load_dataset("monks-1", tmp_path, download=False)


def make(**changes):
    parts = {part: Split(np.zeros((4, 2), np.int16), np.array([0, 1, 1, 0])) for part in SPLITS}
    given = {
        "name": "own", "shape": (2,), "dtype": "int16", "class_names": ("a", "b"), "feature_names": ("f", "g"),
        "source": "", "licence": "", "citation": "", "binary_features": np.zeros(2, bool), **parts, **changes,
    }  # fmt: skip
    return Dataset(**given)


def test_own_data_make_a_data_set_and_mistakes_are_named():
    assert make().n_classes == 2
    assert make(feature_names=(), binary_features=np.zeros(0, bool)).binary_features.tolist() == [False, False]
    x, y = np.zeros((4, 2), np.int16), np.array([0, 1, 1, 0])
    with pytest.raises(DataError, match=r"own, test part: label of sample 2 is -1, expected 0\.\.1"):
        make(test=Split(x, np.array([0, 1, -1, 5])))
    with pytest.raises(DtypeError, match="own, train part: features are float64, expected int16"):
        make(train=Split(x.astype(float), y))
    with pytest.raises(ShapeError, match=r"validation part: samples have shape \(3,\), expected \(2,\)"):
        make(validation=Split(np.zeros((4, 3), np.int16), y))
    with pytest.raises(DtypeError, match="dtype is 'int64', expected one of"):
        make(dtype="int64")
    with pytest.raises(ShapeError, match="1 feature names for 2 features"):
        make(feature_names=("f",))
    with pytest.raises(ShapeError, match=r"binary_features must be bool \[2\]"):
        make(binary_features=np.zeros(3, bool))
    with pytest.raises(
        DtypeError, match=r"labels must be int64 \[n\] or \[n, height, width\], or float64 \[n\] for numbers, got int32"
    ):
        Split(x, y.astype(np.int32))
    with pytest.raises(ShapeError, match=r"4 labels need features \[4, ...\], got \[3, 2\]"):
        Split(x[:3], y)
    bad = np.zeros((4, 2), np.float32)
    bad[3, 1] = np.nan
    floats = {part: Split(np.zeros((4, 2), np.float32), y) for part in SPLITS}
    with pytest.raises(DataError, match="test part: sample 3 contains NaN or infinity"):
        make(**{**floats, "test": Split(bad, y)}, dtype="float32")


def test_features_are_made_contiguous():
    split = Split(np.zeros((2, 4), np.uint8).T, np.zeros(4, np.int64))
    assert split.x.flags.c_contiguous


def test_listing_and_loading_need_no_torch():
    code = "import sys, gatewright.data as d; d.load_dataset('digits'); d.describe('mnist'); "
    code += "assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_unknown_attributes_of_the_package_are_errors():
    import gatewright.data

    assert gatewright.data.Augment.__name__ == "Augment"
    with pytest.raises(AttributeError, match="no attribute 'Augmnt'"):
        _ = gatewright.data.Augmnt


def test_a_name_is_taken_once():
    with pytest.raises(OptionError, match="there is already a data set 'digits'"):
        register(READERS["digits"])
