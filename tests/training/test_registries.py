"""Layers, heads, connections and freezing of one's own: registered from outside, known to configs, trained."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from gatewright import nn
from gatewright.data import Split
from gatewright.errors import OptionError
from gatewright.runtime.schema import Choice, Section
from gatewright.training import load
from gatewright.training.batches import Feed
from gatewright.training.build import build_trainer
from gatewright.training.config import CONNECTIONS, FREEZING, HEADS, LAYERS, Connections, Freezing, Head, Layer
from gatewright.training.trainer import Trainer


@pytest.fixture
def own(monkeypatch):
    """A layer, a head, connections and a freezing of one's own, for one test."""
    for choice in (LAYERS, HEADS, CONNECTIONS, FREEZING):
        monkeypatch.setattr(choice, "sections", dict(choice.sections))

    @LAYERS.register
    class Mirror(Layer):
        type: Literal["mirror"]
        axis: int = 1

        def out_shape(self, shape, k, where):
            if len(shape) < self.axis:
                raise OptionError(f"{where} mirrors axis {self.axis}, which {shape} does not have")
            return shape

        def build(self, in_shape, out_shape, neurons):
            return torch.nn.Unflatten(1, in_shape) if len(in_shape) > 1 else torch.nn.Identity()

    @HEADS.register
    class Halves(Head):
        kind: Literal["halves"]
        lr: float = 0.5

        def build(self, width, classes, label_shape, *, tau, generator):
            return torch.nn.Linear(width, classes)

        def rate(self, default):
            return self.lr

    @CONNECTIONS.register
    class Counted(Connections):
        kind: Literal["counted"]

        def build(self, learning):
            return Counter(learning)

    @FREEZING.register
    class Never(Freezing):
        kind: Literal["never"]

        def build(self, learning):
            return None


class Counter:
    observing = False

    def __init__(self, learning):
        self.steps, self.of = 0, learning.steps

    def observe(self):
        self.steps += 1

    def decide(self):
        pass

    @property
    def statistics(self):
        return {"share": self.steps / self.of}

    def state_dict(self):
        return {"steps": self.steps}


TREE = {
    "data": {"name": "digits"},
    "model": {
        "layers": [{"type": "dense", "width": 12}, {"type": "mirror"}],
        "head": {"kind": "halves"},
        "candidates": 2,
    },
    "connections": {"kind": "counted"},
    "discretization": {"kind": "never"},
    "train": {"steps": 3, "batch": 4},
}


def test_a_network_of_ones_own_is_trained(own):
    config = load.from_dict(TREE)
    assert load.from_dict(config.as_dict()) == config
    generator = torch.Generator().manual_seed(0)
    plan = config.model.plan((5,), 3)
    assert [layer.neurons for layer in plan.layers] == [12, 0]
    model = plan.build(torch.nn.Identity(), generator)
    x = torch.randint(0, 2, (20, 5), generator=generator).float()
    split = Split(x.numpy(), torch.randint(0, 3, (20,), generator=generator).numpy())
    trainer = build_trainer(config, model, Feed(split, torch.device("cpu")), None, generator)
    assert [group["peak"] for group in trainer.optimizer.param_groups] == [0.01, 0.5]
    assert trainer.fit()
    step, metrics = trainer.sink.lines[-1]
    assert (step, metrics["connections"]) == (3, {"share": 1.0})


def test_overrides_and_messages_know_them(own):
    for message, changes in (
        (r"model.layers.1 mirrors axis 2, which \(12,\) does not have", {"type": "mirror", "axis": 2}),
        (r"unknown key 'model.layers.1.axes'; did you mean 'model.layers.1.axis'", {"type": "mirror", "axes": 2}),
        (r"layers.1.type is 'mirro', expected 'dense', 'conv', 'flatten', 'upsample', 'mirror'", {"type": "mirro"}),
        (r"layers.1.type is None, expected 'dense'", {"axis": 2}),
        (r"layers.1.type is 7, expected 'dense'", 7),
    ):
        layers = [TREE["model"]["layers"][0], changes]
        with pytest.raises(OptionError, match=message):
            load.from_dict({**TREE, "model": {**TREE["model"], "layers": layers}}).model.plan((5,), 3)


def test_without_registration_they_are_unknown():
    with pytest.raises(OptionError, match=r"model.head.kind is 'halves', expected 'sum', 'weighted'"):
        load.from_dict(TREE)


def test_a_name_is_taken_once(own):
    with pytest.raises(OptionError, match="kind 'sum' is already SumHead"):

        @HEADS.register
        class Sum(Head):
            kind: Literal["sum"]


def test_a_choice_reads_mappings_and_sections():
    shapes = Choice("kind", "point")

    @shapes.register
    class Point(Section):
        kind: Literal["point"]

    assert shapes.read({}) == Point(kind="point") == shapes.read(Point(kind="point"))


def test_a_trainer_takes_plain_parts():
    """No config, no folder: a model, an optimizer, learners, samples and options."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 2, (200, 6), generator=generator).float()
    feed = Feed(Split(x.numpy(), x[:, 0].long().numpy()), torch.device("cpu"))
    model = torch.nn.Sequential(nn.LogicDense(6, 20, generator=generator), nn.GroupSum(2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    options = load.from_dict(
        {**TREE, "model": {"layers": [{"type": "dense", "width": 4}]}, "connections": {}, "discretization": {}}
    ).train
    options = options.model_copy(update={"steps": 60, "batch": 50})
    trainer = Trainer(model, optimizer, {}, feed, feed, options, generator, schedule=lambda step: 1 - step / 60)
    assert trainer.fit()
    assert trainer.best.accuracy == 1.0
    assert trainer.load_best() == trainer.best.step
    assert [step for step, values in trainer.sink.lines if "validation" in values] == list(range(3, 61, 3))
