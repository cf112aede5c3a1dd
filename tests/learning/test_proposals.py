"""Guided proposals: the arithmetic of slopes, and that the gradient's wishes are met."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gatewright.errors import OptionError
from gatewright.gates import COEFFICIENTS, LOGIC
from gatewright.kernels.reference import best_gates, slopes
from gatewright.learning import AdaptiveResampling, GuidedProposals, ProductProposals
from gatewright.nn import GroupSum, LogicConv2d, LogicDense, logic_layers


@given(st.integers(0, 2**31))
@settings(max_examples=50)
def test_the_best_gate_is_the_steepest_of_all_sixteen(seed):
    g = torch.Generator().manual_seed(seed)
    s0, sums = torch.randn(6, generator=g), torch.randn(6, 5, 3, generator=g)
    c = torch.tensor(COEFFICIENTS.tolist(), dtype=torch.float32)
    all_slopes = c[:, 0] * s0[:, None, None] + sums @ c[:, 1:].T
    gate, slope = best_gates(s0, sums, torch.arange(16))
    torch.testing.assert_close(slope, all_slopes.amin(-1), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(all_slopes.gather(-1, gate.long()[..., None])[..., 0], slope, rtol=1e-4, atol=1e-5)
    wires = torch.tensor([3, 12])
    gate, slope = best_gates(s0, sums, wires)
    torch.testing.assert_close(slope, all_slopes[..., wires].amin(-1), rtol=1e-4, atol=1e-5)
    assert torch.equal(gate.long(), wires[all_slopes[..., wires].argmin(-1)])
    for k in range(16):
        given_gate = torch.full((6, 5), k, dtype=torch.uint8)
        torch.testing.assert_close(slopes(given_gate, s0, sums), all_slopes[..., k], rtol=1e-4, atol=1e-5)


def learn(relaxation, connections, steps=300):
    """Learn XOR of two among 60 inputs with few neurons: only found if the wiring is."""
    g = torch.Generator().manual_seed(0)
    model = nn.Sequential(LogicDense(60, 8, candidates=4, relaxation=relaxation, generator=g), GroupSum(2, tau=1.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    guide = GuidedProposals(model, optimizer, every=5, batches=1, trials=60, generator=g) if connections else None
    for _ in range(steps):
        x = (torch.rand(128, 60, generator=g) < 0.5).float()
        y = (x[:, 17] != x[:, 41]).long()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if guide:
            guide.step()
    model.eval()
    x = (torch.rand(1000, 60, generator=g) < 0.5).float()
    accuracy = (model(x).argmax(1) == (x[:, 17] != x[:, 41])).float().mean().item()
    return accuracy, guide


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_proposals_find_inputs_that_fixed_wiring_lacks(relaxation):
    fixed, _ = learn(relaxation, connections=False)
    guided, guide = learn(relaxation, connections=True)
    assert fixed < 0.7
    assert guided > 0.95
    assert sum(guide.statistics["proposed"]) > 0


def five_rounds(model, inputs, generator):
    """Learn the first input for five steps, each of them a round of proposals."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    guide = GuidedProposals(model, optimizer, every=1, batches=1, generator=generator)
    for _ in range(5):
        x = (torch.rand(64, inputs, generator=generator) < 0.5).float()
        nn.functional.cross_entropy(model(x), x[:, 0].long()).backward()
        optimizer.step()
        guide.step()
    return guide


def test_only_allowed_gates_are_proposed():
    g = torch.Generator().manual_seed(0)
    layer = LogicDense(50, 200, gates=(3, 12), relaxation="hard", generator=g)
    model = nn.Sequential(layer, GroupSum(2))
    guide = five_rounds(model, 50, g)
    assert guide.statistics["proposed"][0] > 200
    assert set(layer.candidates.gate.unique().tolist()) == {3, 12}


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_no_pair_is_an_input_with_itself(relaxation):
    g = torch.Generator().manual_seed(0)
    tree = LogicDense(40, 20, inputs=2, gates=LOGIC, relaxation=relaxation, generator=g)
    model = nn.Sequential(LogicDense(20, 40, relaxation=relaxation, generator=g), tree, GroupSum(2))
    guide = five_rounds(model, 20, g)
    assert all(proposed > 20 for proposed in guide.statistics["proposed"])
    for layer in logic_layers(model):
        assert (layer.candidates.a != layer.candidates.b).all()
    assert set(tree.candidates.gate.unique().tolist()) <= set(LOGIC)


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_rounds_are_the_same_after_a_restart(relaxation):
    def run(interrupt):
        g = torch.Generator().manual_seed(0)

        def build():
            return nn.Sequential(
                LogicConv2d(
                    2, 6, 3, padding=1, channels=0, relaxation=relaxation, generator=torch.Generator().manual_seed(4)
                ),
                nn.Flatten(),
                LogicDense(6 * 16, 10, relaxation=relaxation, generator=torch.Generator().manual_seed(5)),
                GroupSum(2),
            )

        def guide_of(model, optimizer):
            return GuidedProposals(model, optimizer, every=4, batches=2, trials=6, replace=2, generator=g)

        model = build()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        guide = guide_of(model, optimizer)
        for step in range(15):
            x = (torch.rand(50, 2, 4, 4, generator=g) < 0.5).float()
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), x[:, 0, 1, 1].long()).backward()
            optimizer.step()
            guide.step()
            if step == interrupt:  # in the middle of a round
                states = model.state_dict(), optimizer.state_dict(), guide.state_dict()
                model = build()
                model.load_state_dict(states[0])
                optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
                optimizer.load_state_dict(states[1])
                guide = guide_of(model, optimizer)
                guide.load_state_dict(states[2])
        return model.state_dict(), guide.statistics

    (one, stats_one), (two, stats_two) = run(None), run(6)
    assert stats_one == stats_two
    assert sum(stats_one["proposed"]) > 0
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_pairs_on_trial_resume_on_the_device_of_the_model(generator):
    """Checkpoints are read to the CPU; torch's meta device stands for a GPU here."""
    model = nn.Sequential(LogicDense(20, 10), GroupSum(2))
    guide = GuidedProposals(model, torch.optim.Adam(model.parameters()), every=2, generator=generator)
    model(torch.ones(4, 20)).sum().backward()
    guide.step()
    resumed = GuidedProposals(model, torch.optim.Adam(model.parameters()), every=2, generator=generator)
    candidates = model[0].candidates
    candidates.a = candidates.a.to("meta")
    resumed.load_state_dict(guide.state_dict())
    assert {tensor.device.type for tensor in vars(resumed.trial[0]).values()} == {"meta"}


def test_nothing_is_proposed_after_the_stop_or_to_frozen_layers(generator):
    model = nn.Sequential(LogicDense(20, 10), LogicDense(10, 10), GroupSum(2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    guide = GuidedProposals(model, optimizer, every=2, batches=1, stop_step=6, generator=generator)
    logic_layers(model)[0].freeze()
    counts = []
    for _ in range(12):
        x = (torch.rand(64, 20, generator=generator) < 0.5).float()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), x[:, 0].long()).backward()
        optimizer.step()
        guide.step()
        counts.append(list(guide.statistics["proposed"]))
    assert counts[-1][0] == 0
    assert counts[5][1] > 0
    assert counts[-1] == counts[5]


def test_wrong_options_are_refused(generator):
    model = nn.Sequential(LogicDense(4, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(OptionError, match="batches <= every"):
        GuidedProposals(model, optimizer, every=2, batches=3, generator=generator)
    with pytest.raises(OptionError, match="at least 1"):
        GuidedProposals(model, optimizer, trials=0, generator=generator)
    with pytest.raises(OptionError, match=r"share must lie in \(0, 1\]"):
        GuidedProposals(model, optimizer, share=0.0, generator=generator)


def test_share_limits_how_many_neurons_change_in_a_round():
    counts = {}
    for share in (1.0, 0.1):
        g = torch.Generator().manual_seed(0)
        model = nn.Sequential(LogicDense(50, 1000, generator=g), GroupSum(2))
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        guide = GuidedProposals(model, optimizer, every=1, batches=1, share=share, generator=g)
        x = (torch.rand(64, 50, generator=g) < 0.5).float()
        nn.functional.cross_entropy(model(x), x[:, 0].long()).backward()
        optimizer.step()
        guide.step()
        counts[share] = guide.statistics["proposed"][0]
    assert counts[1.0] > 900
    assert 50 < counts[0.1] < 150


@pytest.mark.parametrize("learner", [GuidedProposals, ProductProposals, AdaptiveResampling])
def test_without_a_generator_torch_s_own_draws(learner):
    def run(seed):
        torch.manual_seed(seed)
        model = nn.Sequential(LogicDense(20, 12, candidates=4, generator=torch.Generator().manual_seed(0)), GroupSum(2))
        optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        options = {"patience": 1, "tolerance": 1.0, "weak": 0.5} if learner is AdaptiveResampling else {"every": 2}
        connections = learner(model, optimizer, **options)
        x = (torch.rand(64, 20, generator=torch.Generator().manual_seed(1)) < 0.5).float()
        for _ in range(8):
            nn.functional.cross_entropy(model(x), x[:, 0].long()).backward()
            optimizer.step()
            connections.step()
        return model.state_dict()["0.candidates.a"]

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_two_learners_watch_the_same_layer(generator):
    model = nn.Sequential(LogicDense(20, 12, candidates=4, generator=generator), GroupSum(2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    one, two = (GuidedProposals(model, optimizer, every=2, batches=1, generator=generator) for _ in range(2))
    for _ in range(4):
        model((torch.rand(64, 20, generator=generator) < 0.5).float())[:, 0].sum().backward()
        one.step()
        two.step()
    assert one.statistics["proposed"][0] > 0
    assert two.statistics["proposed"][0] > 0
