"""Augmentation: exact where it can be, fair, and from the generator alone."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewright.data import Augment
from gatewright.errors import DtypeError, OptionError, ShapeError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=5, c=2, h=9, w=7, dtype=torch.uint8, seed=0):
    return torch.randint(1, 256, (n, c, h, w), generator=generator(seed)).to(dtype)


def moved(image, dy, dx):
    """The image with its content moved down and right, zeros from outside."""
    out = torch.zeros_like(image)
    h, w = image.shape[1:]
    for y in range(h):
        for x in range(w):
            if 0 <= y - dy < h and 0 <= x - dx < w:
                out[:, y, x] = image[:, y - dy, x - dx]
    return out


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 2**32), st.integers(1, 4), st.sampled_from(["shift", "crop"]),
    st.sampled_from([torch.uint8, torch.float32]), st.integers(1, 4),
)  # fmt: skip
def test_every_shift_and_crop_is_a_whole_step_with_zeros_from_outside(seed, channels, option, dtype, limit):
    before = images(4, channels, 6, 5, dtype, seed)
    after = Augment(**{option: limit})(before, generator(seed))
    assert after.dtype == dtype
    for one, two in zip(before, after, strict=True):
        steps = range(-limit, limit + 1)
        assert any(torch.equal(moved(one, dy, dx), two) for dy in steps for dx in steps)


def test_all_shifts_are_equally_likely():
    dot = torch.zeros(20_000, 1, 5, 5, dtype=torch.uint8)
    dot[:, 0, 2, 2] = 1
    counts = Augment(shift=2)(dot, generator()).sum(dim=0).flatten()
    assert counts.sum() == 20_000
    # 25 places, 800 expected in each; five standard deviations are 139.
    assert (counts - 800).abs().max() < 139


def test_half_the_images_are_mirrored_left_to_right():
    before = images(2_000)
    after = Augment(flip=True)(before, generator())
    same = (before == after).flatten(1).all(1)
    mirrored = (before.flip(3) == after).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert 900 < mirrored.sum() < 1_100


@pytest.mark.parametrize(("h", "w"), [(9, 9), (9, 13), (12, 8)])
def test_a_rotation_turns_about_the_centre_whatever_the_sides(h, w, monkeypatch):
    def quarter(*args, **kwargs):
        return torch.full((1, 3), 1.0)  # the greatest angle

    monkeypatch.setattr(torch, "rand", quarter)
    before = images(1, 1, h, w, torch.float32)
    after = Augment(rotation=90)(before, generator())
    cy, cx = (h - 1) / 2, (w - 1) / 2
    seen = 0
    for y in range(h):
        for x in range(w):
            # Output (y, x) comes from the input turned by the same angle in pixel units.
            sy, sx = cy + (x - cx), cx - (y - cy)
            inside = 0 <= sy <= h - 1 and 0 <= sx <= w - 1
            if inside and sy == int(sy) and sx == int(sx):
                assert after[0, 0, y, x] == pytest.approx(float(before[0, 0, int(sy), int(sx)]), abs=1e-3)
                seen += 1
            elif not (-1 < sy < h and -1 < sx < w):
                assert after[0, 0, y, x] == 0
    assert seen == (0 if (h + w) % 2 else min(h, w) ** 2)


def test_a_small_rotation_and_shift_follow_the_bilinear_formula(monkeypatch):
    draws = torch.tensor([[0.75, 0.9, 0.2]])
    monkeypatch.setattr(torch, "rand", lambda *args, **kwargs: draws)
    before = images(1, 1, 8, 10, torch.float32)
    after = Augment(rotation=30, shift=2)(before, generator())
    angle, dx, dy = math.radians(15), 2 * 0.8, 2 * -0.6
    image = np.pad(before[0, 0].double().numpy(), 20)
    for y in range(8):
        for x in range(10):
            u, v = x - 4.5, y - 3.5
            sx = math.cos(angle) * u - math.sin(angle) * v + dx + 4.5
            sy = math.sin(angle) * u + math.cos(angle) * v + dy + 3.5
            ix, iy = math.floor(sx), math.floor(sy)
            fx, fy = sx - ix, sy - iy
            expected = sum(
                weight * image[20 + iy + j, 20 + ix + i]
                for (j, i, weight) in (
                    (0, 0, (1 - fy) * (1 - fx)), (0, 1, (1 - fy) * fx), (1, 0, fy * (1 - fx)), (1, 1, fy * fx),
                )
            )  # fmt: skip
            assert float(after[0, 0, y, x]) == pytest.approx(expected, abs=2e-3)


def test_bytes_are_the_rounded_floats():
    before = images(20, 1, 28, 28)
    augment = Augment(rotation=20, shift=3)
    floats = augment(before.float(), generator(7))
    rounded = augment(before, generator(7))
    assert rounded.dtype == torch.uint8
    assert torch.equal(rounded, floats.round().to(torch.uint8))
    assert not torch.equal(rounded, before)


@settings(deadline=None, max_examples=30)
@given(st.floats(0, 180), st.integers(0, 4), st.booleans(), st.integers(0, 4), st.integers(0, 2**32))
def test_the_generator_decides_everything_and_nothing_else_is_touched(rotation, shift, flip, crop, seed):
    before = images()
    copy = before.clone()
    augment = Augment(rotation, shift, flip, crop)
    state = torch.get_rng_state()
    one, two = generator(seed), generator(seed)
    first = augment(before, one)
    assert torch.equal(first, augment(before, two))
    assert torch.equal(one.get_state(), two.get_state())
    assert torch.equal(before, copy)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.shape == before.shape
    # How much is drawn depends on the number of images, not on their size or type.
    other = generator(seed)
    augment(images(5, 1, 6, 6, torch.float32), other)
    assert torch.equal(one.get_state(), other.get_state())


def test_without_options_nothing_changes():
    before = images()
    assert Augment()(before, generator()) is before


def test_no_images_are_no_problem():
    empty = torch.zeros(0, 1, 8, 8, dtype=torch.uint8)
    assert Augment(10, 2, True, 2)(empty, generator()).shape == (0, 1, 8, 8)


def test_images_side_by_side_get_changes_of_their_own():
    same = images(1).expand(50, -1, -1, -1)
    for augment in (Augment(rotation=10), Augment(shift=3), Augment(flip=True), Augment(crop=3)):
        assert len({image.numpy().tobytes() for image in augment(same, generator())}) > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rotation": -1}, r"rotation must be degrees in 0\.\.180, got -1"),
        ({"rotation": 181.0}, r"rotation must be degrees in 0\.\.180"),
        ({"rotation": math.nan}, r"rotation must be degrees in 0\.\.180, got nan"),
        ({"rotation": True}, r"rotation must be degrees in 0\.\.180, got True"),
        ({"rotation": "10"}, r"rotation must be degrees in 0\.\.180, got '10'"),
        ({"shift": -1}, "shift must be a whole number of pixels, 0 or more, got -1"),
        ({"shift": 1.5}, r"shift must be a whole number of pixels, 0 or more, got 1\.5"),
        ({"crop": "4"}, "crop must be a whole number of pixels, 0 or more, got '4'"),
        ({"flip": 1}, "flip must be true or false, got 1"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(OptionError, match=message):
        Augment(**options)


def test_what_is_no_image_is_refused():
    with pytest.raises(ShapeError, match=r"needs images \[N, C, H, W\], got shape \[3, 100\]; switch it off"):
        Augment(shift=1)(torch.zeros(3, 100), generator())
    with pytest.raises(DtypeError, match=r"uint8 or float32 images, got torch.int16"):
        Augment(shift=1)(torch.zeros(3, 1, 8, 8, dtype=torch.int16), generator())
    with pytest.raises(OptionError, match="crop=8 would move images of 8 pixels out of sight"):
        Augment(crop=8)(torch.zeros(3, 1, 8, 9), generator())
