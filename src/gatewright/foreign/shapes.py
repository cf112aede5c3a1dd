"""What layers of other libraries read: flat bits, or windows of images."""

from __future__ import annotations

from functools import reduce

import numpy as np

from gatewright.circuit.builder import Builder
from gatewright.errors import ShapeError
from gatewright.gates import Gate
from gatewright.lowering import Lowering, Nodes


def flat(lowering: Lowering, width: int) -> Nodes:
    """The nodes that a layer reads, if they are so many in a row.

    Raises:
        ShapeError: They are not.
    """
    if lowering.nodes.shape != (width,):
        raise ShapeError(f"{lowering.name} expects {width} bits, got {lowering.nodes.shape}; is Flatten missing?")
    return lowering.nodes


def padded(builder: Builder, nodes: Nodes, pad: tuple[int, int]) -> Nodes:
    """Nodes [C, H, W] with rows and columns of 0 around them."""
    if not any(pad):
        return nodes
    return np.pad(nodes, ((0, 0), (pad[0],) * 2, (pad[1],) * 2), constant_values=builder.constant(False))


def windows(nodes: Nodes, size: tuple[int, int], stride: tuple[int, int]) -> Nodes:
    """What each position of a window sees: int32 [C, rows, columns, *size]."""
    seen: Nodes = np.lib.stride_tricks.sliding_window_view(nodes, size, (1, 2))[:, :: stride[0], :: stride[1]]
    return seen


def or_windows(builder: Builder, nodes: Nodes, size: tuple[int, int], stride: tuple[int, int]) -> Nodes:
    """The OR of each window, int32 [C, rows, columns]."""
    seen = windows(nodes, size, stride)
    parts = [seen[..., i, j] for i in range(size[0]) for j in range(size[1])]
    return reduce(lambda a, b: builder.append(Gate.OR, a, b), parts)
