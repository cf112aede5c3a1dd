"""Networks of silogic, against the library's own `forward_hard`.

Its Python files are needed on PYTHONPATH, as benchmarks/imports.py says (tested: commit fd05b0d, 0.1.0).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import gatewright as gw
from gatewright.circuit.evaluate import counts, encode, evaluate
from gatewright.errors import ShapeError, UnsupportedError

pytestmark = pytest.mark.slow

NODES = ["gate16", "walsh", "multilinear", "hybrid", "linear", "polynomial"]


@pytest.fixture
def silogic():
    return pytest.importorskip(
        "silogic", reason="needs the Python files of silogic on PYTHONPATH", exc_type=ImportError
    )


def boolean(n, *shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((n, *shape)) < 0.5).float()


def check(model, x, **options):
    """The circuit's counts and classes are the library's on every sample, and its simplification is proven."""
    circuit = gw.import_network(model.eval(), **options)
    wanted = np.asarray(model.forward_hard(x))
    bits = np.asarray(x).reshape(len(x), -1) > 0
    if circuit.head is None:
        assert np.array_equal(evaluate(circuit, bits), wanted.reshape(len(x), -1) > 0)
        return circuit
    got = counts(circuit, bits)
    assert np.array_equal(got, wanted.astype(int))
    small = gw.simplify(circuit)
    assert np.array_equal(counts(small, bits), got)
    assert gw.prove(circuit, small).equal
    assert circuit.metadata["imported"] == "silogic"
    return circuit


def train(model, x, y, steps=20):
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model.train()(x), y).backward()
        optimizer.step()
    return model


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("arity", [2, 4])
@pytest.mark.parametrize("node", NODES)
def test_dense_networks(silogic, node, arity, trained):
    torch.manual_seed(arity)
    model = silogic.LogicNet(20, 60, 2, 3, node=node, arity=arity, k=5, tau=7.0, wire_residual=0.2 * trained)
    x = boolean(300, 20, seed=3)
    if trained:
        train(model, x, (x[:, 0] + x[:, 1] * x[:, 2]).long())
    circuit = check(model, boolean(2000, 20))
    assert circuit.head.tau == 7.0


@pytest.mark.parametrize("kind", ["fixed", "dense", "topk", "blocktopk"])
def test_connectomes(silogic, kind):
    torch.manual_seed(1)
    check(silogic.LogicNet(300, 40, 2, 4, node="multilinear", arity=3, connectome=kind), boolean(500, 300))


def test_presets_and_single_layers(silogic):
    torch.manual_seed(2)
    x = boolean(500, 24)
    for model in (
        silogic.WARPNet(24, 30, 2),
        silogic.WARPNetN(24, 30, 1, arity=6),
        silogic.LUTkNet(24, 30, 2),
        silogic.LUTNodeNet(24, 30, 2, relaxation="linear"),
    ):
        check(model, x)
    layers = nn.Sequential(silogic.WARPLayer(24, 30), silogic.LUTkLayer(30, 20), silogic.LUTNodeLayer(20, 12, arity=8))
    circuit = gw.import_network(layers)
    wanted = x
    for layer in layers:
        wanted = layer.forward_hard(wanted)
    assert np.array_equal(evaluate(circuit, np.asarray(x) > 0), np.asarray(wanted) > 0)


@pytest.mark.parametrize("decoder", ["groupsum", "ternary"])
def test_heads(silogic, decoder):
    torch.manual_seed(3)
    model = silogic.LogicNet(20, 60, 2, 3, decoder=decoder)
    if decoder == "ternary":
        nn.init.normal_(model.head.dec_w)
    check(model, boolean(1000, 20))


@pytest.mark.parametrize("wire", [0.0, 0.5])
@pytest.mark.parametrize("connect", ["topk", "fixed"])
@pytest.mark.parametrize("node", NODES)
def test_convolutional_networks(silogic, node, connect, wire):
    torch.manual_seed(4)
    model = silogic.LogicConvNet(
        3,
        9,
        [4, 6],
        head_width=30,
        num_classes=3,
        node=node,
        arity=3,
        connect=connect,
        residual_init=False,
        wire_residual=wire,
    )
    check(model, boolean(200, 3, 9, 9), shape=(3, 9, 9))


@pytest.mark.parametrize(("padding", "stride", "depth", "kernel"), [(0, 1, 3, 3), (2, 2, 1, 5), (1, 3, 2, 2)])
def test_convolutions(silogic, padding, stride, depth, kernel):
    conv = silogic.ConvLogicTree(
        2, 5, kernel=kernel, tree_depth=depth, stride=stride, padding=padding, residual_init=False
    )
    check(conv, boolean(300, 2, 8, 7), shape=(2, 8, 7))


def test_learned_thermometer(silogic):
    torch.manual_seed(5)
    encoder = silogic.LearnedThermometerEncoder(6, 3)
    nn.init.normal_(encoder.thresholds)
    net = silogic.LogicNet(18, 30, 1, 3)
    x = torch.randn(500, 6)
    x[:3] = encoder.thresholds.detach().T
    circuit = gw.import_network(nn.Sequential(encoder, net))
    wanted = np.asarray(net.forward_hard(encoder.forward_hard(x)))
    assert np.array_equal(counts(circuit, encode(circuit, np.asarray(x))), wanted.astype(int))


def test_what_is_no_circuit_is_refused(silogic, tmp_path):
    with pytest.raises(UnsupportedError, match="SumThresholdConnectome"):
        gw.import_network(silogic.LogicNet(20, 30, 1, 3, connectome="stw"))
    with pytest.raises(UnsupportedError, match="'linear'"):
        gw.import_network(silogic.LogicNet(20, 30, 1, 3, decoder="linear"))
    with pytest.raises(UnsupportedError, match="9 inputs"):
        gw.import_network(silogic.LogicNet(20, 30, 1, 3, node="linear", arity=9))
    with pytest.raises(ShapeError, match="pass shape"):
        gw.import_network(silogic.LogicConvNet(2, 8, [4], head_width=30))

    class Mine(silogic.LogicNet):
        def _run(self, x, hard):
            return 1 - super()._run(x, hard)

    with pytest.raises(UnsupportedError, match="Mine"):
        gw.import_network(Mine(20, 30, 1, 3))
    net = silogic.LogicNet(20, 30, 1, 3)
    torch.save(net.state_dict(), tmp_path / "net.pt")
    with pytest.raises(UnsupportedError, match="save_circuit"):
        gw.import_network(tmp_path / "net.pt", classes=3)
