"""Steps that are repeated from a recording do what ordinary steps do; on the CPU with a recorder that behaves as CUDA's."""

from __future__ import annotations

import copy
from contextlib import ExitStack

import pytest
import torch

from gatewright.learning import AdaptiveDiscretization, AdaptiveResampling, GuidedProposals
from gatewright.nn import GroupSum, LogicConv2d, LogicDense, logic_layers
from gatewright.nn.thermometer import Thermometer
from gatewright.runs.run import train
from gatewright.training import load
from gatewright.training.checkpoint import load_state
from gatewright.training.cuda_graph import GraphedStep
from gatewright.training.metrics import read_lines
from gatewright.training.trainer import Trainer


class Recorder:
    """Records like CUDA: recording changes nothing, repeating writes to the memory recorded, and runs no Python."""

    def __init__(self, trainer):
        self.trainer, self.recordings, self.repeats = trainer, 0, 0

    def __call__(self, launches):
        self.recordings += 1
        undo = self.snapshot()
        kept = self.run(launches, passing=True)
        grads = [parameter.grad for parameter in self.trainer.model.parameters()]
        undo()

        def repeat():
            self.repeats += 1
            for old, new in zip(kept, self.run(launches, passing=False), strict=True):
                for name in ("x", "s0", "sums"):
                    getattr(old, name).copy_(getattr(new, name))
                old.gradient().copy_(new.gradient())
            for parameter, old in zip(self.trainer.model.parameters(), grads, strict=True):
                if parameter.grad is not None and parameter.grad is not old:
                    old.copy_(parameter.grad)
                    parameter.grad = old

        return repeat

    def run(self, launches, *, passing):
        """Launch, and return what the backward passes left; the layers' recorders are told only if passing."""
        kept = []
        with ExitStack() as watched:
            for layer in logic_layers(self.trainer.model):
                if layer.recorders:
                    watch = layer.register_recorder if passing else layer.divert_recorders
                    watched.enter_context(watch(kept.append))
            launches()
        return kept

    def snapshot(self):
        model, optimizer = self.trainer.model, self.trainer.optimizer
        trackers = [t for x in self.trainer.learners.values() for t in getattr(x, "trackers", [])]
        weights, moments = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
        averages = [tracker.state_dict() for tracker in trackers]

        def undo():
            now = [parameter.grad for parameter in model.parameters()]
            model.load_state_dict(weights)
            for parameter, grad in zip(model.parameters(), now, strict=True):
                parameter.grad = grad
            optimizer.load_state_dict(moments)
            for tracker, state in zip(trackers, averages, strict=True):
                tracker.load_state_dict(state)

        return undo


@pytest.fixture
def recorders(monkeypatch):
    made = []
    original = Trainer.__init__

    def init(self, *args, **options):
        original(self, *args, **options)
        made.append(Recorder(self))
        self._graph = GraphedStep(self.model, self._learn, self._processes.mean_, self._update, made[-1])

    def install():
        monkeypatch.setattr(Trainer, "__init__", init)
        return made

    return install


def as_on_gpus(config):
    """With float gradients, the only ones there."""
    return config.model_copy(update={"model": config.model.model_copy(update={"gradients": "float"})})


def test_recorded_steps_are_ordinary_steps(any_config_file, tmp_path, recorders):
    config = as_on_gpus(load.load_file(any_config_file))
    train(config, "test", tmp_path / "ordinary")
    (recorder,) = train_recorded(recorders, config, tmp_path / "recorded")
    one, two = (load_state(tmp_path / f / "model.safetensors", "model")["model"] for f in ("ordinary", "recorded"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    logs = [read_lines(tmp_path / f / "metrics.jsonl") for f in ("ordinary", "recorded")]
    for line in (*logs[0], *logs[1]):
        line.pop("seconds")
    assert logs[0] == logs[1]
    # Most steps were repeated; freezing a layer, and collecting candidate sums or not, made other recordings.
    assert recorder.repeats > 30
    assert recorder.recordings >= 2


def train_recorded(recorders, config, folder, **options):
    made = recorders()
    train(config, "test", folder, **options)
    return made


def test_recorded_runs_resume(hard_config, tmp_path, recorders):
    hard_config = as_on_gpus(hard_config)
    made = train_recorded(recorders, hard_config, tmp_path / "whole")
    assert train(hard_config, "test", tmp_path / "parts", stop=lambda: len(made) == 2 and made[1].repeats > 5) is None
    train(hard_config, "test", tmp_path / "parts", resume=True)
    one, two = (load_state(tmp_path / f / "model.safetensors", "model")["model"] for f in ("whole", "parts"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.gpu
def test_cuda_graphs_are_ordinary_steps(any_config_file, tmp_path):
    weights = []
    for graph in ("true", "false"):
        config = load.load_file(any_config_file, [f"train.graph={graph}", "train.device=cuda"])
        train(config, "test", tmp_path / graph)
        weights.append(load_state(tmp_path / graph / "model.safetensors", "model")["model"])
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("frozen", [0, 1, 3])
@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_steps_ask_no_tensor_what_is_in_it(relaxation, frozen):
    """On meta tensors, which have no content: asking for it fails, and so does computing with a tensor left on the CPU."""
    g = torch.Generator().manual_seed(0)
    options = {"relaxation": relaxation, "generator": g, "candidates": 4}
    model = torch.nn.Sequential(
        Thermometer([[80, 160]] * 2, (2, 8, 8), "uint8"),
        LogicConv2d(4, 8, 3, stride=2, padding=1, **options),
        torch.nn.Flatten(),
        LogicDense(128, 40, **options),
        LogicDense(40, 20, **options),
        GroupSum(4),
    )
    for layer in logic_layers(model)[:frozen]:
        layer.freeze()
    model.to("meta")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    learners = [
        AdaptiveResampling(model, optimizer, generator=g),
        GuidedProposals(model, optimizer, generator=g),
        AdaptiveDiscretization(model, start=0),
    ]
    for _ in range(2):
        x = torch.empty(32, 2, 8, 8, dtype=torch.uint8, device="meta")
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), torch.empty(32, dtype=torch.int64, device="meta"))
        assert loss.requires_grad == (frozen < 3)
        if loss.requires_grad:
            loss.backward()
        optimizer.step()
        for learner in learners:
            learner.observe()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert [grad.device.type for grad in grads] == ["meta"] * (3 - frozen)


@pytest.mark.gpu
@pytest.mark.parametrize(
    "changes", [[], ["connections.method=products"], ["model.relaxation=soft", "train.precision=bfloat16"]]
)
def test_cuda_runs_resume_to_the_same_bits(changes, hard_config, tmp_path):
    path = tmp_path / "hard.yaml"
    path.write_text(load.dump(hard_config))
    config = load.load_file(path, [*changes, "train.device=cuda"])
    train(config, "test", tmp_path / "whole")
    seen = []
    stopped = train(
        config, "test", tmp_path / "parts", watch=lambda step, _: seen.append(step), stop=lambda: len(seen) >= 33
    )
    assert stopped is None
    train(config, "test", tmp_path / "parts", resume=True)
    one, two = (load_state(tmp_path / f / "model.safetensors", "model")["model"] for f in ("whole", "parts"))
    assert all(torch.equal(one[name], two[name]) for name in one)
