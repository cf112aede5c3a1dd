"""Brightness and contrast: the compiled loop against torch's operations, and what augmentation makes of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.data import Augment
from gatewright.data.augment.brightness import change_brightness


@given(st.integers(0, 5), st.sampled_from([torch.uint8, torch.float32]), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_values_are_scaled_about_the_middle_moved_and_kept_in_range(n, dtype, seed):
    g = torch.Generator().manual_seed(seed)
    images = torch.rand(n, 2, 5, 7, generator=g)
    top = 255 if dtype == torch.uint8 else 1
    images = (images * top).to(dtype)
    factor, added = torch.rand(n, generator=g) * 2, torch.rand(n, generator=g) - 0.5
    found = change_brightness(images, factor, added)
    assert found.dtype == dtype
    scale, offset = factor[:, None, None, None].double(), added[:, None, None, None].double()
    wanted = ((images.double() - top / 2) * scale + top / 2 + offset * top).clamp(0, top)
    assert (found.double() - wanted).abs().max().item() <= (0.5001 if dtype == torch.uint8 else 1e-5) if n else True


def test_nothing_changes_nothing():
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(change_brightness(images, torch.ones(1), torch.zeros(1)), images)


@pytest.mark.parametrize("option", ["brightness", "contrast"])
def test_every_image_gets_its_own_light(option):
    images = torch.full((50, 1, 4, 4), 180, dtype=torch.uint8)
    changed = Augment(**{option: 0.2})(images, torch.Generator().manual_seed(0))
    assert (changed == changed[:, :1, :1, :1]).all()
    values = changed[:, 0, 0, 0].int()
    reach = 0.2 * (255 if option == "brightness" else 180 - 127.5)
    assert len(values.unique()) > 10
    assert (values - 180).abs().max() <= reach + 0.5
    assert values.max() > 180 + reach / 2
    assert values.min() < 180 - reach / 2
