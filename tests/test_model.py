"""`load` and `Model`: one object for a trained network, from wherever it comes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import gatewright as gw
from gatewright import zoo
from gatewright.circuit import Circuit, Head
from gatewright.errors import FormatError, OptionError, ShapeError, UnsupportedError
from support.circuits import random_circuit


@pytest.fixture
def network(generator):
    return nn.Sequential(
        gw.Thermometer.uniform(3, (4,), "uint8"),
        nn.Flatten(),
        gw.LogicDense(12, 40, candidates=4, relaxation="hard", generator=generator),
        gw.GroupSum(2),
    ).eval()


@pytest.fixture
def x(generator):
    return torch.randint(0, 256, (200, 4), generator=generator, dtype=torch.uint8)


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    from pathlib import Path

    from gatewright.runs.run import train
    from gatewright.training.load import load_preset

    folder = Path(tmp_path_factory.mktemp("runs")) / "tiny"
    train(load_preset("digits", ["train.steps=20", "train.eval_every=10"]), "tiny", folder)
    return folder


def test_a_torch_network(network, x):
    model = gw.load(network, class_names=("no", "yes"), feature_names=("a", "b", "c", "d"))
    scores = network(x)
    assert np.array_equal(model.predict(x), scores.argmax(1).numpy())
    assert np.allclose(model.scores(x), scores.detach().numpy())
    assert np.allclose(model.predict_proba(x), scores.softmax(1).detach().numpy(), atol=1e-6)
    assert model.class_names == ("no", "yes")
    assert model.circuit.encoder.feature_names == ("a", "b", "c", "d")
    assert model.network.n_gates == 40 > model.circuit.n_gates
    assert model.card is None


def test_a_network_of_boolean_inputs(generator):
    network = nn.Sequential(gw.LogicDense(6, 10, candidates=4, generator=generator), gw.GroupSum(2))
    model = gw.load(network, in_shape=(6,))
    bits = torch.rand(50, 6, generator=generator) < 0.5
    assert np.array_equal(model.predict(bits), network.eval()(bits.float()).argmax(1).numpy())
    assert model.prove().equal is True
    with pytest.raises(ShapeError, match="in_shape"):
        gw.load(network)


def test_modules_that_are_no_circuit_are_refused(network):
    with pytest.raises(UnsupportedError, match="Linear"):
        gw.load(nn.Sequential(*network[:3], nn.Linear(40, 2)))


def test_saved_and_loaded_it_is_the_same(network, x, tmp_path):
    model = gw.load(network)
    for name in ("m.gw", "m.gw.xz"):
        model.save(tmp_path / name)
        again = gw.load(tmp_path / name)
        assert again.circuit.same_as(model.circuit)
        assert np.array_equal(again.predict(x), model.predict(x))
        assert (again.name, again.network, again.card) == ("m", None, None)
    assert gw.load_circuit(tmp_path / "m.gw").same_as(model.circuit)


def test_a_circuit(network):
    circuit = gw.lower(network)
    assert gw.load(circuit).circuit is circuit


def test_cost_and_export_are_those_of_the_circuit(network, tmp_path):
    model = gw.load(network)
    assert model.cost() == gw.cost(model.circuit)
    files = model.export("blif", tmp_path / "out", name="net")
    assert [file.name for file in files] == ["net.blif"]
    with pytest.raises(OptionError, match="did you mean 'name'"):
        model.export("blif", tmp_path, nam="net")


def test_prove_takes_the_network_behind_the_circuit(network, tmp_path):
    model = gw.load(network)
    assert model.prove().equal is True
    assert model.prove(timeout=5).equal is True
    wrong = gw.Model(broken(model.circuit), network=model.network)
    proof = wrong.prove()
    assert proof.equal is False
    sample = proof.sample[None]
    assert not np.array_equal(gw.Engine(wrong.circuit).counts(sample), gw.Engine(model.network).counts(sample))


def broken(circuit):
    gate = circuit.gate.copy()
    gate[-1] ^= 15
    return circuit.replace(gate=gate)


def test_prove_against_another(network, tmp_path):
    model = gw.load(network)
    model.save(tmp_path / "m.gw")
    file = gw.load(tmp_path / "m.gw")
    for other in (network, model, model.circuit, tmp_path / "m.gw", str(tmp_path / "m.gw")):
        assert file.prove(other).equal is True
    gw.save_circuit(broken(model.circuit), tmp_path / "wrong.gw")
    assert gw.load(tmp_path / "wrong.gw").prove(network).equal is False
    with pytest.raises(OptionError, match="comes from a file, which holds a circuit but not the network"):
        file.prove()


def test_a_run(run):
    model = gw.load(run)
    assert model.name == "tiny"
    assert model.circuit.metadata["data"] == "digits"
    assert model.prove().equal is True
    assert gw.load(str(run)).circuit.same_as(model.circuit)
    with pytest.raises(FormatError, match="holds no run"):
        gw.load(run.parent)


def test_a_circuit_of_the_zoo():
    model = gw.load("monks-1")
    assert model.card == zoo.card("monks-1")
    assert model.cost().logic_ops == model.card.measured.logic_ops
    assert model.circuit.same_as(zoo.load_circuit("monks-1"))


def test_a_name_a_file_and_a_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "monks-1").symlink_to(run)
    assert gw.load("monks-1").card is not None
    assert gw.load("./monks-1").name == "tiny"
    (tmp_path / "mine").symlink_to(run)
    assert gw.load("mine").name == "tiny"
    gw.load(run).save(tmp_path / "monks-2")
    assert gw.load("monks-2").name == "monks-2"


@pytest.mark.parametrize("source", [3, None, [1], b"digits"])
def test_other_sources_are_refused(source):
    with pytest.raises(OptionError, match="expected a name in the zoo, a path, a torch network or a Circuit"):
        gw.load(source)


@pytest.mark.parametrize("option", [{"in_shape": (3,)}, {"class_names": ("a",)}, {"feature_names": ("a",)}])
def test_options_of_torch_networks_are_refused_elsewhere(option):
    with pytest.raises(OptionError, match="describe torch networks"):
        gw.load("monks-1", **option)


def test_its_texts_are_short_and_escaped():
    circuit = random_circuit(1, 10, 30, 6, classes=3)
    head = Head(circuit.head.group, circuit.head.offset, class_names=("<b>", "&", "c"))
    model = gw.Model(circuit.replace(head=head, metadata={"<i>": "<script>"}), name="<x>")
    assert repr(model) == "Model('<x>', uint8 (5,) -> 3 classes, 30 gates)"
    page = model._repr_html_()
    assert "<script>" not in page
    assert "<caption>&lt;x&gt;</caption>" in page
    assert "<th>&lt;i&gt;</th><td>&lt;script&gt;</td>" in page
    assert "<td>&lt;b&gt;, &amp;, c</td>" in page
    bare = gw.Model(Circuit(n_inputs=2, gate=[1], a=[0], b=[1], outputs=[2]))
    assert repr(bare) == "Model(2 bits -> 1 bits, 1 gates)"
    assert bare.class_names == ()


@pytest.mark.parametrize("source", ["digits", "file"])
def test_circuits_load_and_run_without_torch(source, tmp_path):
    if source == "file":
        source = tmp_path / "d.gw"
        gw.load("digits").save(source)
    code = (
        "import sys, numpy as np, gatewright as gw\n"
        f"model = gw.load({str(source)!r})\n"
        "model.predict(np.zeros((3, 1, 8, 8), np.uint8))\n"
        "print(model, model._repr_html_(), model.cost().logic_ops)\n"
        f"model.export('c', {str(tmp_path / 'c')!r})\n"
        "assert 'torch' not in sys.modules, 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
