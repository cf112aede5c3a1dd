"""Heads that decide for several places: from the network to the circuit, its file, engine, proof and cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gatewright import Engine, LogicConv2d, NearestUpsample, PixelGroupSum, Thermometer, lower, prove, simplify
from gatewright.circuit import Circuit, Head, cost, load_circuit, save_circuit
from gatewright.circuit.evaluate import classify, counts, encode, evaluate
from gatewright.circuit.head_gates import with_head_gates
from gatewright.errors import FormatError, ShapeError, UnsupportedError
from gatewright.formats import export
from gatewright.training.objective import predict
from support.circuits import random_circuit

PLACES = (4, 6)


@pytest.fixture(scope="module")
def network():
    g = torch.Generator().manual_seed(3)
    encoder = Thermometer.uniform(3, (1, 4, 6), "uint8")
    model = nn.Sequential(
        encoder,
        LogicConv2d(3, 8, 3, stride=2, padding=1, channels=0, generator=g),
        NearestUpsample(2),
        LogicConv2d(8, 9, 3, padding=1, channels=0, generator=g),
        PixelGroupSum(3),
    )
    return model.eval()


@pytest.fixture(scope="module")
def circuit(network):
    return lower(network, class_names=("a", "b", "c"))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (150, 1, 4, 6), dtype=np.uint8)


def test_the_circuit_is_the_network(network, circuit, images):
    assert (circuit.head.places, circuit.head.n_classes, circuit.head.n_groups) == (PLACES, 3, 72)
    with torch.no_grad():
        scores = network(torch.from_numpy(images))
    expected = np.rint(scores.movedim(1, -1).numpy() * circuit.head.tau)
    bits = encode(circuit, images)
    for found in (circuit, simplify(circuit)):
        assert np.array_equal(counts(found, bits), expected)
        assert np.array_equal(classify(found, bits), predict(scores).numpy())
        engine = Engine(found)
        assert np.array_equal(engine.counts(images), expected)
        assert np.array_equal(engine.predict(images), predict(scores).numpy())
        assert engine.predict(images).shape == (150, *PLACES)
        np.testing.assert_allclose(engine.scores(images), scores.movedim(1, -1).numpy(), rtol=1e-6)
        np.testing.assert_allclose(engine.predict_proba(images).sum(axis=-1), 1, rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(1,), (3,), (2, 2)]), st.integers(1, 3))
@settings(deadline=None, max_examples=40)
def test_random_circuits_with_places(seed, places, classes):
    groups = int(np.prod(places)) * classes
    circuit = random_circuit(seed, classes=groups, encoder=False)
    circuit = circuit.replace(head=Head(circuit.head.group, circuit.head.offset, 1.5, places=places))
    bits = np.random.default_rng(seed).random((70, circuit.n_inputs)) < 0.5
    by_group = counts(circuit.replace(head=Head(circuit.head.group, circuit.head.offset)), bits)
    expected = by_group.reshape(70, *places, classes)
    for found in (circuit, simplify(circuit)):
        assert np.array_equal(counts(found, bits), expected)
        assert np.array_equal(Engine(found).counts(bits), expected)
        assert np.array_equal(Engine(found).predict(bits), expected.argmax(-1))
        index = evaluate(with_head_gates(found, output="onehot"), bits).reshape(expected.shape)
        assert np.array_equal(index.argmax(-1), expected.argmax(-1))


def test_ties_go_to_the_lowest_class_at_each_place():
    head = Head(group=[0, 1, 2, 3], offset=[0, 0, 0, 0], places=(2,))
    circuit = Circuit(2, [], [], [], [0, 1, 1, 1], head=head)
    bits = np.array([[False, False], [False, True], [True, True]])
    assert counts(circuit, bits).tolist() == [[[0, 0], [0, 0]], [[0, 1], [1, 1]], [[1, 1], [1, 1]]]
    assert classify(circuit, bits).tolist() == [[0, 0], [1, 0], [0, 0]]
    assert Engine(circuit).predict(bits).tolist() == [[0, 0], [1, 0], [0, 0]]


def test_the_simplified_circuit_is_proven_and_a_broken_one_refuted(circuit):
    small = simplify(circuit)
    assert small.n_gates < circuit.n_gates
    assert prove(circuit, small).equal
    gate = small.gate.copy()
    gate[-1] ^= 15
    proof = prove(small, small.replace(gate=gate))
    assert proof.equal is False
    assert proof.sample.shape == (1, 4, 6)


def test_other_places_are_no_comparison(circuit):
    head = circuit.head
    other = circuit.replace(head=Head(head.group, head.offset, places=(6, 4)))
    with pytest.raises(ShapeError, match=r"decide for places of shape \(4, 6\) and \(6, 4\)"):
        prove(circuit, other)


def test_the_head_as_gates(circuit, images):
    bits = encode(circuit, images)
    expected = classify(circuit, bits).reshape(len(images), -1)
    index = evaluate(with_head_gates(circuit), bits).reshape(len(images), -1, 2)
    assert np.array_equal(index @ [1, 2], expected)
    hot = evaluate(with_head_gates(circuit, output="onehot"), bits).reshape(len(images), -1, 3)
    assert np.array_equal(hot.argmax(-1), expected)
    assert (hot.sum(-1) == 1).all()
    figures = cost(circuit)
    assert figures.total_ops == figures.logic_ops + figures.encoder_ops + figures.head_ops
    assert figures.head_ops > 24  # at least a gate per place


def test_files(circuit, tmp_path):
    save_circuit(circuit, tmp_path / "c.gw")
    assert load_circuit(tmp_path / "c.gw").same_as(circuit)
    assert load_circuit(tmp_path / "c.gw").head.places == PLACES
    plain = random_circuit(1)
    save_circuit(plain, tmp_path / "plain.gw")
    assert b"places" not in (tmp_path / "plain.gw").read_bytes()  # older versions go on reading these


def test_bad_heads_are_refused():
    with pytest.raises(FormatError, match=r"head.places must be positive sizes, got \(0, 2\)"):
        Head([], [0, 0], places=(0, 2))
    with pytest.raises(FormatError, match=r"3 groups, which do not divide into places \(2,\)"):
        Head([], [0, 0, 0], places=(2,))
    with pytest.raises(FormatError, match=r"head.group must lie in 0..3"):
        Head([4], [0, 0, 0, 0], places=(2,))


@pytest.mark.parametrize("target", ["c", "html", "verilog"])
def test_exports_that_cannot_write_it_say_so(circuit, tmp_path, target):
    with pytest.raises(UnsupportedError, match=r"the head decides for places of shape \(4, 6\), which the export to"):
        export(circuit, target, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("target", ["aiger", "blif", "verilog", "c"])
def test_the_gates_alone_are_exported_everywhere(circuit, tmp_path, target):
    gates = circuit if target in {"aiger", "blif"} else circuit.replace(head=None)
    assert export(gates, target, tmp_path)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_what_mixes_pixels_is_refused_by_name(mode):
    model = nn.Sequential(nn.Upsample(scale_factor=2, mode=mode), PixelGroupSum(2))
    with pytest.raises(UnsupportedError, match=f"module '0' is an Upsample of mode '{mode}', which mixes pixels"):
        lower(model, (4, 3, 3))


def test_torchs_nearest_upsampling_is_taken(images):
    bits = np.random.default_rng(1).random((20, 4 * 9)) < 0.5
    one = lower(nn.Sequential(nn.Upsample(scale_factor=2), PixelGroupSum(2)), (4, 3, 3))
    two = lower(nn.Sequential(NearestUpsample(2), PixelGroupSum(2)), (4, 3, 3))
    assert one.same_as(two)
    small = bits.reshape(20, 2, 2, 3, 3).sum(2)
    expected = small.repeat(2, axis=2).repeat(2, axis=3).transpose(0, 2, 3, 1)
    assert np.array_equal(counts(one, bits), expected)


@pytest.mark.parametrize(
    "upsample", [nn.Upsample(size=6), nn.Upsample(scale_factor=1.5), nn.Upsample(scale_factor=(2, 1))]
)
def test_other_scales_are_refused(upsample):
    with pytest.raises(UnsupportedError, match="needs one whole scale_factor to be a circuit"):
        lower(nn.Sequential(upsample, PixelGroupSum(2)), (4, 3, 3))
