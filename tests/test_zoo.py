"""The zoo that comes with gatewright, and making one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright import data, zoo
from gatewright.errors import FormatError, OptionError
from gatewright.runs import publish
from gatewright.runs.results import Row
from gatewright.training.load import from_dict
from support.commands import gatewright

MOST_BYTES = 20_000_000
NAMES = zoo.names()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A zoo of one circuit, in use."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    for kind in ("json", "gw.xz"):
        shutil.copy(zoo.zoo_folder() / f"digits.{kind}", folder)
    monkeypatch.setenv("GATEWRIGHT_ZOO", str(folder))
    return folder


def test_it_is_small_and_complete():
    files = list(zoo.zoo_folder().iterdir())
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES
    assert {file.name for file in files} == {f"{name}.{kind}" for name in NAMES for kind in ("json", "gw.xz")}


LARGE = 400_000
"""Bytes of a file from which counting the circuit takes tens of seconds."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (zoo.card(name).bytes > LARGE)) for name in NAMES]
)
def test_cards_tell_the_truth(name):
    card, circuit = zoo.card(name), zoo.load_circuit(name)
    cost = gw.cost(circuit)
    entry = card.measured
    assert (card.name, card.data.name) == (name, entry.data)
    assert (cost.logic_ops, cost.total_ops, cost.depth) == (entry.logic_ops, entry.total_ops, entry.depth)
    assert (circuit.metadata["name"], circuit.metadata["seed"]) == (name, str(entry.seed))
    assert entry.seed in card.over_seeds.seeds
    assert entry.proof in {"abc", "sat", "structure"}
    assert card.data.licence == data.describe(card.data.name).licence
    config = from_dict(card.options)
    assert (config.train.seed, config.data.name) == (entry.seed, entry.data)
    assert entry.command == f"gatewright pareto --presets {name} --seeds {entry.seed}"


@pytest.mark.parametrize("name", NAMES)
def test_circuits_do_what_their_cards_say(name):
    card = zoo.card(name)
    if data.missing(card.data.name):
        pytest.skip(f"the data set {card.data.name} is not here")
    test = data.load_dataset(card.data.name).test
    assert np.mean(gw.load(name).predict(test.x) == test.y) == pytest.approx(card.measured.test)


def test_the_command_line_lists_shows_and_takes_names(tmp_path):
    listed = gatewright("zoo", "--json")
    assert [card["name"] for card in listed.json] == NAMES
    assert "licence of the data" in gatewright("zoo").out
    shown = gatewright("zoo", "digits", "--json").json
    assert zoo.Card.model_validate(shown) == zoo.card("digits")
    assert "gatewright pareto --presets digits" in gatewright("zoo", "digits").out
    assert gatewright("info", "digits", "--json").json["logic_ops"] == shown["measured"]["logic_ops"]
    assert gatewright("eval", "digits", "--dataset", "digits", "--json").json["accuracy"] == pytest.approx(
        shown["measured"]["test"]
    )


def test_unknown_names_are_explained(copy, tmp_path):
    with pytest.raises(OptionError, match="unknown file or circuit of the zoo 'digts'; did you mean 'digits'"):
        gw.load("digts")
    with pytest.raises(FileNotFoundError):
        gw.load("digts.gw")
    with pytest.raises(FileNotFoundError):
        gw.load(tmp_path / "digits")
    assert gatewright("zoo", "digts").code == 2
    (copy / "digits.json").unlink()
    with pytest.raises(OptionError, match="is empty"):
        gw.load("digits")


def test_damage_is_found(copy):
    file = copy / "digits.gw.xz"
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    with pytest.raises(FormatError, match=r"digits\.gw\.xz is not the circuit of its card: its sha256 is"):
        gw.load("digits")
    (copy / "digits.json").write_text("{}")
    with pytest.raises(FormatError, match=r"digits\.json is damaged"):
        zoo.card("digits")


def test_a_circuit_of_another_name_is_refused(copy):
    card, circuit = zoo.card("digits"), zoo.load_circuit("digits").replace(metadata={"name": "mnist-4k"})
    row = Row.of([card.measured])
    with pytest.raises(OptionError, match="the circuit of 'digits' says that it is 'mnist-4k'"):
        publish.add(circuit, card.measured, row, from_dict(card.options), copy)
    assert zoo.card("digits") == card


def test_a_file_of_that_name_comes_first(copy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    circuit = zoo.load_circuit("digits").replace(metadata={"mine": "yes"})
    gw.save_circuit(circuit, tmp_path / "digits")
    assert gw.load("digits").circuit.metadata["mine"] == "yes"


def test_an_installed_package_has_it_inside(tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "gatewright"
    monkeypatch.setattr(zoo, "__file__", str(package / "zoo.py"))
    assert zoo.zoo_folder() == package / "_zoo"
    shutil.copytree(Path(__file__).parents[1] / "zoo", package / "_zoo")
    assert zoo.names() == NAMES
    assert gw.load("digits").cost().logic_ops == zoo.card("digits").measured.logic_ops
