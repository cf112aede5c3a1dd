"""The expected cost in the loss: its gradient, its schedule, and what it does to circuits."""

import copy

import pytest
import torch
from torch import nn

import gatewright as gw
from gatewright.errors import FormatError, OptionError
from gatewright.learning.cost import CURRENCIES, PER
from gatewright.nn import GroupSum, LogicConv2d, LogicDense


def network(seed=0, relaxation="hard"):
    g = torch.Generator().manual_seed(seed)
    return nn.Sequential(
        LogicConv2d(2, 6, 3, padding=1, channels=0, relaxation=relaxation, generator=g),
        nn.Flatten(),
        LogicDense(6 * 16, 40, relaxation=relaxation, gradients="float", generator=g),
        GroupSum(2),
    )


def gradients(model, x, y):
    model.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    return [layer.candidates.logits.grad.clone() for layer in gw.logic_layers(model)]


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
@pytest.mark.parametrize("currency", CURRENCIES)
def test_the_gradient_is_that_of_the_expected_cost(relaxation, currency, generator):
    model = network(relaxation=relaxation)
    x = (torch.rand(20, 2, 4, 4, generator=generator) < 0.5).float()
    y = x[:, 0, 0, 0].long()
    # The convolution takes part with the same noise of int8, which is a hash of the values.
    plain = gradients(model, x, y)
    gw.ExpectedCost(model, weight=3.0, currency=currency)
    priced = gradients(model, x, y)
    for layer, positions, one, two in zip(gw.logic_layers(model), (16, 1), plain, priced, strict=True):
        c = layer.candidates
        logits = c.logits.detach().clone().requires_grad_()
        price = torch.tensor(CURRENCIES[currency])[c.gate.long()]
        (3.0 / PER * positions * (torch.softmax(logits, 1) * price).sum()).backward()
        torch.testing.assert_close(two - one, logits.grad, rtol=1e-3, atol=1e-6)


def test_gates_cost_what_they_are():
    assert [gate for gate in range(16) if not CURRENCIES["ops"][gate]] == [0, 3, 5, 10, 12, 15]
    assert [CURRENCIES["nand"][gate] for gate in (0, 1, 3, 6, 7, 9, 14)] == [0, 2, 0, 4, 2, 4, 2]


def test_the_weight_rises_to_its_full_value():
    model = network()
    cost = gw.ExpectedCost(model, weight=8.0, ramp=4)
    seen = []
    for _ in range(6):
        seen.append(float(gw.logic_layers(model)[0].price.max()) * PER)
        assert cost.statistics == {"weight": pytest.approx(seen[-1])}
        cost.step()
    assert seen == pytest.approx([0, 2, 4, 6, 8, 8])


def test_networks_become_smaller_and_still_learn():
    def trained(weight):
        g = torch.Generator().manual_seed(1)
        model = nn.Sequential(LogicDense(60, 200, candidates=8, relaxation="hard", generator=g), GroupSum(2))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        guide = gw.GuidedProposals(model, optimizer, every=5, batches=1, margin=1.0, generator=g)
        cost = gw.ExpectedCost(model, weight=weight, ramp=100)
        for _ in range(200):
            x = (torch.rand(128, 60, generator=g) < 0.5).float()
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), (x[:, 17] * x[:, 41]).long()).backward()
            optimizer.step()
            guide.step()
            cost.step()
        x = (torch.rand(1000, 60, generator=g) < 0.5).float()
        right = model.eval()(x).argmax(1) == (x[:, 17] * x[:, 41])
        return float(right.float().mean()), gw.cost(gw.lower(model, (60,))).logic_ops

    accuracy, ops = trained(0.0)
    cheap_accuracy, cheap_ops = trained(1.0)
    assert accuracy > 0.95
    assert cheap_accuracy > 0.95
    assert cheap_ops < ops / 2


def test_state_and_copies():
    model = network()
    cost = gw.ExpectedCost(model, weight=8.0, ramp=4)
    for _ in range(3):
        cost.step()
    other_model = network()
    other = gw.ExpectedCost(other_model, weight=8.0, ramp=4)
    other.load_state_dict(cost.state_dict())
    assert other.statistics == cost.statistics
    assert torch.equal(gw.logic_layers(other_model)[0].price, gw.logic_layers(model)[0].price)
    assert copy.deepcopy(model)[0].price is None  # nobody steps it
    both, stepped = copy.deepcopy((model, cost))
    stepped.step()
    assert float(both[0].price.max()) > float(model[0].price.max())
    cost.remove()
    assert model[0].price is None
    with pytest.raises(FormatError, match="steps"):
        other.load_state_dict({"steps": -1})


@pytest.mark.parametrize(
    ("options", "said"),
    [({"weight": -1.0}, "weight"), *(({"weight": 1.0, "currency": kind}, "currency") for kind in ("gold", []))],
)
def test_options_are_refused_by_name(options, said):
    with pytest.raises(OptionError, match=said):
        gw.ExpectedCost(network(), **options)


def test_a_run_with_a_price_resumes_to_the_same_bits(tmp_path):
    from gatewright.runs.run import load_run, train
    from gatewright.training.load import load_preset

    layers = "model.layers=[{type: flatten}, {type: dense, width: 60}]"
    changes = ["train.steps=40", "train.checkpoint_every=10", "cost.weight=5.0", layers]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(load_preset("digits", changes), "digits", whole)
    count = 0

    def stop():
        nonlocal count
        count += 1
        return count == 17

    assert train(load_preset("digits", changes), "digits", parts, stop=stop) is None
    train(load_preset("digits", changes), "digits", parts, resume=True)
    one, two = (load_run(path).model.state_dict() for path in (whole, parts))
    assert all(torch.equal(one[key], two[key]) for key in one)
