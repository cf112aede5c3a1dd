"""Layers and networks of silogic: tables as the library's `forward_hard` has them, whatever the kind of node."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gatewright.circuit.circuit import Head
from gatewright.circuit.lookup import MOST_INPUTS, append_tables
from gatewright.errors import ShapeError, UnsupportedError
from gatewright.foreign.shapes import flat, or_windows, padded, windows
from gatewright.foreign.tensors import array
from gatewright.gates import Gate
from gatewright.lowering import Lowering, Nodes

Index = npt.NDArray[np.int64]


def dense(module: Any, lowering: Lowering) -> Nodes:
    """`LogicLayer` of any node and arity, wired by a connectome that selects inputs."""
    _check_own(module, lowering)
    nodes = flat(lowering, int(module.in_dim))
    wiring = _wiring(module._conn, lowering)  # noqa: SLF001 - it has no public name
    return append_tables(lowering.builder, nodes[wiring[:, ::-1]], _tables(module.node, lowering))


def convolution(module: Any, lowering: Lowering) -> Nodes:
    """`ConvLogicTree`: a tree of nodes per channel, at every position."""
    _check_own(module, lowering)
    pad, size, stride = int(module.padding), int(module.kh), int(module.stride)
    nodes = lowering.nodes
    if nodes.ndim != 3 or len(nodes) != int(module.cin) or min(nodes.shape[1:]) + 2 * pad < size:
        raise ShapeError(f"{lowering.name} expects ({module.cin}, H, W) of at least {size} x {size}, got {nodes.shape}")
    seen = windows(padded(lowering.builder, nodes, (pad, pad)), (size, size), (stride, stride))
    rows, columns = seen.shape[1:3]
    leaves = array(module.leaf_idx) if module.connect == "fixed" else _likeliest(module.leaf_cand, module.conn)
    places: Nodes = np.moveaxis(seen, (1, 2), (-2, -1)).reshape(-1, rows * columns)  # channel by channel
    read = places[leaves]  # [channels, leaves, positions]
    levels = module.gate_logits if module.node_name == "gate16" else module.tree_nodes
    arity = int(module.node_arity)
    for level in levels:
        channels, children, positions = read.shape
        operands = np.moveaxis(read.reshape(channels * children // arity, arity, positions), 1, -1)
        if module.node_name == "gate16":
            gate = array(level.argmax(2)).reshape(-1, 1)
            made = lowering.builder.append(gate, operands[..., 0], operands[..., 1])
        else:
            tables = np.repeat(_tables(level, lowering), positions, 0)
            made = append_tables(lowering.builder, operands.reshape(-1, arity)[:, ::-1], tables)
        read = made.reshape(channels, children // arity, positions)
    return read.reshape(-1, rows, columns)


def or_pooling(module: Any, lowering: Lowering) -> Nodes:
    """`OrPool`: OR over windows that do not overlap."""
    _check_own(module, lowering)
    size = int(module.size)
    if lowering.nodes.ndim != 3 or min(lowering.nodes.shape[1:]) < size:
        raise ShapeError(
            f"{lowering.name} pools images (C, H, W) of at least {size} x {size}, got {lowering.nodes.shape}"
        )
    return or_windows(lowering.builder, lowering.nodes, (size, size), (size, size))


def head(module: Any, lowering: Lowering) -> Nodes:
    """`GroupSum`, or a `LearnedDecoder` with weights -1, 0 and 1: minus a bit is what its inverse counts, minus 1."""
    _check_own(module, lowering)
    nodes = lowering.nodes
    if nodes.ndim != 1:
        raise ShapeError(f"{lowering.name} counts a flat input, got {nodes.shape}; put Flatten before it")
    if (kind := getattr(module, "kind", "groupsum")) == "groupsum":
        classes, tau = int(module.num_classes), float(module.tau)
        if len(nodes) % classes:
            raise ShapeError(f"{lowering.name} gets {len(nodes)} bits, which do not divide into {classes} classes")
        weights = np.repeat(np.eye(classes, dtype=np.int64), len(nodes) // classes, 1)
    elif kind == "ternary":
        with torch.no_grad():  # the library's own rounding
            columns = torch.eye(module.dec_w.shape[1], device=module.dec_w.device)
            weights, tau = array(module.forward_hard(columns)).T.astype(np.int64), 1.0
        if weights.shape[1] != len(nodes):
            raise ShapeError(f"{lowering.name} expects {weights.shape[1]} bits, got {len(nodes)}")
    else:
        raise UnsupportedError(
            f"{lowering.name} has a head of kind {kind!r}, which weighs bits by fractions; train it with "
            "decoder='groupsum' or 'ternary'"
        )
    label, bit = np.nonzero(weights)
    negative = weights[label, bit] < 0
    counted = nodes[bit]
    counted[negative] = lowering.builder.append(Gate.NOT_A, counted[negative], counted[negative])
    bias = -(weights < 0).sum(1)
    lowering.head = Head(label, bias, tau, lowering.class_names)
    return counted


def network(module: Any, lowering: Lowering) -> Nodes:
    """`LogicNet` and its presets: dense layers, the first outputs of which may be copies of inputs, and a head."""
    _check_own(module, lowering)
    copies = int(module.wire_r)
    for layer in module.layers:
        before = lowering.nodes
        lowering.nodes = dense(layer, lowering)
        if copies and before.shape == lowering.nodes.shape:
            lowering.nodes = np.concatenate([before[:copies], lowering.nodes[copies:]])
    return head(module.head, lowering)


def convolutional_network(module: Any, lowering: Lowering) -> Nodes:
    """`LogicConvNet`: pooled convolutions, of which the first channels may be copies of inputs, dense layers, a head."""
    _check_own(module, lowering)
    blocks = list(module.blocks)
    for conv, pool in zip(blocks[::2], blocks[1::2], strict=True):
        before = lowering.nodes
        lowering.nodes = convolution(conv, lowering)
        copies = min(int(conv.n * module.wire_residual), len(before)) if module.wire_residual > 0 else 0
        if copies:
            if before.shape[1:] != lowering.nodes.shape[1:]:
                raise ShapeError(f"{lowering.name} copies {before.shape[1:]} into {lowering.nodes.shape[1:]}")
            lowering.nodes = np.concatenate([before[:copies], lowering.nodes[copies:]])
        lowering.nodes = or_pooling(pool, lowering)
    lowering.nodes = lowering.nodes.ravel()
    for layer in module.head_layers:
        lowering.nodes = dense(layer, lowering)
    return head(module.head, lowering)


def thermometer_bits(module: Any, shape: tuple[int, ...]) -> tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[int, ...]]:
    """Feature and threshold of each bit of a `LearnedThermometerEncoder`, and the shape of a sample."""
    thresholds = array(module.thresholds).astype(np.float64)
    features, bits = thresholds.shape
    if shape not in {(), (features,)}:
        raise ShapeError(f"the thermometer reads {features} features, so samples have shape ({features},), not {shape}")
    return np.repeat(np.arange(features), bits), thresholds.ravel(), (features,)


def _check_own(part: Any, lowering: Lowering) -> None:
    """Refuse a subclass of a class of the library: `forward_hard` is made of methods that it may have replaced."""
    kind = type(part)
    if kind.__module__.partition(".")[0] != "silogic":
        raise UnsupportedError(
            f"{lowering.name} has a {kind.__module__}.{kind.__qualname__}, expected a class of silogic"
        )


def _wiring(connectome: Any, lowering: Lowering) -> Index:
    """Inputs int64 [neurons, arity]."""
    _check_own(connectome, lowering)
    kind = type(connectome).__name__
    if kind == "FixedConnectome":
        return array(connectome.idx).astype(np.int64)
    if kind == "DenseConnectome":
        return array(connectome.conn.argmax(2)).astype(np.int64)
    if kind == "TopKConnectome":
        return _likeliest(connectome.cand, connectome.conn)
    raise UnsupportedError(f"{lowering.name} has a {kind}, which does not select single inputs")


def _likeliest(candidates: Any, weights: Any) -> Index:
    """The candidate of the greatest weight, the first of equals."""
    chosen = array(weights.argmax(-1))[..., None]
    return np.asarray(np.take_along_axis(array(candidates).astype(np.int64), chosen, -1)[..., 0])


def _tables(node: Any, lowering: Lowering) -> npt.NDArray[np.bool_]:
    """Tables bool [neurons, 2^arity]: what the node's `forward_hard` gives for each combination; bit j is operand j."""
    _check_own(node, lowering)
    neurons, arity = int(node.out_dim), int(node.arity)
    if arity > MOST_INPUTS:
        raise UnsupportedError(f"{lowering.name} has nodes of {arity} inputs, expected at most {MOST_INPUTS}")
    device = next(node.parameters()).device
    rows = []
    for entry in range(1 << arity):  # one by one: a node of eight inputs makes 256 products of each
        bits = torch.tensor([entry >> place & 1 for place in range(arity)], dtype=torch.uint8, device=device)
        rows.append(array(node.forward_hard(bits.expand(1, neurons, arity)))[0] > 0)
    return np.stack(rows, 1)
