"""The presets are the paper's models; built by shape alone, as the large ones would not fit."""

from __future__ import annotations

import pytest
import torch

from gatewright import data, nn
from gatewright.errors import OptionError
from gatewright.nn.thermometer import Thermometer
from gatewright.training import load

# Neurons (conv layers: output channels), tau and thresholds per channel as the paper's appendix lists them.
PAPER = {
    "mnist-dense-small": ([8_000] * 6, 10, 1),
    "mnist-dense-medium": ([64_000] * 6, 45, 1),
    "cifar10-dense-small": ([12_000] * 4, 33, 3),
    "cifar10-dense-medium": ([128_000] * 4, 100, 3),
    "cifar10-dense-large": ([256_000] * 5, 100, 31),
    "mnist-conv-s": ([128, 128, 512, 512, 80_000, 80_000], 40, 1),
    "mnist-conv-m": ([256, 256, 1_024, 1_024, 160_000, 160_000], 63, 1),
    "cifar10-conv-k16": ([16, 16, 64, 64, 10_000, 10_000], 20, 3),
    "cifar10-conv-k32": ([32, 32, 128, 128, 20_000, 20_000], 20, 3),
    "cifar10-conv-t": ([64, 64, 256, 256, 40_000, 40_000], 20, 3),
    "cifar10-conv-s": ([128, 128, 512, 512, 80_000, 80_000], 40, 3),
    "cifar10-conv-m": ([256, 256, 1_024, 1_024, 160_000, 160_000], 63, 7),
    "cifar10-conv-l": ([1_024, 1_024, 4_096, 4_096, 640_000, 640_000], 160, 63),
}


def plans_of(config):
    about = data.describe(config.data.name)
    shape = (about.shape[0] * config.data.encoder.thresholds, *about.shape[1:])
    return config.model.plan(shape, about.n_classes, about.label_shape).layers


def peaks(config):
    """Peak learning rates of a small network with the config's options."""
    model = torch.nn.Sequential(nn.LogicDense(4, 4), nn.GroupSum(2))
    return {group["peak"] for group in config.optimizer.build(model, config.model).param_groups}


@pytest.mark.parametrize("name", load.preset_names())
def test_every_preset_fits_its_data(name):
    config = load.load_preset(name)
    assert config.description
    plans = plans_of(config)
    assert plans[-1].out_shape[0] % data.describe(config.data.name).n_classes == 0


@pytest.mark.parametrize("name", PAPER)
def test_paper_models(name):
    neurons, tau, thresholds = PAPER[name]
    config = load.load_preset(name)
    plans = plans_of(config)
    assert [plan.neurons for plan in plans if plan.neurons] == neurons
    assert config.model.tau == tau
    assert config.data.encoder.thresholds == thresholds
    assert (config.model.candidates, config.train.batch, config.model.relaxation) == (16, 128, "soft")
    assert peaks(config) == {0.02 if "conv" in name else 0.01}
    assert config.connections.kind == "resample"


def test_convolution_stack():
    plans = plans_of(load.load_preset("cifar10-conv-t"))
    assert [plan.out_shape for plan in plans[:5]] == [
        (64, 16, 16),
        (64, 16, 16),
        (256, 8, 8),
        (256, 8, 8),
        (16_384,),
    ]
    assert sum(plan.gates for plan in plans) == 64 * 256 * 2 + 256 * 64 * 2 + 80_000


@pytest.mark.parametrize("name", ["digits", "cifar10-conv-k16", "mnist-dense-small"])
def test_built_networks_have_the_planned_shapes(name):
    config = load.load_preset(name)
    about = data.describe(config.data.name)
    encoder = Thermometer.uniform(config.data.encoder.thresholds, about.shape, about.dtype)
    plan = config.model.plan(encoder.out_shape, about.n_classes)
    model = plan.build(encoder, torch.Generator().manual_seed(0))
    plans = plans_of(config)
    layers = nn.logic_layers(model)
    assert [layer.candidates.n_neurons for layer in layers] == [plan.neurons for plan in plans if plan.neurons]
    model.eval()
    x = torch.zeros(2, *about.shape, dtype=torch.uint8)
    shapes = []
    for module in list(model)[:-1]:
        x = module(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes[1:] == [plan.out_shape for plan in plans]
    assert model[-1](x).shape == (2, about.n_classes)


def small(layers, **model):
    return load.from_dict(
        {"data": {"name": "digits"}, "model": {"layers": layers, **model}, "train": {"steps": 1}}
    ).model


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ([{"type": "dense", "width": 20}], (3, 8, 8), r"model.layers.0 is dense but gets images \(3, 8, 8\): put"),
        ([{"type": "flatten"}, {"type": "conv", "channels": 4}], (3, 8, 8), "convolution but gets rows of 192"),
        ([{"type": "flatten"}], (3, 8, 8), "neither dense nor conv: there is nothing to learn"),
        ([{"type": "conv", "channels": 10}], (3, 8, 8), "is conv, but the last layer must be dense or flatten"),
        ([{"type": "conv", "channels": 3}, {"type": "flatten"}], (3, 8, 8), "192 bits, which do not divide into 10"),
        ([{"type": "dense", "width": 25}], (8,), "25 bits, which do not divide into 10 classes; take 20 or 30"),
        ([{"type": "dense", "width": 10, "inputs": 3}], (8,), r"layers.0.inputs is 3, which does not divide 8 bits"),
        ([{"type": "dense", "width": 10, "inputs": 2}], (8,), "does not divide 8 bits into groups for 10 neurons"),
        ([{"type": "dense", "width": "2 * k"}], (8,), r"'2 \* k' is a multiple of model.k, but model.k is not set"),
        ([{"type": "conv", "channels": 4, "kernel_size": 11, "padding": 0}], (3, 8, 8), "11x11 kernel does not fit"),
        ([{"type": "conv", "channels": 4, "channels_in": 2}], (3, 8, 8), "channels_in is 2, which does not divide"),
    ],
)
def test_layers_that_do_not_fit_are_named(layers, shape, message):
    with pytest.raises(OptionError, match=message):
        small(layers).plan(shape, 10)


def test_trees_of_gates():
    halves = [{"type": "dense", "width": width, "inputs": 2} for width in (40, 20)]
    plans = small([{"type": "dense", "width": 80}, *halves]).plan((64,), 10).layers
    assert [plan.neurons for plan in plans] == [80, 40, 20]


def test_relative_sizes():
    plans = small([{"type": "dense", "width": "k"}, {"type": "dense", "width": "5*k"}], k=4).plan((8,), 10).layers
    assert [plan.neurons for plan in plans] == [4, 20]


def test_learning_rate_rule():
    config = load.load_preset("mnist-fast")
    assert config.optimizer.lr is None
    assert peaks(config) == {0.01}
    assert peaks(load.load_preset("mnist-fast", ["model.relaxation=soft"])) == {0.01}
    assert peaks(load.load_preset("cifar10-conv-t", ["optimizer.lr=null"])) == {0.02}
