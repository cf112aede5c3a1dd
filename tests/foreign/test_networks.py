"""Logic networks of other libraries, against those libraries' own evaluation.

No script installs these libraries: difflogic, torch_dwn and CompactLogic build code for GPUs, torchlogix needs Python 3.12.
So each test needs the Python files of its library on PYTHONPATH, as benchmarks/rivals.py says, and is skipped without them;
files that the libraries wrote are in every run (test_state_dicts.py). They were run with difflogic 0.1.0 (its Python path),
torchlogix 0.2.2, torch_dwn 1.1.1 and CompactLogic of May 2026 (with support/gpu_kernels.py); silogic: test_silogic.py.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import gatewright as gw
from gatewright.circuit.evaluate import counts, encode, evaluate
from gatewright.errors import OptionError, ShapeError, UnsupportedError
from support.gpu_kernels import state_compactlogic, state_torch_dwn

pytestmark = pytest.mark.slow


def files_of(name):
    needed = f"needs the Python files of {name.partition('.')[0]} on PYTHONPATH: benchmarks/rivals.py"
    return pytest.importorskip(name, reason=needed, exc_type=ImportError)


@pytest.fixture
def difflogic():
    return files_of("difflogic")


@pytest.fixture
def torchlogix():
    return files_of("torchlogix.layers")


def replacing(monkeypatch):
    return lambda thing, name, value: monkeypatch.setattr(thing, name, value, raising=False)


@pytest.fixture
def torch_dwn(monkeypatch):
    library = files_of("torch_dwn")
    state_torch_dwn(library, replacing(monkeypatch))
    return library


@pytest.fixture
def compactlogic(monkeypatch):
    library = files_of("compactlogic.compactlogic")
    state_compactlogic(library, replacing(monkeypatch))
    return library


def boolean(n, *shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).random((n, *shape)) < 0.5).float()


def check(model, x, **options):
    """The circuit's scores and classes are the library's, on every sample; its simplification is proven."""
    circuit = gw.import_network(model.eval(), **options)
    with torch.no_grad():
        wanted = np.asarray(model(x))
    bits = np.asarray(x).reshape(len(x), -1) > 0
    if circuit.encoder is not None:
        bits = encode(circuit, np.asarray(x))
    if circuit.head is None:
        assert np.array_equal(evaluate(circuit, bits), wanted.reshape(len(x), -1) > 0.5)
        return circuit
    got = counts(circuit, bits)
    assert np.array_equal((got / circuit.head.tau).astype(np.float32), wanted.astype(np.float32))
    assert np.array_equal(got.argmax(1), wanted.argmax(1))
    small = gw.simplify(circuit)
    assert np.array_equal(counts(small, bits), got)
    assert gw.prove(circuit, small).equal
    return circuit


def train(model, x, y, steps=30):
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def labelled(n, width):
    x = boolean(n, width, seed=3)
    return x, (x[:, 0] + x[:, 1] * x[:, 2]).long()


@pytest.mark.parametrize("trained", [False, True])
def test_difflogic(difflogic, trained, capsys):
    torch.manual_seed(0)
    layers = [difflogic.LogicLayer(a, b, device="cpu", implementation="python") for a, b in ((20, 90), (90, 60))]
    model = nn.Sequential(*layers, difflogic.GroupSum(3, tau=2.5))
    x, y = labelled(500, 20)
    if trained:
        train(model, x, y)
    with torch.no_grad():
        layers[0].weights[:5] = 0.0  # ties: the first gate
    circuit = check(model, x)
    assert circuit.metadata["imported"] == "difflogic"
    assert circuit.n_gates == 150


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize(
    ("parametrization", "rank"), [("raw", 2), ("warp", 2), ("warp", 4), ("warp", 6), ("light", 2), ("light", 4)]
)
@pytest.mark.parametrize("connections", ["fixed", "learnable"])
def test_torchlogix_dense(torchlogix, parametrization, rank, connections, trained):
    torch.manual_seed(0)
    options = {"parametrization": parametrization, "lut_rank": rank, "connections": connections}
    layers = [
        torchlogix.LogicDense(
            a, b, **options, parametrization_kwargs={"weight_init": "random"}, connections_kwargs={"num_candidates": 4}
        )
        if connections == "learnable"
        else torchlogix.LogicDense(a, b, **options, parametrization_kwargs={"weight_init": "random"})
        for a, b in ((24, 60), (60, 30))
    ]
    model = nn.Sequential(*layers, torchlogix.GroupSum(3, tau=2.0))
    x, y = labelled(400, 24)
    if trained:
        train(model, x, y, 10)
    with torch.no_grad():
        layers[0].weight[:5] = 0.0  # ties
    check(model, x)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_torchlogix_convolutions(torchlogix, depth, padding):
    torch.manual_seed(0)
    conv = torchlogix.LogicConv2d(
        in_dim=6, channels=2, num_kernels=8, tree_depth=depth, receptive_field_size=3, padding=padding, stride=1,
        parametrization_kwargs={"weight_init": "random"},
    )  # fmt: skip
    side = 6 + 2 * padding - 2
    pool = torchlogix.OrPooling2d(kernel_size=2, stride=2)
    width = 8 * (side // 2) ** 2
    last = torchlogix.LogicDense(width, width, parametrization_kwargs={"weight_init": "random"})
    model = nn.Sequential(conv, pool, nn.Flatten(), last, torchlogix.GroupSum(2))
    check(model, boolean(200, 2, 6, 6))


def test_torchlogix_convolutions_of_rank_4(torchlogix):
    torch.manual_seed(0)
    conv = torchlogix.LogicConv2d(
        in_dim=5, channels=3, num_kernels=4, tree_depth=2, receptive_field_size=2, lut_rank=4, parametrization="warp",
        parametrization_kwargs={"weight_init": "random"},
    )  # fmt: skip
    check(nn.Sequential(conv, nn.Flatten(), torchlogix.GroupSum(4)), boolean(200, 3, 5, 5), shape=(3, 5, 5))


@pytest.mark.parametrize("kind", ["FixedBinarization", "SoftBinarization", "LearnableBinarization"])
def test_torchlogix_thermometers(torchlogix, kind):
    torch.manual_seed(0)
    thresholds = torch.tensor([[0.0, 1.0, 2.0]] * 8).cumsum(0) / 4
    model = nn.Sequential(getattr(torchlogix, kind)(thresholds), torchlogix.LogicDense(24, 30), torchlogix.GroupSum(3))
    x = torch.randint(-2, 12, (300, 8)) / 4  # samples lie on thresholds
    check(model, x)
    check(nn.Sequential(model[0]), x)


@pytest.mark.parametrize("per_channel", [False, True])
def test_torchlogix_thermometers_of_images(torchlogix, per_channel):
    torch.manual_seed(0)
    thresholds = torch.tensor([[0.25, 0.5], [0.1, 0.75], [0.3, 0.9]]) if per_channel else torch.tensor([0.25, 0.5])
    model = nn.Sequential(
        torchlogix.FixedBinarization(thresholds, feature_dim=1),
        torchlogix.LogicConv2d(in_dim=4, channels=6, num_kernels=6, tree_depth=2, receptive_field_size=2),
        nn.Flatten(),
        torchlogix.GroupSum(3),
    )
    x = torch.randint(0, 21, (200, 3, 4, 4)) / 20
    check(model, x, shape=(3, 4, 4))
    check(nn.Sequential(model[0]), x, shape=(3, 4, 4))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 6, 8])
@pytest.mark.parametrize("mapping", ["random", "learnable"])
def test_dwn(torch_dwn, n, mapping):
    torch.manual_seed(0)
    model = nn.Sequential(
        torch_dwn.LUTLayer(24, 40, n, mapping=mapping),
        torch_dwn.LUTLayer(40, 31, n),
        torch_dwn.GroupSum(3, tau=1.5, randperm=31),
    )
    with torch.no_grad():
        model[0].luts[:3] = 0.0  # ties: not above 0
    check(model, boolean(300, 24))


def test_dwn_with_its_thermometer(torch_dwn):
    torch.manual_seed(0)
    x = torch.randint(-3, 4, (200, 5)) / 2
    thermometer = torch_dwn.DistributiveThermometer(4).fit(x)
    model = nn.Sequential(torch_dwn.LUTLayer(20, 30, 3), torch_dwn.GroupSum(2)).eval()
    circuit = gw.import_network(model, thermometer=thermometer)
    with torch.no_grad():
        wanted = model(thermometer.binarize(x).flatten(start_dim=1))
    assert np.array_equal(counts(circuit, encode(circuit, np.asarray(x))), np.asarray(wanted))


def test_dwn_without_bits_is_refused(torch_dwn):
    with pytest.raises(UnsupportedError, match="ste=False"):
        gw.import_network(nn.Sequential(torch_dwn.LUTLayer(8, 8, 2, ste=False)))


def test_compactlogic(compactlogic):
    torch.manual_seed(0)
    layers = [compactlogic.LogicLayer(20, 60, num_gates=8), compactlogic.LogicLayer(60, 61, num_gates=8)]
    layers[0].resample_connections(torch.arange(30), threshold_high=0.2, threshold_low=0.15)
    layers[1].freeze()
    with torch.no_grad():
        layers[0].weights[:5] = 0.0  # ties
    check(nn.Sequential(*layers, compactlogic.GroupSum(3, tau=2.0)), boolean(300, 20))


@pytest.mark.parametrize(("padding", "stride", "channels"), [(0, 1, 0), (1, 2, 1), (1, 1, 2)])
def test_compactlogic_convolutions(compactlogic, padding, stride, channels):
    torch.manual_seed(0)
    conv = compactlogic.ConvLayer((4, 6, 6), padding, 8, 3, stride, channels, num_gates=16)
    width = int(conv.out_dim)
    model = nn.Sequential(
        conv, nn.Flatten(), compactlogic.LogicLayer(width, width, num_gates=16), compactlogic.GroupSum(5)
    )
    check(model, boolean(100, 4, 6, 6))


def test_half_a_million_gates_are_imported_in_seconds(difflogic):
    import time

    torch.manual_seed(0)
    sizes = [(1000, 100_000), *[(100_000, 100_000)] * 4]
    layers = [difflogic.LogicLayer(a, b, device="cpu", implementation="python") for a, b in sizes]
    begin = time.process_time()
    circuit = gw.import_network(nn.Sequential(*layers, difflogic.GroupSum(10)))
    assert circuit.n_gates == 500_000
    assert time.process_time() - begin < 10


def test_options(difflogic):
    model = nn.Sequential(difflogic.LogicLayer(8, 8, device="cpu"), difflogic.GroupSum(3))
    with pytest.raises(ShapeError, match="do not divide into 3 classes"):
        gw.import_network(model)
    with pytest.raises(ShapeError, match="expects 8 bits, got"):
        gw.import_network(model, shape=(9,))
    with pytest.raises(OptionError, match=r"expected \[\*shape, bits\]"):
        gw.import_network(model, thermometer=[1.0])
