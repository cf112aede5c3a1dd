"""Thermometers: thresholds, bit order, exactness, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.errors import DataError, DtypeError, FormatError, NotFittedError, OptionError, ShapeError
from gatewright.lowering import lower
from gatewright.nn import BitTensor
from gatewright.nn.thermometer import Thermometer


def test_image_channels_are_ordered_channel_then_threshold(generator):
    x = torch.randint(0, 256, (30, 2, 3, 4), generator=generator, dtype=torch.uint8)
    encoder = Thermometer([[10, 200], [50, 100]], (2, 3, 4), "uint8")
    bits = encoder(x)
    assert isinstance(bits, BitTensor)
    assert encoder.out_shape == (4, 3, 4)
    wanted = torch.stack([x[:, 0] >= 10, x[:, 0] >= 200, x[:, 1] >= 50, x[:, 1] >= 100], 1)
    assert torch.equal(bits + 0, wanted.float())
    assert np.array_equal(encoder.transform(x.numpy()), wanted.numpy())


def test_uniform_and_quantile_thresholds():
    assert Thermometer.uniform(3, (1, 2, 2), "uint8").threshold.unique().tolist() == [64, 128, 192]
    assert Thermometer.uniform(1, (3,), "float32").threshold.tolist() == [0.5] * 3
    x = np.arange(100, dtype=np.int32).reshape(100, 1)
    assert Thermometer.quantile(3, x).threshold.tolist() == [25, 50, 75]


def test_fitting_takes_thresholds_shape_and_type_from_samples():
    x = np.arange(100, dtype=np.int32).reshape(100, 1)
    encoder = Thermometer(3)
    assert encoder.fit(x) is encoder
    assert (encoder.shape, encoder.dtype, encoder.out_shape) == ((1,), "int32", (3,))
    assert encoder.threshold.tolist() == [25, 50, 75]
    assert encoder.fit(x[:50], None).threshold.max() < 50  # again, as scikit-learn's pipelines call it
    assert Thermometer(thresholds=1, kind="uniform").fit(x).threshold.tolist() == [50]
    images = np.arange(2 * 2 * 3 * 4, dtype=np.uint8).reshape(2, 2, 3, 4)
    one, two = Thermometer(2).fit(images), Thermometer.quantile(2, images)
    assert all(torch.equal(one.state_dict()[k], two.state_dict()[k]) for k in ("feature", "threshold"))
    assert one.out_shape == (4, 3, 4)


def test_nothing_works_before_fitting():
    encoder = Thermometer(thresholds=8, kind="uniform")
    assert repr(encoder) == "Thermometer(thresholds=8, kind='uniform')"
    for use in (
        lambda: encoder(torch.zeros(1, 1)),
        lambda: encoder.transform(np.zeros((1, 1), np.float32)),
        lambda: encoder.out_shape,
        lambda: lower(torch.nn.Sequential(encoder)),
    ):
        with pytest.raises(NotFittedError, match=r"Thermometer\(thresholds=8, kind='uniform'\) .* call fit\(x\)"):
            use()
    assert not hasattr(encoder, "threshold")
    with pytest.raises(AttributeError, match="nonsense"):
        _ = encoder.nonsense


def test_quantiles_of_tables_drop_what_says_nothing():
    x = np.zeros((100, 3), np.int32)
    x[:10, 0] = 7  # mostly zero
    x[:, 2] = np.arange(100) % 2
    encoder = Thermometer.quantile(4, x, binary=[False, False, True])
    assert encoder.feature.tolist() == [0, 1, 2]  # one threshold each, a constant feature's is never met
    assert encoder.threshold.tolist() == [1.0, 1.0, 1.0]
    assert not encoder.transform(x)[:, 1].any()


@given(st.integers(0, 2**31), st.sampled_from(["uint8", "int16", "int32", "float32"]), st.integers(1, 5))
@settings(max_examples=40)
def test_circuit_encoder_compares_like_the_module(seed, dtype, bits):
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(50, 6)) * 50 + 100
    x = raw.astype(np.float32) if dtype == "float32" else raw.clip(0, 255).astype(dtype)
    encoder = Thermometer.quantile(bits, x)
    circuit = lower(torch.nn.Sequential(encoder)).encoder
    wanted = x.astype(np.float64)[:, circuit.feature] >= circuit.threshold
    assert np.array_equal(encoder.transform(x), wanted)
    assert wanted.any()


def test_fractional_thresholds_of_integers_mean_the_same():
    encoder = Thermometer([[10.2]], (1,), "uint8")
    assert encoder.transform(np.array([[10], [11]], np.uint8)).ravel().tolist() == [False, True]


def test_state_round_trip():
    one, two = (Thermometer([t], (1,), "float32") for t in ([0.1, 0.3], [0.2, 0.4]))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.threshold, two.threshold)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Thermometer([[1]], (1,), "float16"), OptionError, "unknown feature dtype 'float16'"),
        (lambda: Thermometer([[1]], (2,), "uint8"), ShapeError, r"have 2 features, got 1 lists"),
        (lambda: Thermometer([[1], [1, 2]], (2, 3, 3), "uint8"), ShapeError, "equally many thresholds"),
        (lambda: Thermometer([[2, 1]], (1,), "uint8"), OptionError, "ascending"),
        (lambda: Thermometer([[np.nan]], (1,), "uint8"), OptionError, "finite"),
        (lambda: Thermometer([[]], (1,), "uint8"), OptionError, "at least one threshold"),
        (lambda: Thermometer.uniform(0, (1,), "uint8"), OptionError, "at least 1 threshold"),
        (lambda: Thermometer.uniform(1, (1,), "uint8", low=3, high=3), OptionError, "low < high"),
        (lambda: Thermometer.quantile(2, np.array([[np.nan]], np.float32)), DataError, "NaN"),
        (lambda: Thermometer.quantile(2, np.array([["a"]])), DtypeError, "expected features of dtype"),
        (lambda: Thermometer.quantile(2, np.zeros(3, np.uint8)), ShapeError, "expected samples"),
        (lambda: Thermometer(1, kind="qantile"), OptionError, "'quantile'"),
        (lambda: Thermometer(0), OptionError, "at least 1 threshold"),
        (lambda: Thermometer(1, (1,), "uint8"), OptionError, "takes shape and dtype from the samples"),
        (lambda: Thermometer([[1]]), OptionError, "need the shape and dtype"),
        (
            lambda: Thermometer([[1]], (1,), "uint8").fit(np.zeros((3, 1), np.uint8)),
            OptionError,
            "was given its thresholds",
        ),
        (lambda: Thermometer.quantile(1, np.zeros((3, 2), np.uint8), binary=[True]), ShapeError, "binary"),
        (lambda: Thermometer([[1]], (1,), "uint8")(torch.zeros(3, 2, dtype=torch.uint8)), ShapeError, r"\(N, 1\)"),
        (lambda: Thermometer([[1]], (1,), "uint8")(torch.zeros(3, 1)), DtypeError, "dtype uint8, got float32"),
        (lambda: Thermometer([[1]], (1,), "float32")(torch.full((3, 1), torch.nan)), DataError, "NaN"),
    ],
)
def test_mistakes_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("name", "value"), [("feature", 2), ("feature", -1), ("threshold", float("nan"))])
def test_a_state_that_would_read_foreign_memory_is_refused(name, value):
    encoder = Thermometer([[1.0], [2.0]], (2,), "float32")
    state = encoder.state_dict()
    state[name] = torch.full_like(state[name], value)
    with pytest.raises(FormatError, match=name):
        encoder.load_state_dict(state)
