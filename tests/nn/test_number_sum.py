"""The head of numbers: the same in training and evaluation, and exactly the number of its circuit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gatewright.data import Split
from gatewright.engine import Engine
from gatewright.errors import DtypeError, OptionError
from gatewright.lowering import lower
from gatewright.nn import LogicDense, NumberSum, relaxed
from gatewright.training.batches import Feed
from gatewright.training.evaluate import evaluate
from gatewright.training.load import load_preset
from gatewright.training.objective import NUMBERS


@given(st.integers(0, 2**31), st.integers(1, 80), st.integers(1, 9), st.sampled_from([0.25, 1.0, 16.0, None]))
@settings(max_examples=25, deadline=None)
def test_the_circuit_gives_the_numbers_of_the_module(seed, width, limit, tau):
    generator = torch.Generator().manual_seed(seed)
    head = NumberSum(width, limit=limit, tau=tau, generator=generator)
    with torch.no_grad():
        head.weight.copy_(torch.randn(1, width, generator=generator) * limit)
    network = nn.Sequential(LogicDense(12, width, candidates=4, relaxation="hard", generator=generator), head)
    bits = torch.rand(100, 12, generator=generator) < 0.5
    expected = network.eval()(bits.float())[:, 0]
    assert torch.equal(expected, network.train()(bits.float())[:, 0])
    np.testing.assert_array_equal(Engine(lower(network, (12,))).predict(bits.numpy()), expected.detach().numpy())


def test_temperatures_are_powers_of_two():
    assert [NumberSum(features).tau for features in (20, 100, 250, 1000)] == [16, 32, 64, 128]
    with pytest.raises(OptionError, match="power of two"):
        NumberSum(5, tau=3.0)


def test_configs_of_classes_refuse_it():
    with pytest.raises(OptionError, match="learns numbers, but the data have 10 classes"):
        load_preset("digits", ["model.head.kind=number"]).model.plan((64,), 10)


def test_evaluation_adds_up_explained_variance():
    class Half(nn.Module):
        def forward(self, x):
            return x * 0.5

    y = np.array([-1.0, 1.0, 2.0], np.float32)
    feed = Feed(Split(y[:, None], y), torch.device("cpu"), weight=np.array([1.0, 1.0, 2.0]))
    found = evaluate(Half(), feed, objective=NUMBERS)
    assert found.hard == found.soft == pytest.approx(1 - (0.25 + 0.25 + 2 * 1) / 4)
    with relaxed(Half()), pytest.raises(DtypeError, match="float64"):
        Split(y[:, None], y.astype(np.float16))
