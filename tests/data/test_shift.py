"""Mirrored and moved images: the compiled loops against torch's operations and against the definition."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.data.augment.shift import _shift_with_torch, mirror, shift


@given(
    st.integers(0, 9),
    st.sampled_from([(1, 1, 1), (1, 28, 28), (3, 5, 33)]),
    st.sampled_from([torch.uint8, torch.float32]),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_pixels_come_from_where_they_should(n, shape, dtype, seed):
    g = torch.Generator().manual_seed(seed)
    images = torch.randint(1, 256, (n, *shape), generator=g).to(dtype)
    height, width = shape[1:]
    by = torch.stack([torch.randint(1 - side, side, (n,), generator=g) for side in (height, width)], 1)
    moved = shift(images, by)
    assert moved.dtype == dtype
    assert torch.equal(moved, _shift_with_torch(images, by))
    for i, (dy, dx) in enumerate(by.tolist()):
        for y in range(height):
            for x in range(width):
                inside = 0 <= y + dy < height and 0 <= x + dx < width
                wanted = images[i, :, y + dy, x + dx] if inside else torch.zeros(shape[0])
                assert torch.equal(moved[i, :, y, x].float(), wanted.float())
    chosen = torch.rand(n, generator=g) < 0.5
    assert torch.equal(mirror(images, chosen), torch.where(chosen[:, None, None, None], images.flip(3), images))


@pytest.mark.parametrize("change", ["view", "channels_last"])
def test_images_may_lie_in_memory_as_they_like(change):
    images = torch.randint(0, 256, (6, 3, 8, 9), dtype=torch.uint8)
    strange = images[::2] if change == "view" else images.to(memory_format=torch.channels_last)
    by = torch.randint(-3, 4, (len(strange), 2))
    assert torch.equal(shift(strange, by), shift(strange.clone(memory_format=torch.contiguous_format), by))
    assert torch.equal(mirror(strange, torch.ones(len(strange), dtype=torch.bool)), strange.flip(3))
