"""Brightness and contrast of images. One compiled loop on the CPU, torch's operations elsewhere; results are equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

from gatewright.runtime.threads import split


def change_brightness(images: Tensor, factor: Tensor, added: Tensor) -> Tensor:
    """Change each image's values to `(value - middle) * factor + middle + added`, kept in range.

    Args:
        images: uint8 (0..255) or float32 (0..1) [N, C, H, W]; not changed.
        factor: float32 [N].
        added: float32 [N], as a share of the range.

    Returns:
        Images of the same shape and type, rounded if they are uint8.
    """
    whole = images.dtype == torch.uint8
    top = 255.0 if whole else 1.0
    offset = (1 - factor) * (top / 2) + added * top
    if images.device.type == "cpu":
        out = torch.empty_like(images, memory_format=torch.contiguous_format)
        arrays = (t.contiguous().numpy() for t in (images, factor, offset))
        split(_change, len(images), *arrays, np.float32(top), whole, out.numpy())
        return out
    values = (images * factor[:, None, None, None] + offset[:, None, None, None]).clamp(0, top)
    return values.round().to(torch.uint8) if whole else values


@njit(cache=True, nogil=True)
def _change(start: int, stop: int, images: Any, factor: Any, offset: Any, top: Any, whole: bool, out: Any) -> None:
    low = np.float32(0)
    for i in range(start, stop):
        source, target = images[i].ravel(), out[i].reshape(-1)
        for k in range(np.uintp(len(source))):
            value = min(max(np.float32(source[k]) * factor[i] + offset[i], low), top)
            target[k] = np.rint(value) if whole else value
