"""Samples that count more or less: how often they come, and what accuracies say."""

import numpy as np
import pytest
import torch

from gatewright.data import Split
from gatewright.training.batches import Feed
from gatewright.training.evaluate import evaluate
from gatewright.training.sampler import DataOrder


def test_samples_come_as_often_as_they_weigh():
    weight = torch.tensor([1.0, 3.0, 0.5, 5.5], dtype=torch.float64)
    order = DataOrder(4, 5, torch.Generator().manual_seed(0), weight)
    epochs = [torch.cat([order.next(), order.next()]) for _ in range(400)]
    counts = torch.stack([epoch.bincount(minlength=4) for epoch in epochs])
    assert (counts.sum(1) == 10).all()
    assert ((counts >= weight.floor()) & (counts <= weight.ceil())).all()  # rounded up or down
    np.testing.assert_allclose(counts.double().mean(0), weight, atol=0.1)


def test_equal_weights_take_each_sample_once():
    order = DataOrder(64, 16, torch.Generator().manual_seed(0), torch.ones(64, dtype=torch.float64))
    assert torch.cat([order.next() for _ in range(4)]).sort().values.tolist() == list(range(64))


def test_accuracies_count_weights():
    class First(torch.nn.Module):
        def forward(self, x):
            return torch.nn.functional.one_hot(x[:, 0].long(), 2).float()

    x = np.array([[0], [1], [1], [0]], np.uint8)
    split = Split(x, np.array([0, 1, 0, 1]))
    device = torch.device("cpu")
    assert evaluate(First(), Feed(split, device)).hard == 0.5
    weighted = Feed(split, device, weight=np.array([1.0, 2.0, 0.5, 0.5]))
    assert evaluate(First(), weighted).hard == pytest.approx(0.75)
