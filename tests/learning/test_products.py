"""Guided proposals as matrix products: they find what trying every pair would find."""

import pytest
import torch
from torch import nn

from gatewright.errors import OptionError
from gatewright.kernels import reference
from gatewright.kernels.reference import best_gates
from gatewright.learning import GuidedProposals, ProductProposals, products
from gatewright.learning.products import _chosen, _groups
from gatewright.nn import GroupSum, LogicConv2d, LogicDense, LogicLocal2d, logic_layers


def networks(relaxation):
    def options(seed):
        return {"relaxation": relaxation, "candidates": 3, "generator": torch.Generator().manual_seed(seed)}

    return {
        "dense": (nn.Sequential(LogicDense(12, 6, **options(1)), GroupSum(2)), (12,)),
        "one channel": (
            nn.Sequential(
                LogicConv2d(3, 7, 3, padding=1, **options(1)),
                nn.Flatten(),
                LogicDense(7 * 12, 6, **options(2)),
                GroupSum(2),
            ),
            (3, 3, 4),
        ),
        "all channels": (
            nn.Sequential(
                LogicConv2d(2, 4, 2, channels=0, stride=2, padding=1, **options(1)), nn.Flatten(), GroupSum(2)
            ),
            (2, 5, 5),
        ),
        "local": (
            nn.Sequential(
                LogicLocal2d((3, 3, 4), 7, 3, padding=1, **options(1)),
                nn.Flatten(),
                LogicDense(7 * 12, 6, **options(2)),
                GroupSum(2),
            ),
            (3, 3, 4),
        ),
    }


def one_round(model, shape, batches=2, **options):
    """What the first layer's neurons have before and after a round, and what its backward passes left."""
    g = torch.Generator().manual_seed(3)
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    guide = ProductProposals(model, still, every=batches, batches=batches, generator=g, **options)
    layer = logic_layers(model)[0]
    before = {name: getattr(layer.candidates, name).clone() for name in ("a", "b", "gate")}
    best, worst = layer.candidates.best(), layer.candidates.logits.argmin(1)
    left = []
    for _ in range(batches):
        assert len(layer.recorders) == 1
        handle = layer.register_recorder(left.append)
        x = (torch.rand(33, *shape, generator=g) < 0.5).float()
        nn.functional.cross_entropy(model(x), x.flatten(1)[:, 0].long()).backward()
        handle.remove()
        guide.step()
    return layer, before, best, worst, left, guide


def sums_of(layer, left, a, b):
    """Candidate sums of pairs [M, T], from the reference kernels."""
    s0 = sums = 0
    for r in left:
        x = reference.unpack(r.x, r.gradient().shape[2]) if r.x.dtype == torch.int64 else r.x
        rows = (layer.operand_rows(a, r.geometry), layer.operand_rows(b, r.geometry), r.geometry.positions)
        one, many, _ = reference.soft_backward(x, r.gradient(), *rows, torch.zeros(*a.shape, 4), False)
        s0, sums = s0 + one, sums + many
    return s0, sums


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
@pytest.mark.parametrize("name", list(networks("soft")))
@pytest.mark.parametrize("chunk", [products.CHUNK, 1, 500])
def test_the_steepest_of_all_pairs_with_the_best_candidate_is_found(name, relaxation, chunk, monkeypatch):
    monkeypatch.setattr(products, "CHUNK", chunk)
    model, shape = networks(relaxation)[name]
    tried = spy(monkeypatch)
    layer, before, best, worst, left, guide = one_round(model, shape, chance=1.0)
    c = layer.candidates
    neuron = torch.arange(c.n_neurons)
    anchors = tried[0].a
    assert torch.equal(anchors[:, :2], torch.stack([before["a"][neuron, best], before["b"][neuron, best]], 1))
    # All pairs of an anchor with an input of the pool.
    pool = (c.pool_start[:, None] + torch.arange(c.pool_size)).to(torch.int32)
    a = anchors.repeat_interleave(c.pool_size, 1)
    b = pool.repeat(1, anchors.shape[1])
    s0, sums = sums_of(layer, left, a, b)
    _, slope = best_gates(s0, sums, c.allowed_gates)
    slope[a == b] = 0.0
    _, own = best_gates(*sums_of(layer, left, before["a"], before["b"]), c.allowed_gates)
    steepest = torch.minimum(slope.amin(1), own.amin(1))
    replaced = (c.a != before["a"]) | (c.b != before["b"]) | (c.gate != before["gate"])
    assert guide.statistics["proposed"][0] > 0
    assert replaced.sum(1).amax() <= 1
    for m in replaced.any(1).nonzero().flatten().tolist():
        assert replaced[m].nonzero().item() == worst[m]
        k = worst[m]
        one, many = sums_of(layer, left, c.a[:, k : k + 1], c.b[:, k : k + 1])
        _, found = best_gates(one, many, c.allowed_gates)
        torch.testing.assert_close(found[m, 0], steepest[m], rtol=1e-4, atol=1e-5)


def spy(monkeypatch):
    """The pairs on trial at the end of each round, layer by layer."""
    tried = []
    original = GuidedProposals._replace

    def replace(guide, i, layer):
        tried.append(guide.trial[i])
        original(guide, i, layer)

    monkeypatch.setattr(GuidedProposals, "_replace", replace)
    return tried


def test_chance_and_inputs_limit_what_a_neuron_may_take(monkeypatch):
    neurons = torch.arange(400).view(2, 200)
    chosen = _chosen(neurons, torch.arange(500), torch.tensor(12345), 0.1)
    assert chosen.shape == (2, 200, 500)
    assert 0.09 < chosen.float().mean() < 0.11
    assert chosen.any(-1).all()
    assert not torch.equal(chosen[0, 0], chosen[0, 1])
    assert torch.equal(chosen[:, 50:60], _chosen(neurons[:, 50:60], torch.arange(500), torch.tensor(12345), 0.1))
    assert _chosen(neurons, torch.arange(9), torch.tensor(1), 1.0).all()
    model, shape = networks("hard")["dense"]
    tried = spy(monkeypatch)
    one_round(model, shape, inputs=1, chance=1.0)
    assert len(tried[0].b.unique()) == 1
    assert len(tried[0].a.unique()) > 1


def test_groups_hold_every_neuron_with_those_that_read_the_same():
    start = torch.tensor([0, 9, 18, 0, 9, 18, 0])
    assert _groups(start).tolist() == [[0, 3, 6], [1, 4, 4], [2, 5, 5]]
    assert _groups(torch.zeros(4, dtype=torch.int64)).tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_inputs_are_found_that_fixed_wiring_lacks(relaxation):
    g = torch.Generator().manual_seed(0)
    model = nn.Sequential(LogicDense(60, 8, candidates=4, relaxation=relaxation, generator=g), GroupSum(2, tau=1.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    guide = ProductProposals(model, optimizer, every=5, batches=1, chance=0.5, generator=g)
    for _ in range(200):
        x = (torch.rand(128, 60, generator=g) < 0.5).float()
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), (x[:, 17] != x[:, 41]).long()).backward()
        optimizer.step()
        guide.step()
    model.eval()
    x = (torch.rand(1000, 60, generator=g) < 0.5).float()
    assert (model(x).argmax(1) == (x[:, 17] != x[:, 41])).float().mean().item() > 0.95


def test_rounds_are_the_same_after_a_restart():
    def run(interrupt):
        g = torch.Generator().manual_seed(0)

        def build():
            model, _ = networks("hard")["one channel"]
            optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
            return model, optimizer, ProductProposals(model, optimizer, every=4, batches=2, generator=g, chance=0.5)

        model, optimizer, guide = build()
        for step in range(15):
            x = (torch.rand(50, 3, 3, 4, generator=g) < 0.5).float()
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), x[:, 0, 1, 1].long()).backward()
            optimizer.step()
            guide.step()
            if step == interrupt:  # in the middle of a round
                states = model.state_dict(), optimizer.state_dict(), guide.state_dict()
                model, optimizer, guide = build()
                for thing, state in zip((model, optimizer, guide), states, strict=True):
                    thing.load_state_dict(state)
        return model.state_dict(), guide.statistics

    (one, stats_one), (two, stats_two) = run(None), run(6)
    assert stats_one == stats_two
    assert sum(stats_one["proposed"]) > 0
    assert all(torch.equal(one[k], two[k]) for k in one)


def test_wrong_options_are_refused(generator):
    model = nn.Sequential(LogicDense(4, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(OptionError, match="inputs must be at least 1, got 0"):
        ProductProposals(model, optimizer, inputs=0, generator=generator)
    with pytest.raises(OptionError, match=r"chance must lie in \(0, 1\], got 0"):
        ProductProposals(model, optimizer, chance=0, generator=generator)
