"""Predicted costs: what they rise with, and how far from counted ones they are."""

import statistics
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gatewright as gw
from gatewright.budget.predictor import START, EncoderSize, Predictor, coefficients, parts
from gatewright.training.load import load_preset


@pytest.fixture(scope="module")
def predictor():
    return Predictor(gw.load_dataset("digits"))


def test_the_package_states_the_errors_of_circuits_left_out():
    known = coefficients()
    assert set(known["parts"]) == set(START)
    assert known["command"] == "python benchmarks/cost_predictor.py"
    assert (Path(__file__).parents[2] / "benchmarks" / "cost_predictor.py").exists()
    for currency, found in known["left_out"].items():
        ratios = found["predicted_over_counted"].values()
        factors = [max(ratio, 1 / ratio) for ratio in ratios]
        assert found["circuits"] == len(factors) >= 15, currency
        assert found["median_factor"] == pytest.approx(statistics.median(factors), abs=0.01)
        assert found["worst_factor"] == pytest.approx(max(factors), rel=0.02)
        assert found["median_factor"] < 1.25


@pytest.mark.parametrize("preset", ["digits", "digits-narrow"])
def test_circuits_of_the_zoo_are_near_what_is_predicted(predictor, preset):
    counted = gw.cost(gw.load(preset).circuit)
    predicted = predictor.figures(load_preset(preset))["total_ops"]
    assert counted.total_ops / 1.5 < predicted < counted.total_ops * 1.5


@settings(max_examples=20)
@given(st.integers(1, 500), st.integers(1, 500))
def test_wider_networks_are_predicted_to_take_more(one, two):
    size = EncoderSize(bits=64, ops=500)

    def total(n):
        config = load_preset("digits", [f"model.layers=[{{type: flatten}}, {{type: dense, width: {10 * n}}}]"])
        plan = config.model.plan((64,), 10, ())
        return sum(parts(plan, size, coefficients()["parts"]).values())

    assert (total(one) < total(two)) == (one < two)


def test_an_encoder_is_counted_with_all_its_bits():
    dataset = gw.load_dataset("digits")
    options = load_preset("digits").data.encoder
    size, shape = EncoderSize.of(options, dataset)
    assert size.bits == 64 * 3
    assert shape == (3, 8, 8)
    assert 0 < size.ops < 64 * 3 * 8
