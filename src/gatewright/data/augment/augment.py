"""Random changes of training images, on whole batches of tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from gatewright.data.augment.brightness import change_brightness
from gatewright.data.augment.shift import mirror, shift
from gatewright.data.augment.warp import warp
from gatewright.errors import DtypeError, OptionError, ShapeError

BEND_POINTS = 5
"""Side of the grid of points whose displacements bend an image."""

_DTYPES = (torch.uint8, torch.float32)


@dataclass(frozen=True)
class Augment:
    """Random flip, rotation, scale, bend, shift, crop and brightness, drawn anew for every image of a batch.

    They are applied in that order. Pixels from outside an image are 0. Without rotation, scale and bend, images move by
    whole pixels and keep their exact values; with them they are interpolated (bilinear), and rounded if they are uint8.

    Attributes:
        rotation: Greatest rotation about the centre, in degrees, 0..180; the angle is uniform in -rotation..rotation.
        scale: Greatest relative change of size, 0..0.5; the factor is uniform in 1 - scale .. 1 + scale.
        bend: Greatest displacement in pixels of a grid of 5 x 5 points, independent and uniform both ways, interpolated
            between them: elastic distortion, as in handwriting (Simard et al. 2003).
        shift: Greatest shift in pixels, in both directions; uniform in -shift..shift, whole pixels without the above.
        flip: Whether each image is mirrored left to right with a probability of one half.
        crop: Pixels of zeros put around the image, from which a part of its size is cut; each is equally likely.
        brightness: Greatest change of all values of an image, as a share of their range, 0..1; uniform both ways.
        contrast: Greatest relative change of the values' distance from the middle of their range, 0..1. For brightness and
            contrast the range of uint8 is 0..255, that of float32 0..1; values stay in it.

    Raises:
        OptionError: A value is out of range.

    >>> augment = Augment(rotation=10, shift=2, flip=True)
    >>> images = torch.zeros(8, 1, 28, 28, dtype=torch.uint8)
    >>> augment(images, torch.Generator().manual_seed(0)).shape
    torch.Size([8, 1, 28, 28])
    """

    rotation: float = 0.0
    shift: int = 0
    flip: bool = False
    crop: int = 0
    scale: float = 0.0
    bend: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0

    def __post_init__(self) -> None:
        for name, limit, what in (
            ("rotation", 180, "degrees in 0..180"),
            ("scale", 0.5, "a share in 0..0.5"),
            ("bend", 16, "pixels in 0..16"),
            ("brightness", 1, "a share in 0..1"),
            ("contrast", 1, "a share in 0..1"),
        ):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (number and 0 <= value <= limit):
                raise OptionError(f"{name} must be {what}, got {value!r}")
        for name in ("shift", "crop"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise OptionError(f"{name} must be a whole number of pixels, 0 or more, got {value!r}")
        if not isinstance(self.flip, bool):
            raise OptionError(f"flip must be true or false, got {self.flip!r}")

    def __call__(
        self, images: torch.Tensor, generator: torch.Generator, *, rank: int = 0, size: int = 1
    ) -> torch.Tensor:
        """Change a batch of images.

        Args:
            images: uint8 or float32 [N, C, H, W]; not changed.
            generator: Source of every random number. The numbers drawn depend only on the options and on N.
            rank: Number of these images among `size` equal parts of a batch. Numbers are drawn for the entire batch, so
                that the parts together become what the batch would have become.
            size: Number of parts.

        Returns:
            Images of the same shape, type and device.

        Raises:
            ShapeError: The images are not [N, C, H, W].
            DtypeError: The images have another type.
            OptionError: The images are too small for the shift or the crop.
        """
        self._check(images)
        if not len(images):
            return images
        draw = _Draw(len(images), rank, size, generator, images.device)
        if self.flip:
            images = mirror(images, draw.uniform(1)[:, 0] < 0.5)
        if self.rotation or self.scale or self.bend:
            images = self._warp(images, draw)
        elif self.shift:
            images = _displace(images, self.shift, draw)
        if self.crop:
            images = _displace(images, self.crop, draw)
        if self.brightness or self.contrast:
            random = draw.uniform(2) * 2 - 1
            images = change_brightness(images, 1 + self.contrast * random[:, 0], self.brightness * random[:, 1])
        return images

    def _check(self, images: torch.Tensor) -> None:
        if images.ndim != 4:
            raise ShapeError(
                f"augmentation needs images [N, C, H, W], got shape {list(images.shape)}; switch it off for data that "
                "are not images"
            )
        if images.dtype not in _DTYPES:
            raise DtypeError(f"augmentation needs uint8 or float32 images, got {images.dtype}")
        size = min(images.shape[2:])
        for name in ("shift", "crop"):
            if getattr(self, name) >= size:
                raise OptionError(f"{name}={getattr(self, name)} would move images of {size} pixels out of sight")

    def _warp(self, images: torch.Tensor, draw: _Draw) -> torch.Tensor:
        """Rotate, scale, bend and shift with a single interpolation."""
        random = draw.uniform(3) * 2 - 1
        angle = random[:, 0] * math.radians(self.rotation)
        cos, sin = torch.cos(angle), torch.sin(angle)
        if self.scale:
            factor = 1 / (1 + self.scale * (draw.uniform(1)[:, 0] * 2 - 1))
            cos, sin = cos * factor, sin * factor
        rows = (
            torch.stack([cos, -sin, random[:, 1] * self.shift], dim=1),
            torch.stack([sin, cos, random[:, 2] * self.shift], dim=1),
        )
        points = torch.zeros(len(images), 2, BEND_POINTS, BEND_POINTS, device=images.device)
        if self.bend:
            points = (draw.uniform(points[0].numel()) * 2 - 1).view_as(points) * self.bend
        return warp(images, torch.stack(rows, dim=1), points)


class _Draw(NamedTuple):
    """Random numbers for the n images of one part, drawn for all parts where the generator lives.

    With a generator on the images' own device nothing is copied, and the host does not wait.
    """

    n: int
    rank: int
    size: int
    generator: torch.Generator
    device: torch.device

    def uniform(self, k: int) -> torch.Tensor:
        """float32 [n, k], uniform in 0..1."""
        return self._mine(torch.rand(self.n * self.size, k, generator=self.generator, device=self.generator.device))

    def below(self, limit: int, k: int) -> torch.Tensor:
        """int64 [n, k], uniform in 0..limit - 1."""
        size = (self.n * self.size, k)
        return self._mine(torch.randint(limit, size, generator=self.generator, device=self.generator.device))

    def _mine(self, drawn: torch.Tensor) -> torch.Tensor:
        return drawn[self.rank * self.n : (self.rank + 1) * self.n].to(self.device)


def _displace(images: torch.Tensor, limit: int, draw: _Draw) -> torch.Tensor:
    """Move every image by whole pixels, uniform in -limit..limit both ways, with zeros from outside."""
    return shift(images, draw.below(2 * limit + 1, 2) - limit)
