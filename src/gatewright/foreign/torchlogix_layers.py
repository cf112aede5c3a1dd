"""Layers of torchlogix: tables as the library itself evaluates them, whatever the parametrization."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gatewright.circuit.lookup import append_tables
from gatewright.errors import ShapeError, UnsupportedError
from gatewright.foreign.shapes import flat, or_windows, padded
from gatewright.foreign.tensors import array
from gatewright.lowering import Lowering, Nodes


def dense(module: Any, lowering: Lowering) -> Nodes:
    """`LogicDense`, with fixed or learned connections and tables of any rank."""
    nodes = flat(lowering, int(module.in_dim))
    wiring = _wiring(module.connections, lowering.name)
    return append_tables(lowering.builder, nodes[wiring.T], _tables(module, module.weight, lowering.name))


def _wiring(connections: Any, name: str) -> npt.NDArray[np.int64]:
    """Inputs int64 [rank, neurons]."""
    indices = array(connections.indices).astype(np.int64)
    kind = type(connections).__name__
    if kind == "FixedDenseConnections":
        return indices
    if kind == "LearnableDenseConnections":
        chosen = array(connections.weights.argmax(0))
        return np.asarray(np.take_along_axis(indices, chosen[None], 0)[0], np.int64)
    raise UnsupportedError(f"{name} has connections of class {kind}, which are not known")


def _tables(module: Any, weight: Any, name: str) -> npt.NDArray[np.bool_]:
    """Tables bool [neurons, 2^rank]: what the layer's own evaluation gives for each combination of inputs."""
    rank = int(module.lut_rank)
    index = np.arange(1 << rank)
    combinations = (index[:, None] >> np.arange(rank)[::-1] & 1).astype(np.float32)
    with torch.no_grad():
        x = torch.from_numpy(combinations).to(weight.device)[:, :, None].expand(-1, -1, len(weight))
        tables = array(module.parametrization.forward(x, weight, False, contraction="n,bn->bn")).T
    if not np.isin(tables, (0, 1)).all():
        raise UnsupportedError(f"{name}: its {type(module.parametrization).__name__} gives numbers that are not 0 or 1")
    return tables.astype(np.bool_)


def convolution(module: Any, lowering: Lowering) -> Nodes:
    """`LogicConv2d`: a tree of tables per kernel, at every position."""
    nodes, pad = lowering.nodes, int(module.padding)
    shape = (int(module.channels), *map(int, module.in_dim))
    if nodes.shape != shape:
        raise ShapeError(f"{lowering.name} expects {shape}, got {nodes.shape}")
    if type(module.connections).__name__ != "FixedConvConnections":
        raise UnsupportedError(f"{lowering.name} has connections of class {type(module.connections).__name__}")
    nodes = padded(lowering.builder, nodes, (pad, pad))
    y, x, channel = np.moveaxis(array(module.connections.indices[0]).astype(np.int64), -1, 0)
    read: Nodes = nodes[channel, y, x]  # [rank, kernels, positions, tables of a tree]
    for level in range(int(module.tree_depth)):
        if level:
            read = np.moveaxis(read[..., array(module.connections.indices[level])], -2, 0)
        rank, kernels, positions, size = read.shape
        tables = np.stack([_tables(module, weight, lowering.name) for weight in module.tree_weights[level]], 1)
        tables = np.broadcast_to(tables[:, None], (kernels, positions, size, 1 << rank))
        operands = np.moveaxis(read, 0, -1).reshape(-1, rank)
        made = append_tables(lowering.builder, operands, tables.reshape(-1, 1 << rank))
        read = made.reshape(kernels, positions, size)
    sides = tuple(int(side) for side in module.kernel_positions)
    return np.asarray(read.reshape(-1, *sides), np.int32)


def or_pooling(module: Any, lowering: Lowering) -> Nodes:
    """`OrPooling2d`: OR over windows; padding is 0."""
    if lowering.nodes.ndim != 3:
        raise ShapeError(f"{lowering.name} pools images (C, H, W), got {lowering.nodes.shape}")
    size, stride, pad = (
        value if isinstance(value, tuple) else (value, value)
        for value in (module.kernel_size, module.stride, module.padding)
    )
    return or_windows(lowering.builder, padded(lowering.builder, lowering.nodes, pad), size, stride)


def thermometer_bits(module: Any, shape: tuple[int, ...]) -> tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[int, ...]]:
    """Feature and threshold of each bit of a binarization, in the shape of the bits, and the shape of a sample."""
    with torch.no_grad():
        thresholds = array(module.get_thresholds()).astype(np.float64)
    if not shape:
        if thresholds.ndim != 2:
            raise ShapeError("the thermometer does not say how many features there are: pass shape=(F,) or (C, H, W)")
        shape = thresholds.shape[:-1]
    features = np.arange(int(np.prod(shape))).reshape(shape)[..., None]
    if thresholds.ndim == 2 and len(shape) == 3:  # of each channel
        thresholds = thresholds.reshape(-1, 1, 1, thresholds.shape[1])
    try:
        feature, threshold = np.broadcast_arrays(features, thresholds)
    except ValueError as error:
        raise ShapeError(f"thresholds of shape {thresholds.shape} do not fit samples of shape {shape}") from error
    # The bits are merged into one axis, which the library counts with the batch and the bits among them.
    axis = int(module.feature_dim)
    axis = axis + feature.ndim if axis < 0 else axis - 1
    if feature.shape[:-1] != tuple(shape) or not 0 <= axis < feature.ndim - 1:
        raise ShapeError(f"thresholds of shape {thresholds.shape} do not fit samples of shape {shape}")
    merged = [np.moveaxis(each, -1, axis + 1) for each in (feature, threshold)]
    sides = list(merged[0].shape)
    sides[axis : axis + 2] = [sides[axis] * sides[axis + 1]]
    return merged[0].reshape(sides), merged[1].reshape(sides), tuple(shape)
