"""The weighted head: kernels against the reference, gradients, and its circuit, which counts what the model scores."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gatewright.circuit import prove, simplify
from gatewright.circuit.evaluate import classify, counts, evaluate
from gatewright.engine import Engine
from gatewright.errors import OptionError, ShapeError
from gatewright.kernels import int8_reference, ops, reference
from gatewright.kernels.cpu import weighted as weigh_cpu
from gatewright.lowering import lower
from gatewright.nn import GroupSum, LogicConv2d, LogicDense, WeightedSum
from gatewright.runs.run import load_run, lower_run, train
from gatewright.training.load import load_preset

SIZES = {
    "seed": st.integers(0, 2**31),
    "features": st.integers(1, 400),
    "classes": st.integers(1, 6),
    "limit": st.integers(1, 3),
    "n": st.integers(1, 150),
}


def drawn(seed, features, classes, limit, n):
    g = torch.Generator().manual_seed(seed)
    weight = torch.randint(-limit, limit + 1, (classes, features), generator=g, dtype=torch.int8)
    bits = torch.rand(features, n, generator=g) < 0.5
    return weight, bits, reference.pack(bits), torch.randn(classes, n, generator=g)


@given(st.fixed_dictionaries(SIZES))
@settings(max_examples=60)
def test_kernels_equal_the_reference(sizes):
    weight, bits, words, grad = drawn(**sizes)
    n = sizes["n"]
    truth = weight.double() @ bits.double()
    assert torch.equal(weigh_cpu.weigh(words, weight, n).double(), truth)
    assert torch.equal(reference.weigh(words, weight, n).double(), truth)
    # The CPU rounds the gradient of a class to steps of a 127th of its peak first; errors add up like a random walk.
    step = grad.abs().amax(1, keepdim=True) / 127
    error = (weigh_cpu.weight_sums(words, grad) - reference.weight_sums(words, grad)).abs()
    assert (error <= 4 * step * n**0.5).all()
    (q1, s1), (q2, s2) = weigh_cpu.weigh_input(weight, grad), int8_reference.weigh_input(weight, grad)
    torch.testing.assert_close(s1, s2, rtol=1e-5, atol=1e-6)
    difference = (q1 * s1[:, None, None] - q2 * s2[:, None, None]).abs()
    assert (difference <= 1.01 * s2[:, None, None] + 1e-6).all()


def test_counts_of_heavy_weights_do_not_overflow():
    weight = torch.full((1, 500), -128, dtype=torch.int8)
    words = reference.pack(torch.ones(500, 70))
    assert (weigh_cpu.weigh(words, weight, 70) == -64000).all()


def network(limit, gradients="int8", features=37, classes=5, seed=0):
    g = torch.Generator().manual_seed(seed)
    dense = LogicDense(20, features, candidates=4, relaxation="hard", gradients=gradients, generator=g)
    head = WeightedSum(features, classes, limit=limit, generator=g)
    with torch.no_grad():
        head.weight *= 2 * limit
    return nn.Sequential(dense, head)


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_scores_and_gradients_are_those_of_a_plain_statement(limit, generator):
    model = network(limit, gradients="float")
    x = (torch.rand(33, 20, generator=generator) < 0.5).float()
    weights = torch.randn(33, 5, generator=generator)
    out = model(x)
    (out * weights).sum().backward()

    head = model[1]
    real = head.weight.detach().double().requires_grad_()
    bits = (model[0](x) + 0).detach().double().requires_grad_()
    whole = real.clamp(-limit, limit).round()
    held = real + (whole - real).detach()  # straight through
    half = held.sum(1) / 2
    half = half - (half - half.floor()).detach()
    truth = (bits @ held.T - half) / head.tau
    (truth * weights).sum().backward()
    torch.testing.assert_close(out.detach().double(), truth.detach(), rtol=1e-6, atol=1e-6)
    outward = (real.detach().abs() > limit) & (real.grad * real.detach() < 0)
    assert outward.any()
    wanted = real.grad.masked_fill(outward, 0)
    # Sums over samples go through int8.
    assert (head.weight.grad - wanted).norm() < 0.02 * wanted.norm()


def test_floats_are_weighed_like_bits(generator):
    head = network(2)[1]
    bits = (torch.rand(50, 37, generator=generator) < 0.5).float()
    packed = network(2)[0].eval()((torch.rand(50, 20, generator=generator) < 0.5).float())
    assert torch.equal(head(packed), head(packed + 0))
    assert head(bits).shape == (50, 5)


@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 5), st.integers(1, 40))
@settings(max_examples=30)
def test_its_circuit_counts_what_it_scores(seed, limit, classes, features):
    model = network(limit, features=features, classes=classes, seed=seed).eval()
    x = torch.rand(65, 20, generator=torch.Generator().manual_seed(seed)) < 0.5
    scores = model(x.float()).detach()
    circuit = lower(model, (20,))
    assert (circuit.head.offset >= 0).all()
    small = simplify(circuit)
    for each in (circuit, small):
        found = counts(each, x.numpy())
        assert (found == (scores * model[1].tau).round().numpy().astype(np.int64)).all()
        assert (classify(each, x.numpy()) == scores.argmax(1).numpy()).all()
        assert (Engine(each).predict(x.numpy()) == scores.argmax(1).numpy()).all()
    assert evaluate(circuit, x.numpy()).shape == (65, int(np.abs(model[1].whole().astype(int)).sum()))
    if features < 10:
        assert prove(circuit, small).equal


def test_what_does_not_fit_is_refused(generator):
    with pytest.raises(OptionError, match=r"limit in 1\.\.127, got 4, 2, 0"):
        WeightedSum(4, 2, limit=0)
    with pytest.raises(OptionError, match="tau must be a positive number"):
        WeightedSum(4, 2, tau=0.0)
    head = WeightedSum(4, 2)
    with pytest.raises(ShapeError, match=r"WeightedSum\(4, 2, limit=1\) expects \(N, 4\), got shape \(3, 5\)"):
        head(torch.zeros(3, 5))
    with pytest.raises(ShapeError, match="Flatten"):
        head(torch.zeros(3, 4, 1, 1))
    with pytest.raises(ShapeError, match="expects"):
        lower(nn.Sequential(LogicDense(3, 6, generator=generator), head), (3,))
    with pytest.raises(ShapeError, match="expects"):
        lower(nn.Sequential(LogicConv2d(1, 2, 3, padding=1, generator=generator), WeightedSum(18, 2)), (1, 3, 3))


def test_it_learns_with_a_rate_of_its_own(tmp_path):
    changes = ["model.head={kind: weighted, lr: 0.003}", "model.layers=[{type: flatten}, {type: dense, width: 333}]",
               "train.steps=300", "train.eval_every=100"]  # fmt: skip
    config = load_preset("digits", changes)
    result = train(config, "digits", tmp_path / "run")
    assert result.validation.hard > 0.9
    run = load_run(tmp_path / "run")
    circuit = lower_run(run)
    from gatewright.data import load_dataset

    test = load_dataset("digits").test
    assert (Engine(circuit).predict(test.x) == run.model(torch.from_numpy(test.x)).argmax(1).numpy()).all()


def test_group_sums_are_weighted_sums_of_ones(generator):
    bits = (torch.rand(20, 12, generator=generator) < 0.5).float()
    head = WeightedSum(12, 3, tau=1.0)
    with torch.no_grad():
        head.weight.copy_(nn.functional.one_hot(torch.arange(12) // 4, 3).T)
    assert torch.equal(head(bits) + 2, GroupSum(3, tau=1.0)(bits))
    assert torch.equal(head.eval()(bits), GroupSum(3, tau=1.0)(bits))
    assert ops.weigh(reference.pack(bits.T), torch.ones(1, 12, dtype=torch.int8), 20).tolist() == [bits.sum(1).tolist()]
