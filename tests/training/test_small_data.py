"""Data sets of one sample, and empty splits, end in a result or in a word about them."""

import numpy as np
import pytest
import torch

import gatewright as gw
from gatewright.data import DatasetInfo, Reader, Split, catalogue, register
from gatewright.errors import DataError, OptionError
from gatewright.training.batches import Feed
from gatewright.training.evaluate import evaluate
from gatewright.training.load import from_dict
from gatewright.training.trainer import Trainer


@pytest.fixture
def small(monkeypatch):
    """Registers a data set of these sizes; it is forgotten afterwards."""

    monkeypatch.setattr(catalogue, "READERS", dict(catalogue.READERS))

    def make(train, validation, test):
        def read(info, root):
            rng = np.random.default_rng(0)
            splits = (
                Split(rng.integers(0, 256, (n, 4), np.uint8), np.arange(n) % 2) for n in (train, validation, test)
            )
            return info.dataset(*splits)

        info = DatasetInfo(
            name=f"small-{train}-{validation}-{test}", title="small", kind="table", shape=(4,), dtype="uint8",
            class_names=("a", "b"), train=train, validation=validation, test=test, split="generated", source="here",
            licence="MIT", citation="none",
        )  # fmt: skip
        register(Reader(info, read))
        return info.name

    return make


def config(name, validation):
    return from_dict(
        {
            "data": {"name": name, "validation": validation},
            "model": {"relaxation": "hard", "layers": [{"type": "dense", "width": 8}]},
            "train": {"steps": 4},
        }
    )


@pytest.mark.parametrize("validation", ["holdout", "none"])
@pytest.mark.parametrize("sizes", [(1, 0, 1), (1, 1, 1), (2, 1, 1)])
def test_one_sample_is_enough(small, tmp_path, sizes, validation):
    result = gw.train(config(small(*sizes), validation), out=tmp_path / "run")
    assert 0 <= result.test.hard <= 1
    assert (result.validation is None) == (validation == "none" or sizes[1] == 0)


@pytest.mark.parametrize("validation", ["holdout", "none"])
@pytest.mark.parametrize("sizes", [(1, 0, 0), (5, 4, 0)])
def test_a_test_split_without_samples_is_refused_before_training(small, tmp_path, sizes, validation):
    name = small(*sizes)
    with pytest.raises(DataError, match=f"{name} has no test samples"):
        gw.train(config(name, validation), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def feed(n):
    return Feed(Split(np.zeros((n, 4), np.float32), np.zeros(n, np.int64)), torch.device("cpu"))


def test_an_empty_validation_split_is_refused_before_training():
    model = torch.nn.Sequential(gw.LogicDense(4, 8, candidates=2), gw.GroupSum(2))
    optimizer = torch.optim.Adam(model.parameters())
    options = config("digits", "holdout").train
    generator = torch.Generator()
    with pytest.raises(DataError, match="the validation split has no samples; pass validation=None"):
        Trainer(model, optimizer, {}, feed(1), feed(0), options, generator)
    with pytest.raises(OptionError, match="no training samples"):
        Trainer(model, optimizer, {}, feed(0), None, options, generator)
    with pytest.raises(DataError, match="no samples to evaluate"):
        evaluate(model, feed(0))
    Trainer(model, optimizer, {}, feed(1), None, options, generator).fit()


@pytest.mark.parametrize(
    ("layer", "batch"),
    [
        (gw.LogicDense(4, 4), torch.zeros(0, 4)),
        (gw.LogicConv2d(1, 2, 3), torch.zeros(0, 1, 4, 4)),
        (gw.Thermometer([[1]] * 4, (4,), "uint8"), torch.zeros(0, 4, dtype=torch.uint8)),
    ],
)
def test_empty_batches_are_called_so(layer, batch):
    with pytest.raises(gw.GatewrightError, match="of at least one sample, got shape"):
        layer(batch)


@pytest.mark.parametrize("n", [100.5, "100", None, True, np.nan])
def test_packed_bits_have_a_whole_number_of_samples(n):
    with pytest.raises(OptionError, match="n must be a whole number, got"):
        gw.PackedBits(np.zeros((3, 2), np.uint64), n)


def test_blocks_and_counts_are_whole_numbers():
    with pytest.raises(OptionError, match=r"block is 1024\.0"):
        gw.Engine(gw.load("digits").circuit, block=1024.0)
    classifier = pytest.importorskip("gatewright.sklearn").GatewrightClassifier
    for name in ("width", "steps", "batch"):
        with pytest.raises(OptionError, match=f"{name} must be at most"):
            classifier(**{name: 10**12}).fit([[0.0], [1.0]], [0, 1])
