"""Warped images: the compiled loop against torch's operations, and what known maps do."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.data import Augment
from gatewright.data.augment.warp import warp, warp_with_torch
from gatewright.errors import OptionError


def still(n, points=5):
    return torch.eye(2, 3).repeat(n, 1, 1), torch.zeros(n, 2, points, points)


@given(
    st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(2, 6),
    st.sampled_from([torch.uint8, torch.float32]),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_the_loop_equals_torch(seed, n, channels, height, width, side, dtype):
    g = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (n, channels, height, width), generator=g).to(dtype)
    affine, points = still(n, side)
    affine = affine + torch.randn(affine.shape, generator=g) * 0.3
    points = torch.randn(points.shape, generator=g)
    ours, truth = warp(images, affine, points), warp_with_torch(images, affine, points)
    assert ours.dtype == dtype
    # Halves may be rounded either way, and float32 places differ in their last digits.
    assert (ours.double() - truth.double()).abs().max() <= (1 if dtype == torch.uint8 else 0.05)


def test_no_map_changes_nothing():
    images = torch.randint(256, (3, 2, 7, 5), dtype=torch.uint8)
    assert torch.equal(warp(images, *still(3)), images)


def test_a_displacement_by_whole_pixels_moves_the_image():
    images = torch.randint(256, (1, 1, 6, 6), dtype=torch.uint8)
    affine, points = still(1)
    points[:, 0] = 2.0  # every pixel takes the value two to the right
    moved = warp(images, affine, points)
    assert torch.equal(moved[..., :4], images[..., 2:])
    assert not moved[..., 4:].any()


def test_half_the_size_keeps_the_middle():
    images = torch.zeros(1, 1, 9, 9)
    images[0, 0, 4, 4] = 1.0
    images[0, 0, 4, 6] = 2.0
    affine, points = still(1)
    affine[:, :, :2] *= 2
    small = warp(images, affine, points)
    assert small[0, 0, 4, 4] == 1
    assert small[0, 0, 4, 5] == 2


@pytest.mark.parametrize(
    "option", [{"scale": 0.2}, {"bend": 2.0}, {"rotation": 20.0, "scale": 0.1, "bend": 1.0, "shift": 1}]
)
def test_augmented_images_are_near_and_different_and_repeatable(option):
    images = torch.zeros(50, 1, 20, 20)
    images[:, :, 8:12, 8:12] = 1.0

    def generator():
        return torch.Generator().manual_seed(0)

    after = Augment(**option)(images, generator())
    assert torch.equal(after, Augment(**option)(images, generator()))
    assert len(after.flatten(1).unique(dim=0)) == 50
    assert (after.flatten(1).sum(1) - 16).abs().max() < 12
    assert after[:, 0, :3].sum() == 0  # nothing gets as far as the edge


@pytest.mark.parametrize(
    ("option", "message"), [({"scale": 0.6}, "a share in 0..0.5"), ({"bend": -1.0}, "pixels in 0..16")]
)
def test_wrong_values_are_refused(option, message):
    with pytest.raises(OptionError, match=message):
        Augment(**option)
