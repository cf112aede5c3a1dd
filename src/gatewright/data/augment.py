"""Random changes of training images, on whole batches of tensors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F

from gatewright.errors import DtypeError, OptionError, ShapeError

_DTYPES = (torch.uint8, torch.float32)


@dataclass(frozen=True)
class Augment:
    """Random flip, rotation, shift and crop, another one for every image of a batch.

    They are done in that order. What comes in from outside an image is 0. Without rotation, pixels move whole steps and
    keep their exact values; with rotation they are interpolated (bilinear), and rounded if they are uint8.

    Attributes:
        rotation: Greatest rotation about the centre, in degrees, 0..180; the angle is uniform in -rotation..rotation.
        shift: Greatest shift in pixels, in both directions; uniform in -shift..shift, whole pixels without rotation.
        flip: Whether every other image, by chance, is mirrored left to right.
        crop: Pixels of zeros put around the image, out of which a part of its size is cut, each equally likely.

    Raises:
        OptionError: A value is out of range.
    """

    rotation: float = 0.0
    shift: int = 0
    flip: bool = False
    crop: int = 0

    def __post_init__(self) -> None:
        number = isinstance(self.rotation, int | float) and not isinstance(self.rotation, bool)
        if not (number and 0 <= self.rotation <= 180):
            raise OptionError(f"rotation must be degrees in 0..180, got {self.rotation!r}")
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
            images: uint8 or float32 [N, C, H, W]; left as they are.
            generator: Where every random number comes from. The numbers drawn depend on the options and on N alone.
            rank: Which one of `size` equal parts of a batch these images are. Numbers are drawn for the whole batch, so
                that the parts together become what the batch would have become.
            size: Number of parts.

        Returns:
            Images of the same shape, type and device.

        Raises:
            ShapeError: These are no images.
            DtypeError: They are of another type.
            OptionError: Images are too small for the shift or the crop.
        """
        self._check(images)
        if not len(images):
            return images
        draw = _Draw(len(images), rank, size, generator, images.device)
        if self.flip:
            chosen = draw.uniform(1)[:, 0] < 0.5
            images = torch.where(chosen[:, None, None, None], images.flip(3), images)
        if self.rotation:
            images = self._turn(images, draw)
        elif self.shift:
            images = _displace(images, self.shift, draw)
        if self.crop:
            images = _displace(images, self.crop, draw)
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

    def _turn(self, images: torch.Tensor, draw: _Draw) -> torch.Tensor:
        """Rotate and shift with a single interpolation."""
        height, width = images.shape[2:]
        random = draw.uniform(3) * 2 - 1
        angle = random[:, 0] * math.radians(self.rotation)
        cos, sin = torch.cos(angle), torch.sin(angle)
        # Sampling coordinates run from -1 to 1 whatever the size, so a rotation has to allow for the image's sides.
        rows = (
            torch.stack([cos, -sin * height / width, random[:, 1] * (2 * self.shift / width)], dim=1),
            torch.stack([sin * width / height, cos, random[:, 2] * (2 * self.shift / height)], dim=1),
        )
        grid = F.affine_grid(torch.stack(rows, dim=1), list(images.shape), align_corners=False)
        turned = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        return turned.round_().to(images.dtype) if images.dtype == torch.uint8 else turned


class _Draw(NamedTuple):
    """Random numbers for the n images of one part, drawn for all parts where the generator lives.

    With a generator on the images' own device nothing is copied, and nobody waits.
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
    n, _, height, width = images.shape
    corner = draw.below(2 * limit + 1, 2)
    padded = F.pad(images, (limit,) * 4)
    # Every possible cut, as a view [N, C, 2 limit + 1, 2 limit + 1, H, W]; only the chosen ones are copied.
    cuts = padded.unfold(2, height, 1).unfold(3, width, 1)
    return cuts[torch.arange(n, device=images.device), :, corner[:, 0], corner[:, 1]]
