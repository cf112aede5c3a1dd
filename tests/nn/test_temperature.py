"""The temperature that is measured before training."""

import math

import pytest
import torch
from torch import nn

from gatewright import GroupSum, LogicDense, PixelGroupSum, WeightedSum, measure_temperature
from gatewright.errors import UnsupportedError
from gatewright.gates import LOGIC
from gatewright.nn.temperature import FACTOR


class Copies(nn.Module):
    """Each input `times` over: bits that are as correlated as can be."""

    def __init__(self, times):
        super().__init__()
        self.times = times

    def forward(self, x):
        return x.repeat_interleave(self.times, 1)


def bits(*shape):
    return torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(0)).float()


def test_independent_bits_have_the_rule():
    head = GroupSum(2)
    tau = measure_temperature(nn.Sequential(head), bits(2000, 800))
    assert tau == head.tau == pytest.approx(FACTOR * head.rule(800), rel=0.03)


def test_correlated_bits_have_more():
    # A count of 25 copies deviates sqrt(25) times as much as that of as many independent bits.
    head = GroupSum(2)
    tau = measure_temperature(nn.Sequential(Copies(25), head), bits(2000, 32))
    assert tau == pytest.approx(FACTOR * math.sqrt(5) * head.rule(800), rel=0.03)


def test_constant_bits_have_the_rule():
    head = GroupSum(2)
    assert measure_temperature(nn.Sequential(head), torch.ones(50, 8)) == FACTOR * head.rule(8)


def test_the_model_is_left_as_it_was_but_for_the_temperature():
    model = nn.Sequential(LogicDense(8, 40, relaxation="hard"), WeightedSum(40, 4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    measure_temperature(model, bits(100, 8))
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_pixels():
    head = PixelGroupSum(2)
    tau = measure_temperature(nn.Sequential(head), bits(500, 64, 3, 3))
    assert tau == pytest.approx(FACTOR * head.rule(64), rel=0.05)


def test_a_network_without_head_is_refused():
    with pytest.raises(UnsupportedError, match="a LogicDense at the end"):
        measure_temperature(nn.Sequential(LogicDense(8, 4)), bits(10, 8))


def test_trees_count_as_the_bits_at_their_leaves():
    def trees(*before):
        leaves = LogicDense(800, 400, gates=LOGIC, relaxation="hard")
        return nn.Sequential(
            *before, leaves, LogicDense(400, 200, inputs=2, gates=LOGIC, relaxation="hard"), GroupSum(2)
        )

    rule = GroupSum(2).rule(200)
    assert measure_temperature(trees(), bits(2000, 800)) == pytest.approx(FACTOR * rule, rel=0.08)
    assert measure_temperature(trees(Copies(100)), bits(2000, 8)) > 1.5 * FACTOR * rule
    alone = nn.Sequential(LogicDense(800, 200, gates=LOGIC), GroupSum(2))  # one gate is no tree
    assert measure_temperature(nn.Sequential(Copies(100), *alone), bits(2000, 8)) < 1.5 * FACTOR * rule
