"""The paper's rules against an independent statement of them in plain Python, on seeded traces."""

import itertools
import math

import pytest
import torch
from torch import nn

from gatewright.errors import FormatError, OptionError
from gatewright.learning import AdaptiveDiscretization, AdaptiveResampling
from gatewright.nn import GroupSum, LogicDense, logic_layers

PATIENCE, DECAY, TOLERANCE, STRONG, WEAK = 4, 0.9, 0.02, 0.95, 0.4


def softmax(row):
    top = max(row)
    e = [math.exp(v - top) for v in row]
    return [v / sum(e) for v in e]


def entropy(row):
    return -sum(p * math.log(p) for p in softmax(row) if p > 0) / math.log(len(row))


class PlainTracker:
    """|h - EMA| < tolerance for so many steps in a row."""

    def __init__(self):
        self.ema, self.calm = None, 0

    def settled(self, h):
        self.ema = h if self.ema is None else DECAY * self.ema + (1 - DECAY) * h
        self.calm = self.calm + 1 if abs(h - self.ema) < TOLERANCE else 0
        return self.calm >= PATIENCE


def model(seed=0):
    g = torch.Generator().manual_seed(seed)
    widths = [12, 10, 9, 8]
    return nn.Sequential(
        *(LogicDense(i, o, candidates=6, generator=g) for i, o in itertools.pairwise(widths)), GroupSum(2)
    )


def wander(net, step, generator):
    """Move the logits the way training would: some neurons decide, some stay undecided, some keep moving."""
    for layer in logic_layers(net):
        logits = layer.candidates.logits
        with torch.no_grad():
            rows = torch.arange(len(logits))
            logits[rows % 3 == 0, 1] += 1.0  # decides
            logits[rows % 3 == 1] *= 0.7  # ends undecided
            noise = torch.randn(logits.shape, generator=generator)
            logits[rows % 3 == 2] += noise[rows % 3 == 2] * (2.0 if step % 40 < 25 else 0.0)


def test_resampling_redraws_the_same_neurons():
    net = model()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    net(torch.rand(5, 12, generator=torch.Generator().manual_seed(0))).sum().backward()
    optimizer.step()
    connections = AdaptiveResampling(
        net, optimizer, patience=PATIENCE, decay=DECAY, tolerance=TOLERANCE, strong=STRONG, weak=WEAK,
        stop_step=90, generator=torch.Generator().manual_seed(1),
    )  # fmt: skip
    noise = torch.Generator().manual_seed(2)
    trackers = [[PlainTracker() for _ in range(layer.candidates.n_neurons)] for layer in logic_layers(net)]
    strong_seen = weak_seen = 0
    for step in range(110):
        wander(net, step, noise)
        if step == 50:
            logic_layers(net)[0].freeze()
        before = [(c.logits.detach().clone(), c.gate.clone(), c.a.clone(), c.b.clone()) for c in connections.layers]
        moments = [optimizer.state[c.logits]["exp_avg"].fill_(1.0) for c in connections.layers]
        connections.step()
        for i, (c, (logits, gate, a, b)) in enumerate(zip(connections.layers, before, strict=True)):
            for m in range(c.n_neurons):
                row = logits[m].tolist()
                changed = not torch.equal(c.logits[m], logits[m])
                if step >= 90 or c.frozen:
                    assert not changed
                    continue
                settled = trackers[i][m].settled(entropy(row))
                best = max(range(6), key=lambda k: row[k])
                p = softmax(row)[best]
                if settled and p > STRONG:
                    strong_seen += 1
                    want = [math.log(9 * 5) if k == best else 0.0 for k in range(6)]
                    assert c.logits[m].tolist() == pytest.approx(want)
                    kept = (c.gate[m, best], c.a[m, best], c.b[m, best])
                    assert kept == (gate[m, best], a[m, best], b[m, best])
                elif settled and p < WEAK:
                    weak_seen += 1
                    assert changed
                else:
                    assert not changed
                    assert torch.equal(c.a[m], a[m])
                touched = settled and (p > STRONG or p < WEAK)
                assert torch.all(moments[i][m] == (0.0 if touched else 1.0))
                if touched:
                    trackers[i][m] = PlainTracker()
                    assert not (torch.equal(c.a[m], a[m]) and torch.equal(c.b[m], b[m]))
    assert strong_seen > 10
    assert weak_seen > 10
    assert sum(connections.statistics["strong_redraws"]) == strong_seen
    assert sum(connections.statistics["weak_redraws"]) == weak_seen


def test_discretization_freezes_the_same_layers():
    net = model()
    layers = logic_layers(net)
    discretizer = AdaptiveDiscretization(net, start=20, patience=PATIENCE, decay=DECAY, tolerance=TOLERANCE)
    trackers = [PlainTracker() for _ in layers]
    noise = torch.Generator().manual_seed(2)
    frozen, want = [], []
    for step in range(140):
        with torch.no_grad():
            for i, layer in enumerate(layers):
                # Layer 1 settles before layer 0, and must wait for it.
                moving = step < (60, 30, 0)[i]
                scale = 1.5 if moving else 0.0
                layer.candidates.logits += scale * torch.randn(layer.candidates.logits.shape, generator=noise)
        means = [
            sum(entropy(row) for row in layer.candidates.logits.tolist()) / layer.candidates.n_neurons
            for layer in layers
        ]
        first = next((i for i, layer in enumerate(layers) if not layer.frozen), None)
        settled = [
            trackers[i].settled(means[i]) if not layer.frozen and i < len(layers) - 1 else False
            for i, layer in enumerate(layers)
        ]
        if step >= 20 and first is not None and settled[first]:
            want.append((step, first))
        discretizer.step()
        frozen += [(step, i) for i, layer in enumerate(layers) if layer.frozen and i not in {f for _, f in frozen}]
    assert frozen == want
    assert [i for _, i in frozen] == [0, 1]
    assert not layers[2].frozen
    assert discretizer.statistics["frozen_at"] == [frozen[0][0], frozen[1][0], None]


def test_state_goes_on_as_if_never_stopped():
    def run(interrupt):
        net, noise = model(), torch.Generator().manual_seed(2)
        draws = torch.Generator().manual_seed(1)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
        options = {"patience": PATIENCE, "decay": DECAY, "tolerance": TOLERANCE}
        connections = AdaptiveResampling(net, optimizer, generator=draws, **options)
        discretizer = AdaptiveDiscretization(net, start=3, **options)
        for step in range(60):
            wander(net, step, noise)
            connections.step()
            discretizer.step()
            if step == interrupt:
                saved, saved_d, weights = connections.state_dict(), discretizer.state_dict(), net.state_dict()
                net = model(seed=9)
                net.load_state_dict(weights)
                connections = AdaptiveResampling(net, optimizer, generator=draws, **options)
                connections.load_state_dict(saved)
                discretizer = AdaptiveDiscretization(net, start=3, **options)
                discretizer.load_state_dict(saved_d)
        return net.state_dict(), connections.statistics, discretizer.statistics

    one, two = run(None), run(33)
    assert one[1:] == two[1:]
    assert all(torch.equal(one[0][k], two[0][k]) for k in one[0])


def test_wrong_options_and_states_are_refused(generator):
    net = model()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    with pytest.raises(OptionError, match="weak <= strong"):
        AdaptiveResampling(net, optimizer, strong=0.3, weak=0.4, generator=generator)
    with pytest.raises(OptionError, match="patience must be at least 1"):
        AdaptiveResampling(net, optimizer, patience=0, generator=generator)
    with pytest.raises(OptionError, match="start must be at least 0, got -1"):
        AdaptiveDiscretization(net, start=-1)
    connections = AdaptiveResampling(net, optimizer, generator=generator)
    state = connections.state_dict()
    state["trackers"][0]["average"] = torch.zeros(3)
    with pytest.raises(FormatError, match=r"'average' should have shape \(10,\), found \(3,\)"):
        connections.load_state_dict(state)
