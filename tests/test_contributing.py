"""CONTRIBUTING.md is true: each of its examples adds a part from outside, and the part runs through."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

import gatewright as gw
from gatewright.data.catalogue import READERS
from support.circuits import random_circuit
from support.commands import gatewright

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## Add an? ([^\n]+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
CONFIG = """
data: {name: digits, encoder: {thresholds: 2, low: 0, high: 16}}
model:
  relaxation: hard
  candidates: 4
  layers: [{type: flatten}, {type: dense, width: 100}]
optimizer: {lr: 0.05}
train: {steps: 30, batch: 32, eval_every: 10}
"""


def lists():
    """All lists that the examples add to."""
    from gatewright.foreign import FILES
    from gatewright.formats import WRITERS
    from gatewright.hardware import TARGETS
    from gatewright.training.config import HEADS, LAYERS

    return [HEADS.sections, LAYERS.sections, WRITERS, FILES, READERS, TARGETS]


@pytest.fixture
def example():
    """Run the example of a section as a program of its own; its names. What it has added is removed after the test."""

    def run(section):
        (code,) = re.findall(r"^```python\n(.*?)^```$", SECTIONS[section], re.MULTILINE | re.DOTALL)
        names = {"__name__": "example"}
        exec(compile(code, f"CONTRIBUTING.md, {section}", "exec", dont_inherit=True), names)
        return names

    before = [(entries, set(entries)) for entries in lists()]
    yield run
    for entries, names in before:
        for name in set(entries) - names:
            del entries[name]


def trained(tmp_path, **changes):
    """Train and compile a small network by its config; the circuit is proven and checked against the network."""
    config = yaml.safe_load(CONFIG)
    for section, options in changes.items():
        config[section] |= options
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    done = gatewright("train", tmp_path / "config.yaml", "--out", tmp_path / "run", "--json")
    assert done.code == 0, done.err
    compiled = gatewright("compile", tmp_path / "run", "-o", tmp_path / "c.gw", "--json")
    assert compiled.code == 0, compiled.err
    assert compiled.json["proof"]["equal"] is True
    assert compiled.json["test_accuracy"] == done.json["test"]["hard"]
    return gw.load(tmp_path / "c.gw")


def test_every_section_has_a_test_and_an_example():
    tested = {"head", "layer", "gate-level pass", "export", "importer", "data set", "hardware target"}
    assert set(SECTIONS) == tested
    assert all(text.count("```python") == 1 for text in SECTIONS.values())


def test_the_files_exist():
    paths = set(re.findall(r"`((?:src|tests|docs|script)/[\w./-]*)`", TEXT))
    assert len(paths) > 15
    assert {path for path in paths if not (ROOT / path).exists()} == set()


def test_a_head(example, tmp_path):
    names = example("head")
    model = trained(tmp_path, model={"head": {"kind": "first-bits"}})
    assert model.circuit.head.n_classes == 10
    network = names["nn"].Sequential(gw.LogicDense(6, 8, candidates=4), names["FirstBits"](3))
    assert gw.load(network, in_shape=(6,)).prove().equal is True


def test_a_layer(example, tmp_path):
    example("layer")
    layers = [{"type": "flatten"}, {"type": "edges"}, {"type": "dense", "width": 100}]
    model = trained(tmp_path, model={"layers": layers})
    assert model.circuit.head.n_classes == 10


def test_a_gate_level_pass(example):
    convert = example("gate-level pass")["lower_operand_first"]
    for seed in range(20):
        circuit = random_circuit(seed)
        turned = convert(circuit)
        two = ~np.isin(turned.gate, (0, 15))
        assert (turned.a <= turned.b)[two].all()
        assert not turned.same_as(circuit)
        assert gw.prove(circuit, turned).equal is True


def test_an_export(example, tmp_path):
    example("export")
    circuit = random_circuit(1)
    (path,) = gw.export(circuit, "dot", tmp_path, name="net")
    assert path.read_text().count("label=") == circuit.n_gates
    done = gatewright("export", "digits", "--to", "dot", "-o", tmp_path, "--set", "name=digits", "--json")
    assert done.json == {"files": {"dot": [str(tmp_path / "digits.dot")]}}
    with pytest.raises(gw.GatewrightError, match="did you mean 'name'"):
        gw.export(circuit, "dot", tmp_path, nam="net")


def test_an_importer(example, tmp_path):
    example("importer")
    (tmp_path / "majority.tt").write_text("00010111\n")
    done = gatewright("import", tmp_path / "majority.tt", "-o", tmp_path / "majority.gw", "--json")
    assert done.code == 0, done.err
    assert done.json["logic_ops"] == 4


def test_a_data_set(example, tmp_path):
    example("data set")
    assert gatewright("data", "greater", "--json").json["title"] == "Which of two bytes is greater"
    assert "greater" in gatewright("data").out
    model = trained(tmp_path, data={"name": "greater", "encoder": {"thresholds": 7}})
    assert model.class_names == ("second", "first")
    done = gatewright("eval", tmp_path / "c.gw", "--dataset", "greater", "--json")
    assert done.json["accuracy"] > 0.6


def test_a_hardware_target(example):
    pytest.importorskip("pyosys")
    from gatewright.hardware import synth

    example("hardware target")
    circuit = random_circuit(5, classes=3)
    five, six = (synth(circuit, target).as_dict() for target in ("five", "generic"))
    assert (five["target"], five["table_inputs"]) == ("five", 5)
    assert five["luts"]["value"] >= six["luts"]["value"] > 0
    done = gatewright("synth", "monks-1", "--target", "five", "--json")
    assert done.code == 0, done.err
