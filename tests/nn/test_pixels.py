"""Upsampling and the per-pixel head: packed bits against plain torch, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gatewright.errors import OptionError, ShapeError
from gatewright.nn import GroupSum, NearestUpsample, PixelGroupSum
from gatewright.nn.bit_tensor import as_bits


def bits(*shape, seed=0):
    return torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(seed)).float()


class Through(torch.autograd.Function):
    """The values of `x` as the output of a leaf, packed or not."""

    @staticmethod
    def forward(ctx, leaf, x, packed):
        return as_bits(x) if packed else x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad, None, None


def with_gradient(module, x, grad):
    """Output and the input's gradient, from packed bits and from floats."""
    for packed in (True, False):
        leaf = torch.zeros(x.shape, requires_grad=True)
        out = module(Through.apply(leaf, x, packed))
        (out * grad).sum().backward()
        yield out.detach() + 0, leaf.grad


@pytest.mark.parametrize("n", [1, 3, 64, 130])
@pytest.mark.parametrize("scale", [1, 2, 3])
def test_upsampling_is_torchs_nearest(n, scale):
    x = bits(n, 3, 4, 5)
    grad = torch.randn(n, 3, 4 * scale, 5 * scale, generator=torch.Generator().manual_seed(1))
    plain = x.clone().requires_grad_()
    expected = nn.functional.interpolate(plain, scale_factor=scale, mode="nearest")
    (expected * grad).sum().backward()
    for out, gradient in with_gradient(NearestUpsample(scale), x, grad):
        torch.testing.assert_close(out, expected.detach())
        torch.testing.assert_close(gradient, plain.grad)


@pytest.mark.parametrize("n", [1, 63, 100])
@pytest.mark.parametrize("classes", [1, 2, 3])
def test_the_pixel_head_is_a_group_sum_at_each_pixel(n, classes):
    x = bits(n, 6, 4, 5)
    grad = torch.randn(n, classes, 4, 5, generator=torch.Generator().manual_seed(1))
    plain = x.clone().requires_grad_()
    flat = GroupSum(classes, tau=1.5)(plain.permute(0, 2, 3, 1).reshape(-1, 6))
    expected = flat.reshape(n, 4, 5, classes).permute(0, 3, 1, 2)
    (expected * grad).sum().backward()
    for out, gradient in with_gradient(PixelGroupSum(classes, tau=1.5), x, grad):
        assert out.shape == (n, classes, 4, 5)
        torch.testing.assert_close(out, expected.detach())
        torch.testing.assert_close(gradient, plain.grad)


def test_the_pixel_head_counts_short_floats_exactly():
    x = torch.ones(1, 1001, 1, 2, dtype=torch.bfloat16)
    assert PixelGroupSum(1, tau=1)(x).tolist() == [[[[1001.0, 1001.0]]]]


def test_what_does_not_fit_is_named():
    for scale in (0, 1.5, True, "2"):
        with pytest.raises(OptionError, match="NearestUpsample needs an integer of at least 1, got"):
            NearestUpsample(scale)
    with pytest.raises(ShapeError, match=r"NearestUpsample\(2\) expects images \(N, C, H, W\), got shape \(2, 3\)"):
        NearestUpsample()(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"PixelGroupSum expects images \(N, C, H, W\), got shape \(2, 4\)"):
        PixelGroupSum(2)(torch.zeros(2, 4))
    with pytest.raises(ShapeError, match="cannot share 5 bits among 2 classes"):
        PixelGroupSum(2)(torch.zeros(1, 5, 2, 2))
