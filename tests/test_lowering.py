"""Lowering: the circuit equals the discretized network, bit for bit, or the network is refused by name."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gatewright.circuit import Head
from gatewright.errors import OptionError, ShapeError, UnsupportedError
from gatewright.gates import Gate
from gatewright.lowering import lower, lower_module
from gatewright.nn import GroupSum, LogicConv2d, LogicDense
from gatewright.nn.thermometer import Thermometer
from support.circuits import slow_classes, slow_counts, slow_encode, slow_outputs


@st.composite
def networks(draw):
    g = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    relaxation = draw(st.sampled_from(["soft", "hard"]))
    options = {"relaxation": relaxation, "candidates": draw(st.integers(1, 6)), "generator": g}
    classes = draw(st.integers(1, 4))
    modules = []
    if draw(st.booleans()):
        shape = (draw(st.integers(1, 3)), draw(st.integers(2, 6)), draw(st.integers(2, 6)))
        bits = draw(st.integers(1, 3))
        modules.append(Thermometer.uniform(bits, shape, "uint8"))
        size = modules[0].out_shape
        for _ in range(draw(st.integers(1, 2))):
            kernel, stride, padding = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(0, 2))
            if min(size[1:]) + 2 * padding < kernel:
                continue
            conv = LogicConv2d(
                size[0], draw(st.integers(1, 5)), kernel, stride=stride, padding=padding,
                channels=draw(st.sampled_from([0, 1])), **options,
            )  # fmt: skip
            modules.append(conv)
            size = conv.geometry(size).out_shape
        modules.append(nn.Flatten())
        features = int(np.prod(size))
    else:
        features = draw(st.integers(1, 12))
        shape = (features,)
        modules.append(Thermometer.uniform(1, shape, "uint8"))
    for _ in range(draw(st.integers(0, 2))):
        width = draw(st.integers(1, 6)) * classes
        modules.append(LogicDense(features, width, **options))
        features = width
    if features % classes:
        modules.append(LogicDense(features, classes * 3, **options))
    modules.append(GroupSum(classes))
    return nn.Sequential(*modules).eval(), shape


@given(networks())
@settings(max_examples=60)
def test_circuit_equals_network(case):
    model, shape = case
    x = np.random.default_rng(0).integers(0, 256, (40, *shape)).astype(np.uint8)
    circuit = lower(model)
    bits = slow_encode(circuit, x)
    scores = model(torch.from_numpy(x))
    assert np.allclose(slow_counts(circuit, bits) / circuit.head.tau, scores.numpy(), rtol=1e-6)
    assert np.array_equal(slow_classes(circuit, bits), scores.argmax(1).numpy())


def test_without_encoder_and_head(generator):
    model = nn.Sequential(nn.Sequential(LogicDense(7, 9, generator=generator)), nn.Identity()).eval()
    circuit = lower(model, (7,))
    x = torch.rand(50, 7, generator=generator) < 0.5
    assert np.array_equal(slow_outputs(circuit, x.numpy()), (model(x) + 0).numpy() > 0)


def test_names_and_metadata_travel():
    model = nn.Sequential(Thermometer.uniform(1, (2,), "uint8"), LogicDense(2, 2), GroupSum(2))
    circuit = lower(model, class_names=["no", "yes"], feature_names=["age", "weight"], metadata={"seed": "1"})
    assert circuit.head.class_names == ("no", "yes")
    assert circuit.encoder.feature_names == ("age", "weight")
    assert circuit.metadata["seed"] == "1"


@pytest.mark.parametrize(
    ("model", "shape", "error", "message"),
    [
        (nn.Sequential(LogicDense(4, 4), nn.ReLU()), (4,), UnsupportedError, "module '1' is a ReLU"),
        (nn.Sequential(nn.Sequential(nn.Linear(4, 4))), (4,), UnsupportedError, r"module '0\.0' is a Linear"),
        (nn.Linear(4, 4), (4,), UnsupportedError, "the model is a Linear"),
        (nn.Sequential(GroupSum(2), LogicDense(4, 4)), (4,), UnsupportedError, "comes after the head"),
        (nn.Sequential(LogicDense(4, 4)), None, ShapeError, "in_shape"),
        (nn.Sequential(LogicDense(4, 4)), 4, ShapeError, "got 4"),
        (nn.Sequential(LogicDense(4, 4)), (), ShapeError, r"got \(\)"),
        (nn.Sequential(LogicDense(4, 4)), (-4,), OptionError, "in_shape must be"),
        (nn.Sequential(LogicDense(4, 4)), (4.0,), OptionError, "in_shape must be"),
        (nn.Sequential(Thermometer([[1], [2]], (2,), "uint8"), LogicDense(2, 4)), (3,), ShapeError, "leave it out"),
        (nn.Sequential(LogicDense(4, 4)), (5,), ShapeError, r"expects \(N, 4\)"),
        (nn.Sequential(LogicDense(4, 4), GroupSum(3)), (4,), ShapeError, "cannot share 4 bits among 3 classes"),
        (nn.Sequential(LogicConv2d(1, 4, 3, padding=1), GroupSum(4)), (1, 3, 3), ShapeError, "put Flatten before it"),
        (nn.Sequential(nn.Flatten(0)), (4,), UnsupportedError, "everything but the batch"),
    ],
)
def test_what_is_not_exact_is_refused_by_name(model, shape, error, message):
    with pytest.raises(error, match=message):
        lower(model, shape)


def test_a_module_at_two_places_is_lowered_twice(generator):
    layer = LogicDense(8, 8, generator=generator)
    model = nn.Sequential(layer, layer).eval()
    circuit = lower(model, (8,))
    assert circuit.n_gates == 16
    x = torch.randint(0, 2, (70, 8), generator=generator).bool()
    np.testing.assert_array_equal(slow_outputs(circuit, x.numpy()), (model(x) + 0).numpy())


def test_a_subclass_that_computes_something_else_is_refused():
    class Inverted(nn.Sequential):
        def forward(self, x):
            return 1 - super().forward(x)

    class CountsZeros(GroupSum):
        def forward(self, x):
            return super().forward(1 - x)

    class Reversed(Thermometer):
        def forward(self, x):
            return super().forward(x).flip(1)

    class Renamed(GroupSum):
        pass

    encoder = Reversed([[1], [2]], (2,), "uint8")
    for model in (Inverted(LogicDense(4, 4)), nn.Sequential(CountsZeros(2)), nn.Sequential(encoder, LogicDense(2, 2))):
        with pytest.raises(UnsupportedError, match=r"(Inverted|CountsZeros|Reversed), which has a forward of its own"):
            lower(model, (4,))
    assert lower(nn.Sequential(Renamed(2)), (4,)).head.n_classes == 2


def test_the_message_lists_what_is_known():
    with pytest.raises(
        UnsupportedError, match=r"Thermometer and hold .*Flatten, GroupSum, .*LogicConv2d, LogicDense, .*WeightedSum"
    ):
        lower(nn.ReLU(), (4,))


def test_a_layer_and_a_head_of_ones_own(generator):
    class Neighbours(nn.Module):
        def forward(self, x):
            return ((x[:, 1:] > 0) ^ (x[:, :-1] > 0)).float()

    class OneBit(nn.Module):
        """Class 1 if the last bit is true."""

        def forward(self, x):
            return torch.stack([torch.full((len(x),), 0.5), x[:, -1]], 1)

    model = nn.Sequential(LogicDense(5, 8, generator=generator), Neighbours(), OneBit()).eval()
    with pytest.raises(UnsupportedError, match="module '1' is a Neighbours"):
        lower(model, (5,))

    @lower_module.register
    def _(module: Neighbours, lowering):
        return lowering.builder.append(Gate.XOR, lowering.nodes[:-1], lowering.nodes[1:])

    @lower_module.register
    def _(module: OneBit, lowering):
        lowering.head = Head([0, 1, 1], [0, 0], class_names=lowering.class_names)
        return np.array([lowering.builder.constant(True), *[lowering.nodes[-1]] * 2])

    circuit = lower(model, (5,), class_names=["no", "yes"])
    assert circuit.head.class_names == ("no", "yes")
    x = torch.rand(50, 5, generator=generator) < 0.5
    assert np.array_equal(slow_classes(circuit, x.numpy()), model(x).argmax(1).numpy())


def test_a_million_gates_lower_fast():
    g = torch.Generator().manual_seed(0)
    model = nn.Sequential(*(LogicDense(i, 250_000, candidates=2, generator=g) for i in (1000, *[250_000] * 3)))
    start = time.perf_counter()
    circuit = lower(model, (1000,))
    assert circuit.n_gates == 1_000_000
    assert time.perf_counter() - start < 30  # seconds; it takes a fraction of one
