"""Locally connected layers: what kernels compute, with gates of their own at each position."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from gatewright.circuit import prove, simplify
from gatewright.circuit.evaluate import evaluate
from gatewright.errors import OptionError, ShapeError
from gatewright.lowering import lower
from gatewright.nn import GroupSum, LogicConv2d, LogicLocal2d, Thermometer, unshare


@st.composite
def convolutions(draw):
    """A convolution, and the shape of its images: sides that do not divide, padding wider than needed, channel groups."""
    side, stride, padding = draw(st.integers(1, 4)), draw(st.integers(1, 3)), draw(st.integers(0, 2))
    groups, read = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    least = max(1, side - 2 * padding)
    shape = (groups * read, draw(st.integers(least, 9)), draw(st.integers(least, 9)))
    made = LogicConv2d(
        shape[0],
        draw(st.integers(1, 5)),
        side,
        stride=stride,
        padding=padding,
        channels=draw(st.sampled_from([read, 0])),
        candidates=draw(st.integers(1, 5)),
        relaxation=draw(st.sampled_from(["hard", "soft"])),
        gradients=draw(st.sampled_from(["int8", "float"])),
        gates=draw(st.sampled_from([None, (1, 6, 7)])),
        generator=torch.Generator().manual_seed(draw(st.integers(0, 2**31))),
    )
    return made, shape


@settings(max_examples=60, deadline=None)
@given(convolutions(), st.integers(1, 70), st.integers(0, 2**31))
def test_unshared_kernels_compute_what_they_did(made, n, seed):
    kernels, shape = made
    x = (torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed)) < 0.5).float()
    local = LogicLocal2d.of(kernels, shape)
    assert local.candidates.n_neurons == kernels(x)[0].numel()
    assert local.candidates.allowed_gates.equal(kernels.candidates.allowed_gates)
    assert torch.equal(local(x) + 0, kernels(x) + 0)
    assert torch.equal(local.eval()(x) + 0, kernels.eval()(x) + 0)
    assert local.geometry(shape).out_shape == kernels.geometry(shape).out_shape


def test_gradients_of_kernels_are_the_sums_of_their_positions():
    kernels = LogicConv2d(2, 5, 3, stride=2, padding=1, candidates=4, relaxation="hard", gradients="float")
    local = LogicLocal2d.of(kernels, (2, 7, 6))
    x, weight = (torch.rand(50, 2, 7, 6) < 0.5).float(), torch.randn(50, 5, 4, 3)
    for layer in (kernels, local):
        (layer(x) * weight).sum().backward()
    summed = local.candidates.logits.grad.view(5, 12, 4).sum(1)
    torch.testing.assert_close(summed, kernels.candidates.logits.grad, rtol=1e-4, atol=1e-4)


def test_candidates_of_a_new_layer_read_their_own_windows():
    local = LogicLocal2d((3, 5, 6), 4, 3, padding=1, channels=3, candidates=8)
    c = local.candidates
    for ids in (c.a, c.b):
        assert bool(((ids >= c.pool_start[:, None]) & (ids < c.pool_start[:, None] + c.pool_size)).all())
    assert c.pool_size == 27
    assert bool((c.a != c.b).all())
    rows = local.operand_rows(c.a, local.geometry((3, 5, 6)))
    y, x = rows // 8 % 7, rows % 8  # in images of 7 x 8, with padding
    at = torch.arange(30).repeat(4)[:, None]
    assert bool(((y - at // 6).abs() <= 2).all() and ((y - at // 6) >= 0).all())
    assert bool(((x - at % 6) <= 2).all() and ((x - at % 6) >= 0).all())


@settings(max_examples=15, deadline=None)
@given(convolutions(), st.integers(0, 2**31))
def test_circuits_are_proven_equal_to_their_layers(made, seed):
    kernels, shape = made
    local = LogicLocal2d.of(kernels, shape).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():  # so that positions differ
        local.candidates.logits.copy_(torch.randn(local.candidates.logits.shape, generator=generator))
    x = (torch.rand(40, *shape, generator=generator) < 0.5).float()
    circuit = lower(local, shape)
    assert torch.equal(
        torch.from_numpy(evaluate(circuit, x.flatten(1).bool().numpy())), (local(x) + 0).flatten(1).bool()
    )
    assert prove(circuit, simplify(circuit)).equal


def test_a_whole_network_is_unshared_and_keeps_its_scores():
    torch.manual_seed(0)
    model = nn.Sequential(
        Thermometer.uniform(3, (1, 9, 7), "uint8"),
        LogicConv2d(3, 6, 3, stride=2, padding=1),
        nn.Sequential(LogicConv2d(6, 8, 3, padding=1, relaxation="hard")),
        nn.Flatten(),
        GroupSum(4),
    )
    x = torch.randint(0, 256, (20, 1, 9, 7), dtype=torch.uint8)
    model[1].freeze()
    before = model.eval()(x)
    model.train()
    assert unshare(model, x) == ["1", "2.0"]
    assert [type(model[1]), type(model[2][0])] == [LogicLocal2d] * 2
    assert (model[1].frozen, model[2][0].frozen) == (True, False)
    assert all(module.training for module in model.modules())
    assert torch.equal(model.eval()(x), before)
    assert unshare(model, x) == []
    again = nn.Sequential(LogicLocal2d((3, 9, 7), 6, 3, stride=2, padding=1))
    again.load_state_dict(nn.Sequential(model[1]).state_dict())
    bits = (torch.rand(9, 3, 9, 7) < 0.5).float()
    assert torch.equal(again(bits) + 0, model[1](bits) + 0)


def test_what_cannot_be_unshared_is_named():
    x = torch.zeros(1, 1, 6, 6)
    with pytest.raises(OptionError, match=r"put it into a torch\.nn\.Sequential"):
        unshare(LogicConv2d(1, 2, 3), x)

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.kernel, self.unused = LogicConv2d(1, 1, 3), LogicConv2d(1, 1, 3)

        def forward(self, x):
            return self.kernel(self.kernel(x))

    twice = Twice()
    with pytest.raises(OptionError, match="'kernel' got images of several sizes"):
        unshare(twice, x)
    assert isinstance(twice.kernel, LogicConv2d)
    with pytest.raises(OptionError, match="'1' got no images"):
        unshare(Unused(), x)


class Unused(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Identity(), LogicConv2d(1, 1, 3))

    def forward(self, x):
        return self[0](x)


def test_padding_of_the_same_size_modes_and_names_of_one_layer_are_kept():
    assert LogicLocal2d((2, 5, 6), 3, 3, padding="same")(torch.ones(4, 2, 5, 6)).shape == (4, 3, 5, 6)
    twice = LogicConv2d(2, 2, 3, padding=1)
    model = nn.Sequential(twice, twice, nn.Dropout(), LogicConv2d(2, 2, 3))
    model[2].eval()
    state = torch.get_rng_state()
    assert unshare(model, torch.zeros(1, 2, 5, 5)) == ["0", "1", "3"]
    assert torch.equal(torch.get_rng_state(), state)
    assert model[0] is model[1]
    assert isinstance(model[0], LogicLocal2d)
    assert (model[0].training, model[2].training, model.training) == (True, False, True)


def test_what_would_be_too_large_is_refused_before_memory_is_taken():
    with pytest.raises(OptionError, match="expected at most 67108864"):
        LogicLocal2d((64, 64, 64), 128, 5, channels=0)
    with pytest.raises(OptionError, match="expected at most 67108864"):
        LogicLocal2d.of(LogicConv2d(64, 128, 5, channels=0, candidates=1), (64, 64, 64))


def test_images_of_another_size_are_refused():
    local = LogicLocal2d((1, 6, 6), 2, 3)
    with pytest.raises(ShapeError, match=r"expects \(N, 1, 6, 6\), got \(N, 1, 7, 6\)"):
        local(torch.zeros(2, 1, 7, 6))
    with pytest.raises(OptionError, match=r"in_shape must be \(channels, height, width\)"):
        LogicLocal2d((6, 6), 2, 3)
    with pytest.raises(ShapeError, match="smaller than the kernel"):
        LogicLocal2d((1, 2, 2), 2, 3)
    with pytest.raises(OptionError, match="divisor of in_channels"):
        LogicLocal2d((3, 6, 6), 2, 3, channels=2)
