"""State dicts that other libraries wrote (make_files.py says how), against the scores that they gave."""

from __future__ import annotations

import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

import gatewright as gw
from gatewright.circuit.evaluate import counts
from gatewright.errors import FormatError, OptionError, UnsupportedError
from support.commands import gatewright

FILES = Path(__file__).parent.parent / "data_files" / "foreign"
COMPLETE = ["difflogic", "torchlogix", "torchlogix-learned", "torch_dwn", "torch_dwn-learned", "compactlogic"]


def tensors(name):
    return torch.load(FILES / f"{name}.pt", weights_only=True)


@pytest.mark.parametrize("name", COMPLETE)
def test_files_give_the_scores_of_their_libraries(name):
    circuit = gw.import_network(FILES / f"{name}.pt", classes=3, tau=2.0, inputs=12)
    with np.load(FILES / "networks.npz") as saved:
        x, wanted = saved["x"] > 0, saved[name]
    got = counts(circuit, x)
    assert np.array_equal(got / circuit.head.tau, wanted)
    assert np.array_equal(got.argmax(1), wanted.argmax(1))
    assert (wanted.max(1) == np.sort(wanted)[:, 1]).any(), "no ties among the samples"
    small = gw.simplify(circuit)
    assert gw.prove(circuit, small).equal


@pytest.mark.parametrize("name", COMPLETE)
def test_safetensors_hold_the_same_network(name, tmp_path):
    # As layers 9 and 10, of which 10 comes first by name.
    renamed = {re.sub(r"^\d+", lambda m: str(9 + int(m[0])), key): value for key, value in tensors(name).items()}
    safetensors.torch.save_file({k: v.contiguous() for k, v in renamed.items()}, tmp_path / "n.safetensors")
    one = gw.import_network(FILES / f"{name}.pt", classes=3)
    two = gw.import_network(tmp_path / "n.safetensors", classes=3)
    assert gw.prove(one, two).equal


def test_what_is_missing_is_named_with_the_line_that_saves_it():
    with pytest.raises(UnsupportedError, match=r"layer '0' has weights but no wiring.*torch\.stack\(layer\.indices\)"):
        gw.import_network(FILES / "difflogic-without-wiring.pt")
    with pytest.raises(UnsupportedError, match=r"save the circuit where the network is.*import_network\(model\)"):
        gw.import_network(FILES / "torchlogix-warp.pt")


def test_other_networks_are_refused(tmp_path):
    path = tmp_path / "other.pt"
    torch.save(nn.Sequential(nn.Linear(4, 4)).state_dict(), path)
    with pytest.raises(UnsupportedError, match="bias, weight do not say what it computes"):
        gw.import_network(path)
    state = tensors("torchlogix")
    torch.save({**state, "0.bias": torch.zeros(3)}, path)
    with pytest.raises(UnsupportedError, match="do not say what it computes"):
        gw.import_network(path)
    torch.save({**state, "0.weight": state["0.weight"] * torch.nan}, path)
    with pytest.raises(UnsupportedError, match="NaN or infinite"):
        gw.import_network(path)
    torch.save({**state, "1.connections.indices": state["1.connections.indices"] + 10}, path)
    with pytest.raises(FormatError, match=r"reads input .* of 24"):
        gw.import_network(path)
    torch.save({**state, "1.connections.indices": state["1.connections.indices"][:, :5]}, path)
    with pytest.raises(UnsupportedError, match="tensors of shapes"):
        gw.import_network(path)
    torch.save({}, path)
    with pytest.raises(FormatError, match="no tensors"):
        gw.import_network(path)
    torch.save([1, 2], path)
    with pytest.raises(FormatError, match="no state dict"):
        gw.import_network(path)
    safetensors.torch.save_file(
        {"first.luts": torch.zeros(2, 4), "first.mapping": torch.zeros(2, 2)}, tmp_path / "n.safetensors"
    )
    with pytest.raises(UnsupportedError, match="which layer comes first"):
        gw.import_network(tmp_path / "n.safetensors")


class Harm:
    """Runs code when a careless reader loads it."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_files_that_would_run_code_are_refused_and_do_not(tmp_path):
    for suffix in (".pt", ".pth"):
        path = tmp_path / f"harm{suffix}"
        torch.save({"0.weights": Harm(tmp_path / "ran")}, path)
        with pytest.raises(UnsupportedError, match="could run code"):
            gw.import_network(path)
        path.write_bytes(pickle.dumps(Harm(tmp_path / "ran")))
        with pytest.raises((UnsupportedError, FormatError), match="harm"):
            gw.import_network(path)
    torch.save(nn.Sequential(nn.Linear(2, 2)), tmp_path / "whole.pt")
    with pytest.raises(UnsupportedError, match="objects of Python"):
        gw.import_network(tmp_path / "whole.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_truncated_files_are_refused_by_name(tmp_path, share):
    whole = (FILES / "torchlogix.pt").read_bytes()
    path = tmp_path / "cut.pt"
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises((FormatError, UnsupportedError), match=r"cut\.pt"):
        gw.import_network(path)


def test_options_out_of_range():
    with pytest.raises(OptionError, match="does not divide the 18 outputs"):
        gw.import_network(FILES / "torchlogix.pt", classes=4)
    with pytest.raises(OptionError, match="reads 12"):
        gw.import_network(FILES / "torchlogix.pt", inputs=3)
    assert gw.import_network(FILES / "torchlogix.pt", inputs=20).n_inputs == 20


def test_the_command(tmp_path):
    shutil.copy(FILES / "torch_dwn.pt", tmp_path)
    out = tmp_path / "out.gw"
    done = gatewright("import", tmp_path / "torch_dwn.pt", "-o", out, "--classes", 3, "--tau", 2, "--json")
    assert done.code == 0, done.err
    assert done.json["proof"]["equal"]
    assert gw.load(out).circuit.head.tau == 2
