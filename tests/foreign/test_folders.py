"""State dicts with a thermometer in front, given as options, as a file, or by the folder they lie in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import gatewright as gw
from gatewright.circuit.evaluate import counts
from gatewright.errors import DataError, FormatError, OptionError, UnsupportedError
from support.circuits import random_circuit
from support.commands import gatewright

FILES = Path(__file__).parent.parent / "data_files" / "foreign"
THRESHOLDS = np.array([[0.5, 1.5, 2.5], [-1, 0, 1], [10, 20, 30], [0, 0, 5]])
NETWORK = FILES / "torchlogix.pt"


@pytest.fixture
def x():
    return np.random.default_rng(0).integers(-3, 40, (300, 4)).astype(np.float32) / 2


@pytest.fixture
def wanted(x):
    """Scores of the library's network on the bits of a thermometer, as the README of torch_dwn has them."""
    bits = (x[:, :, None] > THRESHOLDS).reshape(len(x), -1)
    return counts(gw.import_network(NETWORK, classes=3), bits)


def scores(circuit, x):
    return gw.Engine(circuit).scores(x) * circuit.head.tau


def test_thresholds_as_array_object_and_file(tmp_path, x, wanted):
    np.save(tmp_path / "t.npy", THRESHOLDS)
    (tmp_path / "t.json").write_text(json.dumps(THRESHOLDS.tolist()))

    class Fitted:
        thresholds = THRESHOLDS

    given = [THRESHOLDS, Fitted(), tmp_path / "t.npy", str(tmp_path / "t.json")]
    for thermometer in given:
        circuit = gw.import_network(NETWORK, classes=3, thermometer=thermometer, feature_names=("a", "b", "c", "d"))
        assert (scores(circuit, x) == wanted).all()
        assert circuit.encoder.feature_names == ("a", "b", "c", "d")


def test_one_set_of_thresholds_for_all_features(x):
    circuit = gw.import_network(NETWORK, classes=3, thermometer=[[0.5, 1.5, 2.5]], shape=(2, 2))
    again = gw.import_network(NETWORK, classes=3, thermometer=np.tile([0.5, 1.5, 2.5], (2, 2, 1)))
    assert circuit.encoder.shape == (2, 2)
    assert gw.prove(circuit, again).equal
    assert (scores(circuit, x.reshape(-1, 2, 2)) == scores(again, x.reshape(-1, 2, 2))).all()


def folder_of(path, **described):
    path.mkdir(exist_ok=True)
    shutil.copy(NETWORK, path)
    np.save(path / "t.npy", THRESHOLDS)
    (path / "network.json").write_text(json.dumps({"classes": 3, "thermometer": "t.npy", **described}))
    return path


def test_a_folder_says_what_its_state_dict_does_not(tmp_path, x, wanted):
    folder = folder_of(tmp_path / "network", class_names=["r", "g", "b"], tau=2.0)
    circuit = gw.import_network(folder)
    assert circuit.head.class_names == ("r", "g", "b")
    assert circuit.head.tau == 2
    assert (scores(circuit, x) == wanted).all()
    assert gw.import_network(folder, tau=3.0).head.tau == 3
    bare = gw.import_network(folder_of(tmp_path / "bare", thermometer=THRESHOLDS.tolist()))
    assert gw.prove(circuit, bare).equal


def test_a_folder_with_a_netlist_and_its_circuit(tmp_path):
    circuit = random_circuit(3, n_inputs=12, n_gates=50, n_outputs=12, classes=3)
    gw.export(circuit, "blif", tmp_path)
    gw.save_circuit(circuit, tmp_path / "origin.gw")
    assert gw.import_network(tmp_path).encoder is None
    (tmp_path / "network.json").write_text('{"like": "origin.gw"}')
    assert gw.prove(circuit, gw.import_network(tmp_path)).equal


def test_folders_that_say_too_little_or_too_much(tmp_path):
    with pytest.raises(OptionError, match=r"holds no file of a foreign network.*gatewright compile"):
        gw.import_network(tmp_path)
    folder = folder_of(tmp_path / "network")
    shutil.copy(NETWORK, folder / "other.pth")
    with pytest.raises(OptionError, match=r"holds other\.pth, torchlogix\.pt; expected one file"):
        gw.import_network(folder)
    for described, error, message in [
        ({"clases": 3}, FormatError, "clases: extra inputs are not permitted"),
        ({"classes": "3"}, FormatError, "classes: input should be a valid integer"),
        ({"thermometer": "../t.npy"}, UnsupportedError, r"'\.\./t\.npy', expected a file of the same folder"),
        ({"thermometer": "missing.npy"}, DataError, "missing"),
        ({"quantize": 3}, OptionError, r"unknown option for \.pt files 'quantize'"),
    ]:
        with pytest.raises(error, match=message):
            gw.import_network(folder_of(tmp_path / "next", **described))
    (folder / "other.pth").unlink()
    (folder / "network.json").write_text("[1]")
    with pytest.raises(FormatError, match=r"network\.json: the file: .*expected a JSON object"):
        gw.import_network(folder)
    (folder / "network.json").write_text('{"classes": ')
    with pytest.raises(FormatError, match=r"network\.json"):
        gw.import_network(folder)


def test_thermometers_that_do_not_fit(tmp_path):
    for name, content in (
        ("a.npy", b"\x93NUMPY"),
        ("b.json", b"[1, "),
        ("c.json", b'["x"]'),
        ("d.json", b"[[1], [2, 3]]"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match=name):
            gw.import_network(NETWORK, thermometer=tmp_path / name)
    np.save(tmp_path / "code.npy", np.array([Path], object), allow_pickle=True)
    with pytest.raises(FormatError, match=r"code\.npy"):
        gw.import_network(NETWORK, thermometer=tmp_path / "code.npy")
    with pytest.raises(OptionError, match=r"suffix '\.txt'"):
        gw.import_network(NETWORK, thermometer=tmp_path / "t.txt")
    with pytest.raises(OptionError, match=r"have shape \(3,\)"):
        gw.import_network(NETWORK, thermometer=[1.0, 2.0, 3.0])
    with pytest.raises(OptionError, match="inputs is 20, but the thermometer makes 12"):
        gw.import_network(NETWORK, thermometer=THRESHOLDS, inputs=20)
    with pytest.raises(OptionError, match=r"inputs is 9, but the first layer .* reads 12"):
        gw.import_network(NETWORK, thermometer=THRESHOLDS[:3])
    with pytest.raises(OptionError, match="give a thermometer"):
        gw.import_network(NETWORK, shape=(4,))
    with pytest.raises(OptionError, match="no classes"):
        gw.import_network(NETWORK, class_names=("a", "b"))
    with pytest.raises(UnsupportedError, match="NaN or infinite"):
        gw.import_network(NETWORK, thermometer=THRESHOLDS * np.nan)


def test_the_commands(tmp_path, x, wanted):
    folder = folder_of(tmp_path / "network")
    done = gatewright("import", folder, "-o", tmp_path / "one.gw", "--json")
    assert done.code == 0, done.err
    assert done.json["proof"]["equal"]
    done = gatewright(
        "import", NETWORK, "-o", tmp_path / "two.gw", "--classes", 3, "--thermometer", folder / "t.npy", "--json"
    )
    assert done.code == 0, done.err
    for name in ("one.gw", "two.gw"):
        assert (scores(gw.load_circuit(tmp_path / name), x) == wanted).all()
