"""Warp images: each pixel takes the value at a place given by an affine map and a grid of displacements.

One compiled loop on the CPU; torch's operations elsewhere, which give the same up to rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from torch import Tensor

from gatewright.runtime.threads import split


def warp(images: Tensor, affine: Tensor, points: Tensor) -> Tensor:
    """Sample images (bilinear, zeros from outside) at moved places.

    The pixel (x, y) takes the value at `affine @ (x, y, 1) + d(x, y)`, where x and y are pixels from the centre, and d is
    interpolated (bilinear) between the displacements of the points, whose grid spans the image from edge to edge.

    Args:
        images: uint8 or float32 [N, C, H, W].
        affine: float32 [N, 2, 3], in pixels.
        points: float32 [N, 2, G, G], displacements in pixels, along x and along y; G is at least 2.

    Returns:
        Images of the same shape and type, rounded if they are uint8.
    """
    if images.device.type == "cpu":
        out = torch.empty_like(images, memory_format=torch.contiguous_format)
        arrays = (t.contiguous().numpy() for t in (images, affine, points))
        split(_warp, len(images), *arrays, images.dtype == torch.uint8, out.numpy())
        return out
    return warp_with_torch(images, affine, points)


def warp_with_torch(images: Tensor, affine: Tensor, points: Tensor) -> Tensor:
    """`warp` on any device, by torch's operations."""
    height, width = images.shape[2:]
    y, x = torch.meshgrid(_centred(height, images), _centred(width, images), indexing="ij")
    place = affine[:, :, :2] @ torch.stack([x.flatten(), y.flatten()]) + affine[:, :, 2:]
    place = place.view(-1, 2, height, width)
    place = place + F.interpolate(points, (height, width), mode="bilinear", align_corners=True)
    # grid_sample counts from -1 to 1, edges of the outer pixels included.
    grid = torch.stack([place[:, 0] * (2 / width), place[:, 1] * (2 / height)], -1)
    out = F.grid_sample(images.float(), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return out.round_().to(images.dtype) if images.dtype == torch.uint8 else out


def _centred(size: int, like: Tensor) -> Tensor:
    return torch.arange(size, device=like.device, dtype=torch.float32) - (size - 1) / 2


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _warp(start: int, stop: int, images: Any, affine: Any, points: Any, whole: bool, out: Any) -> None:
    _, channels, height, width = images.shape
    last = points.shape[2] - 1
    one = np.float32(1)  # a plain 1 would make everything double
    middle_x, middle_y = np.float32((width - 1) / 2), np.float32((height - 1) / 2)
    step_x, step_y = np.float32(last / max(width - 1, 1)), np.float32(last / max(height - 1, 1))
    line_x, line_y = np.empty(last + 1, np.float32), np.empty(last + 1, np.float32)
    from_x, from_y = np.empty(width, np.float32), np.empty(width, np.float32)
    for i in range(start, stop):
        a00, a01, a02 = affine[i, 0, 0], affine[i, 0, 1], affine[i, 0, 2] + middle_x
        a10, a11, a12 = affine[i, 1, 0], affine[i, 1, 1], affine[i, 1, 2] + middle_y
        for y in range(height):
            gy = np.float32(y) * step_y
            j = min(np.int32(gy), last - 1)
            wy = gy - np.float32(j)
            for k in range(last + 1):  # the displacements on this line
                line_x[k] = points[i, 0, j, k] * (one - wy) + points[i, 0, j + 1, k] * wy
                line_y[k] = points[i, 1, j, k] * (one - wy) + points[i, 1, j + 1, k] * wy
            cy = np.float32(y) - middle_y
            for x in range(width):
                gx = np.float32(x) * step_x
                k = min(np.int32(gx), last - 1)
                wx = gx - np.float32(k)
                cx = np.float32(x) - middle_x
                from_x[x] = a00 * cx + a01 * cy + a02 + line_x[k] * (one - wx) + line_x[k + 1] * wx
                from_y[x] = a10 * cx + a11 * cy + a12 + line_y[k] * (one - wx) + line_y[k + 1] * wx
            for x in range(width):
                x0, y0 = np.int32(np.floor(from_x[x])), np.int32(np.floor(from_y[x]))
                rx, ry = from_x[x] - np.float32(x0), from_y[x] - np.float32(y0)
                inside = (x0 >= 0) & (x0 < width - 1) & (y0 >= 0) & (y0 < height - 1)
                for c in range(channels):
                    if inside:
                        v00, v01 = np.float32(images[i, c, y0, x0]), np.float32(images[i, c, y0, x0 + 1])
                        v10, v11 = np.float32(images[i, c, y0 + 1, x0]), np.float32(images[i, c, y0 + 1, x0 + 1])
                    else:
                        v00, v01 = _at(images, i, c, y0, x0), _at(images, i, c, y0, x0 + 1)
                        v10, v11 = _at(images, i, c, y0 + 1, x0), _at(images, i, c, y0 + 1, x0 + 1)
                    top = v00 + (v01 - v00) * rx
                    value = top + (v10 + (v11 - v10) * rx - top) * ry
                    out[i, c, y, x] = np.rint(value) if whole else value


@njit(cache=True, nogil=True, inline="always")
def _at(images: Any, i: int, c: int, y: int, x: int) -> Any:
    if 0 <= y < images.shape[2] and 0 <= x < images.shape[3]:
        return np.float32(images[i, c, y, x])
    return np.float32(0)
