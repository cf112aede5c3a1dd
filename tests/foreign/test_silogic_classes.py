"""Networks of silogic from classes that stand in for its own, which are in no script's reach: test_silogic.py has those."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import gatewright as gw
from gatewright.circuit.evaluate import counts
from gatewright.errors import ShapeError, UnsupportedError


def silogic(name, **members):
    """A class that says it is the library's."""
    return type(name, (nn.Module,), {"__module__": "silogic.layers", **members})


def made(kind, /, **values):
    thing = kind()
    for name, value in values.items():
        setattr(thing, name, value)
    return thing


def tables_at(node, operands):
    """`MultilinearNode.forward_hard`: operand j is bit j of the entry's number."""
    entry = (operands.long() << torch.arange(node.arity)).sum(2)
    return (node.logits > 0)[torch.arange(node.out_dim), entry].to(torch.uint8)


Node = silogic("MultilinearNode", forward_hard=tables_at)
Wires = silogic("TopKConnectome")
Dense = silogic("LogicLayer")
Conv = silogic("ConvLogicTree")
Pool = silogic("OrPool")
Decoder = silogic("LearnedDecoder", forward_hard=lambda head, x: x @ head.dec_w.round().T)
ConvNet = silogic("LogicConvNet")


def normal(*shape):
    return nn.Parameter(torch.randn(*shape))


def dense(inputs, neurons, arity):
    wires = made(Wires, cand=torch.randint(inputs, (neurons, arity, 4)), conn=normal(neurons, arity, 4))
    node = made(Node, out_dim=neurons, arity=arity, logits=normal(neurons, 1 << arity))
    return made(Dense, in_dim=inputs, _conn=wires, node=node)


def dense_at(layer, x):
    chosen = torch.take_along_dim(layer._conn.cand, layer._conn.conn.argmax(2, keepdim=True), 2)[..., 0]
    return tables_at(layer.node, x[:, chosen])


@pytest.fixture
def net():
    """A convolution of 4 trees of three gates on images of 2 x 5 x 6, pooled by two; 12 tables of three; signed counts."""
    torch.manual_seed(0)
    levels = nn.ParameterList([normal(4, 2, 16), normal(4, 1, 16)])
    conv = made(
        Conv, cin=2, n=4, kh=3, padding=1, stride=1, connect="topk", leaf_cand=torch.randint(18, (4, 4, 5)),
        conn=normal(4, 4, 5), node_name="gate16", node_arity=2, gate_logits=levels,
    )  # fmt: skip
    head = made(Decoder, kind="ternary", dec_w=nn.Parameter(torch.randint(-1, 2, (3, 12)).float()))
    blocks = nn.ModuleList([conv, made(Pool, size=2)])
    return made(ConvNet, blocks=blocks, wire_residual=0.25, head_layers=nn.ModuleList([dense(24, 12, 3)]), head=head)


def test_counts_are_those_of_the_library(net):
    conv, x = net.blocks[0], torch.randint(0, 2, (300, 2, 5, 6))
    leaf = torch.take_along_dim(conv.leaf_cand, conv.conn.argmax(2, keepdim=True), 2)[..., 0]
    values = nn.functional.unfold(x.float(), 3, padding=1).long()[:, leaf]
    for level in conv.gate_logits:
        a, b = values[:, :, 0::2], values[:, :, 1::2]
        values = level.argmax(2)[..., None] >> (3 - 2 * a - b) & 1
    y = values[:, :, 0].reshape(-1, 4, 5, 6)
    y[:, :1] = x[:, :1]
    y = nn.functional.max_pool2d(y.float(), 2).flatten(1).long()
    wanted = net.head.forward_hard(dense_at(net.head_layers[0], y).float())

    circuit = gw.import_network(net, shape=(2, 5, 6))
    got = counts(circuit, x.reshape(300, -1).numpy() > 0)
    assert np.array_equal(got, wanted.detach().numpy().astype(int))
    assert (got < 0).any()
    assert circuit.metadata["imported"] == "silogic"


def test_what_is_no_circuit_is_refused(net):
    with pytest.raises(ShapeError, match="pass shape"):
        gw.import_network(net)
    with pytest.raises(ShapeError, match=r"expects \(2, H, W\)"):
        gw.import_network(net, shape=(3, 5, 6))
    net.head.kind = "linear"
    with pytest.raises(UnsupportedError, match="'linear', which weighs bits by fractions"):
        gw.import_network(net, shape=(2, 5, 6))
    layer = dense(8, 4, 2)
    type(layer._conn).__name__ = "SumThresholdConnectome"
    try:
        with pytest.raises(UnsupportedError, match="SumThresholdConnectome"):
            gw.import_network(layer)
    finally:
        type(layer._conn).__name__ = "TopKConnectome"
    layer.node.arity = 9
    with pytest.raises(UnsupportedError, match="nodes of 9 inputs"):
        gw.import_network(layer)

    class Mine(Dense):
        """It may compute anything."""

    with pytest.raises(UnsupportedError, match="Mine, expected a class of silogic"):
        gw.import_network(made(Mine, in_dim=8))
