"""Layers as their users see them: shapes, modes, state, wiring, and what is refused."""

import math

import pytest
import torch
from torch import nn

from gatewright.errors import FormatError, GatewrightError, OptionError, ShapeError
from gatewright.gates import LOGIC, Gate
from gatewright.nn import BitTensor, GroupSum, LogicConv2d, LogicDense, WeightedSum, default_tau, logic_layers, relaxed


def network(relaxation="soft", seed=0, width=40):
    g = torch.Generator().manual_seed(seed)
    options = {"relaxation": relaxation, "generator": g}
    return nn.Sequential(
        LogicConv2d(2, 8, 3, stride=2, padding=1, **options),
        LogicConv2d(8, 8, 3, padding=1, channels=0, **options),
        nn.Flatten(),
        LogicDense(8 * 9, width, **options),
        GroupSum(10),
    )


@pytest.fixture
def x(generator):
    return (torch.rand(21, 2, 6, 6, generator=generator) < 0.5).float()


def test_training_relaxes_and_eval_discretizes(x):
    model = network()
    soft = model(x)
    model.eval()
    hard = model(x)
    assert not torch.allclose(soft, hard)
    assert torch.equal(hard * default_tau(4), (hard * default_tau(4)).round())
    with relaxed(model):
        assert torch.equal(model(x), soft)
    assert torch.equal(model(x), hard)


def test_hard_relaxation_trains_what_it_evaluates(x):
    model = network("hard")
    out = model(x)
    assert isinstance(model[0](x), BitTensor)
    assert torch.equal(out, model.eval()(x))


def test_freezing_keeps_the_outputs_and_stops_the_gradient(x):
    model = network("hard")
    before = model(x)
    layers = logic_layers(model)
    layers[0].freeze()
    assert torch.equal(model(x), before)
    model(x).sum().backward()
    assert layers[0].candidates.logits.grad is None
    assert layers[1].candidates.logits.grad is not None


def test_state_round_trip_restores_wiring_and_frozen_layers(x):
    one, two = network(seed=0), network(seed=1)
    logic_layers(one)[0].freeze()
    assert not torch.equal(one(x), two(x))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(x), two(x))
    assert [layer.frozen for layer in logic_layers(two)] == [True, False, False]
    assert not logic_layers(two)[0].candidates.logits.requires_grad


def test_loading_a_mismatch_names_the_entry():
    state = network().state_dict()
    with pytest.raises(ShapeError, match=r"'3\.candidates\.logits'.*\(40, 16\).*\(50, 16\)"):
        network(width=50).load_state_dict(state)
    broken = dict(state)
    del broken["0.candidates.gate"]
    with pytest.raises(FormatError, match=r"no entry '0\.candidates\.gate'"):
        network().load_state_dict(broken)
    broken = {**state, "3.candidates.a": state["3.candidates.a"] + 1000}
    with pytest.raises(FormatError, match=r"'3\.candidates\.a'.*outside"):
        network().load_state_dict(broken)
    broken = {**state, "3.candidates.gate": state["3.candidates.gate"] + 16}
    with pytest.raises(FormatError, match=r"'3\.candidates\.gate'.*gate ids"):
        network().load_state_dict(broken)


@pytest.mark.parametrize(("inputs", "neurons", "candidates"), [(100, 50, 1), (100, 10, 8), (7, 3, 16), (1, 4, 2)])
def test_wiring_uses_every_input_and_two_different_ones_per_gate(inputs, neurons, candidates):
    c = LogicDense(inputs, neurons, candidates=candidates).candidates
    assert torch.cat([c.a, c.b]).unique().numel() >= min(inputs, neurons * candidates * 2) * 0.9
    assert inputs == 1 or not (c.a == c.b).any()
    if neurons * candidates * 2 >= 2 * inputs:
        assert torch.cat([c.a, c.b]).unique().numel() == inputs


def test_wiring_of_one_channel_convolutions_stays_in_its_channel():
    c = LogicConv2d(3, 7, 3, channels=1).candidates
    assert torch.equal(c.a // 9, (torch.arange(7) % 3)[:, None].expand(7, 16).int())
    c = LogicConv2d(4, 6, 3, channels=2).candidates
    assert torch.equal(c.b // 18, (torch.arange(6) % 2)[:, None].expand(6, 16).int())


def test_dense_layers_may_read_few_neighbouring_inputs():
    c = LogicDense(12, 8, inputs=3).candidates
    assert torch.equal(c.a // 3, (torch.arange(8) % 4)[:, None].expand(8, 16).int())
    assert torch.equal(c.b // 3, (torch.arange(8) % 4)[:, None].expand(8, 16).int())
    assert torch.cat([c.a, c.b]).unique().numel() == 12
    tree = LogicDense(12, 6, inputs=2).candidates
    assert torch.equal(torch.stack([tree.a, tree.b], -1).amin(-1), (2 * torch.arange(6))[:, None].expand(6, 16).int())
    assert (tree.a != tree.b).all()


def test_residual_initialisation_starts_as_wires(generator):
    layer = LogicDense(20, 20, init="residual", generator=generator)
    c = layer.candidates
    assert (c.gate[torch.arange(20), c.best()] == Gate.A).all()
    torch.testing.assert_close(c.probabilities().amax(1), torch.full((20,), 0.9))
    x = (torch.rand(30, 20, generator=generator) < 0.5).float()
    assert torch.equal(layer.eval()(x) + 0, x[:, c.a[:, 0].long()])
    assert c.a[:, 0].unique().numel() == 20


def test_same_generator_same_network():
    one, two, other = (network(seed=s).state_dict() for s in (3, 3, 4))
    assert all(torch.equal(one[k], two[k]) for k in one)
    assert not all(torch.equal(one[k], other[k]) for k in one)


def test_entropy_lies_in_zero_to_one():
    layer = LogicDense(5, 4)
    nn.init.zeros_(layer.candidates.logits)
    torch.testing.assert_close(layer.candidates.entropy(), torch.ones(4))
    layer.candidates.logits.data[:, 3] = 100
    assert (layer.candidates.entropy() < 1e-6).all()
    assert (LogicDense(5, 4, candidates=1).candidates.entropy() == 0).all()


def test_group_sum_counts_and_its_default_temperature(generator):
    x = (torch.rand(9, 30, generator=generator) < 0.5).float()
    head = GroupSum(3)
    assert head.temperature(30) == math.sqrt(10) / 2
    torch.testing.assert_close(head(x), x.view(9, 3, 10).sum(-1) / head.temperature(30))
    torch.testing.assert_close(GroupSum(3, tau=4.0)(x), x.view(9, 3, 10).sum(-1) / 4)


def test_gate_choice_can_be_limited():
    layer = LogicDense(8, 50, gates=[Gate.AND, Gate.XOR])
    assert set(layer.candidates.gate.unique().tolist()) == {1, 6}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: LogicDense(0, 4), "positive sizes, got 0 -> 4"),
        (lambda: LogicDense(4, 4, candidates=0), "candidates must be at least 1"),
        (lambda: LogicDense(4, 4, relaxation="sotf"), "unknown relaxation 'sotf'; did you mean 'soft'"),
        (lambda: LogicDense(4, 4, init="residal"), "did you mean 'residual'"),
        (lambda: LogicDense(4, 4, gates=[16]), "gate ids 0..15"),
        (lambda: LogicDense(4, 4, gates=LOGIC, init="residual"), "which gates does not allow"),
        (lambda: LogicDense(4, 2, inputs=3), "inputs must be 0, or divide in_features = 4"),
        (lambda: LogicDense(4, 3, inputs=2), "groups that divide out_features = 3, got 2"),
        (lambda: LogicDense(4, 4, inputs=-2), "inputs must be 0, or divide"),
        (lambda: LogicConv2d(3, 4, 3, channels=2), "divisor of in_channels = 3"),
        (lambda: LogicConv2d(3, 4, 3, stride=0), "positive channels, kernel_size and stride"),
        (lambda: LogicConv2d(3, 4, 3, padding=-1), "padding >= 0"),
        (lambda: LogicConv2d(3, 4, 3, padding="same", stride=2), "'same' keeps .* only with stride 1"),
        (lambda: LogicConv2d(3, 4, 2, padding="same"), "odd kernel_size, got stride 1 and kernel_size 2"),
        (lambda: LogicConv2d(3, 4, 3, padding="valid"), "padding must be .* got 'valid'"),
        (lambda: GroupSum(0), "at least one class"),
        (lambda: GroupSum(3, tau=math.nan), "tau must be a positive number"),
    ],
)
def test_wrong_options_are_refused(build, message):
    with pytest.raises(OptionError, match=message):
        build()


@pytest.mark.parametrize(
    ("module", "shape", "message"),
    [
        (LogicDense(4, 4), (2, 5), r"expects \(N, 4\), got \(N, 5\)"),
        (LogicDense(4, 4), (2, 1, 2, 2), "Flatten"),
        (LogicDense(4, 4), (0, 4), "at least one sample"),
        (LogicConv2d(3, 4, 3), (2, 2, 5, 5), r"expects \(N, 3, H, W\)"),
        (LogicConv2d(3, 4, 3), (2, 3, 2, 2), "smaller than the kernel"),
        (GroupSum(3), (2, 10), "cannot share 10 bits among 3 classes equally; use a last layer of 9"),
        (GroupSum(3), (2, 3, 3), "Flatten"),
    ],
)
def test_wrong_shapes_are_refused(module, shape, message):
    with pytest.raises(ShapeError, match=message):
        module(torch.zeros(shape))


BUILDS = {
    "dense": lambda **options: LogicDense(30, 20, **options).candidates.state_dict(),
    "convolution": lambda **options: LogicConv2d(4, 20, 3, **options).candidates.state_dict(),
    "weighted sum": lambda **options: WeightedSum(30, 4, **options).state_dict(),
}


@pytest.mark.parametrize("build", BUILDS.values(), ids=list(BUILDS))
def test_without_a_generator_torch_s_own_draws(build):
    torch.manual_seed(1)
    one, two = build(), build()
    assert not any(torch.equal(one[k], two[k]) for k in one if k != "_frozen_flag")
    torch.manual_seed(1)
    again = build()
    assert all(torch.equal(one[k], again[k]) for k in one)
    given = build(generator=torch.Generator().manual_seed(1))
    assert all(torch.equal(one[k], given[k]) for k in one)


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_several_recorders_see_each_backward_pass_until_they_are_removed(x, relaxation):
    layer = logic_layers(network(relaxation))[0]
    one, two = [], []
    first, second = layer.register_recorder(one.append), layer.register_recorder(two.append)
    layer(x).sum().backward()
    assert len(one) == 1
    assert one[0] is two[0]
    first.remove()
    layer(x).sum().backward()
    assert (len(one), len(two)) == (1, 2)
    with layer.register_recorder(one.append):
        layer(x).sum().backward()
    assert (len(one), len(two)) == (2, 3)
    diverted = []
    with layer.divert_recorders(diverted.append):
        layer(x).sum().backward()
    assert (len(one), len(two), len(diverted)) == (2, 3, 1)
    second.remove()
    assert layer.recorders == ()


def test_boolean_layers_refuse_values_between(x):
    model = network().eval()
    with pytest.raises(GatewrightError, match="values other than 0 and 1"):
        model(x * 0.5)
