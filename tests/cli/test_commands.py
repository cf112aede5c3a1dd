"""Every command, end to end on a tiny run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import yaml
from rich.errors import MarkupError
from rich.text import Text

from gatewright import data
from gatewright.circuit import load_circuit, save_circuit
from gatewright.engine import Engine
from gatewright.gates import Gate
from support.commands import gatewright, seconds


def test_train_writes_its_result_to_stdout_and_to_the_run(tiny):
    result = tiny.trained.json
    assert tiny.trained.err == ""
    assert result.pop("run") == str(tiny.run)
    assert result == json.loads((tiny.run / "result.json").read_text())
    assert result["name"] == "tiny"
    assert result["test"]["hard"] > 0.2


def test_train_for_people_and_with_overrides(tiny, tmp_path):
    done = gatewright(
        "train", tiny.config, "--out", tmp_path / "r", "--steps", 12, "--seed", 9, "--device", "cpu",
        "--set", "train.batch=16", "--set", "train.eval_every=6",
    )  # fmt: skip
    assert done.code == 0
    assert "test accuracy" in done.out
    assert "tiny: step 6 of 12, loss" in done.err
    train = yaml.safe_load((tmp_path / "r" / "config.yaml").read_text())["train"]
    assert (train["steps"], train["seed"], train["batch"], train["device"]) == (12, 9, 16, "cpu")


def test_training_again_needs_resume(tiny):
    refused = gatewright("train", tiny.config, "--out", tiny.run)
    assert refused.code == 2
    assert "holds a run already; resume it with --resume" in refused.err
    again = gatewright("train", tiny.run, "--resume", "--json")
    assert again.code == 0
    assert again.json == tiny.trained.json


def test_compile_proves_and_checks(tiny):
    about = tiny.compiled.json
    assert tiny.compiled.err == ""
    assert about["file"] == str(tiny.circuit)
    assert about["proof"]["equal"] is True
    assert about["checked_samples"] == data.describe("digits").test
    assert about["test_accuracy"] == tiny.trained.json["test"]["hard"]
    assert about["logic_ops"] == tiny.trained.json["logic_ops"]
    assert about["total_ops"] == about["logic_ops"] + about["encoder_ops"] + about["head_ops"]
    assert about["passes"][0]["gates_before"] == 100
    metadata = load_circuit(tiny.circuit).metadata
    assert metadata["checked_samples"] == "364"
    assert metadata["proof"] == about["proof"]["method"]


def test_compile_without_proof(tiny, tmp_path):
    done = gatewright("compile", tiny.run, "-o", tmp_path / "c.gw", "--no-proof")
    assert done.code == 0
    assert "skipped" in done.out
    assert load_circuit(tmp_path / "c.gw").metadata["proof"] == "none"


def test_a_circuit_that_differs_from_its_network_is_refused(tiny, tmp_path, monkeypatch):
    from gatewright.runs import compile as module

    def broken(circuit, **options):
        simple, records = original(circuit, **options)
        gate = simple.gate.copy()
        gate[-1] ^= 15
        return simple.replace(gate=gate), records

    original = module.simplify
    monkeypatch.setattr(module, "simplify", broken)
    proven = gatewright("compile", tiny.run, "-o", tmp_path / "c.gw")
    assert proven.code == 2
    assert "differ" in proven.err
    checked = gatewright("compile", tiny.run, "-o", tmp_path / "c.gw", "--no-proof")
    assert checked.code == 2
    assert "the circuit differs from the network on" in checked.err
    assert not (tmp_path / "c.gw").exists()


def test_info(tiny):
    about = gatewright("info", tiny.circuit, "--json").json
    assert about["encoder"] == {"shape": [1, 8, 8], "dtype": "uint8", "bits": about["inputs"]}
    assert about["head"]["class_names"] == list("0123456789")
    assert about["metadata"]["data"] == "digits"
    shown = gatewright("info", tiny.circuit)
    assert shown.code == 0
    assert "logic ops" in shown.out


@pytest.mark.parametrize("split", ["test", "validation", "train"])
def test_eval_counts_what_the_engine_gets_right(tiny, split):
    done = gatewright("eval", tiny.circuit, "--dataset", "digits", "--split", split, "--json").json
    part = data.load_dataset("digits").split(split)
    right = int((Engine(load_circuit(tiny.circuit)).predict(part.x) == part.y).sum())
    assert (done["samples"], done["correct"]) == (len(part), right)
    assert done["accuracy"] == right / len(part)
    assert set(done["classes"]) == set("0123456789")
    assert [c["samples"] for c in done["classes"].values()] == np.bincount(part.y, minlength=10).tolist()
    assert np.trace(done["confusion"]) == right


def test_eval_of_other_data_says_why_not(tiny):
    done = gatewright("eval", tiny.circuit, "--dataset", "digits", "--split", "tset")
    assert done.code == 2
    assert "unknown split 'tset'; did you mean 'test'?" in done.err


def test_predict(tiny, tmp_path):
    x = data.load_dataset("digits").test.x[:50]
    np.save(tmp_path / "in.npy", x)
    engine = Engine(load_circuit(tiny.circuit))
    done = gatewright("predict", tiny.circuit, tmp_path / "in.npy", "-o", tmp_path / "out.npy", "--json")
    assert done.json == {"file": str(tmp_path / "out.npy"), "samples": 50, "dtype": "int64", "shape": [50]}
    assert np.array_equal(np.load(tmp_path / "out.npy"), engine.predict(x))
    gatewright("predict", tiny.circuit, tmp_path / "in.npy", "-o", tmp_path / "scores.npy", "--scores")
    assert np.array_equal(np.load(tmp_path / "scores.npy"), engine.scores(x))
    gatewright("predict", tiny.circuit, tmp_path / "in.npy", "-o", tmp_path / "shares.npy", "--probabilities")
    assert np.array_equal(np.load(tmp_path / "shares.npy"), engine.predict_proba(x))
    both = gatewright(
        "predict", tiny.circuit, tmp_path / "in.npy", "-o", tmp_path / "no.npy", "--probabilities", "--scores"
    )
    assert both.code == 2
    assert "exclude each other" in both.err


def bad_inputs(folder):
    np.save(folder / "shape.npy", np.zeros((3, 1, 7, 7), np.uint8))
    np.save(folder / "dtype.npy", np.zeros((3, 1, 8, 8), np.float32))
    np.save(folder / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(folder / "several.npz", a=np.zeros(3))
    (folder / "text.npy").write_text("hello")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("shape.npy", "expected (n, 1, 8, 8)"),
        ("dtype.npy", "uint8"),
        ("object.npy", "is not a NumPy .npy file of numbers, or is damaged"),
        ("several.npz", "is not a NumPy .npy file of numbers, or is damaged"),
        ("text.npy", "is not a NumPy .npy file of numbers, or is damaged"),
        ("nowhere.npy", "No such file or directory"),
    ],
)
def test_bad_samples_are_named(tiny, tmp_path, name, message):
    bad_inputs(tmp_path)
    done = gatewright("predict", tiny.circuit, tmp_path / name, "-o", tmp_path / "out.npy")
    assert done.code == 2
    assert name in done.err
    assert message in done.err
    assert done.out == ""
    assert not (tmp_path / "out.npy").exists()


def test_export(tiny, tmp_path):
    done = gatewright("export", tiny.circuit, "--to", "c", "--to", "verilog", "-o", tmp_path / "e", "--json")
    assert set(done.json["files"]) == {"c", "verilog"}
    written = {path for paths in done.json["files"].values() for path in paths}
    assert written == {str(path) for path in (tmp_path / "e").iterdir()}
    unknown = gatewright("export", tiny.circuit, "--to", "verlog", "-o", tmp_path / "e")
    assert unknown.code == 2
    assert "did you mean 'verilog'?" in unknown.err


def test_export_with_options(tiny, tmp_path):
    done = gatewright(
        "export", tiny.circuit, "--to", "c", "--to", "verilog", "-o", tmp_path, "--json",
        "--set", "word=512", "--set", "pipeline=2", "--set", "stream=true", "--set", "name=net",
    )  # fmt: skip
    assert [path.split("/")[-1] for path in done.json["files"]["verilog"]] == ["net.v", "net_stream.v"]
    assert "NET_WORD_BITS 512" in (tmp_path / "net.h").read_text()
    assert gatewright("verify", tiny.run, tmp_path / "net.v", "--json").json["equal"] is True
    for setting, message in (
        ("word", "expected KEY=VALUE"),
        ("wrd=8", "did you mean 'word'?"),
        ("samples=1", "expected a NumPy file (.npy) of samples"),
        ("word=7", "word is 7, expected one of"),
    ):
        wrong = gatewright("export", tiny.circuit, "--to", "c", "--to", "verilog", "-o", tmp_path, "--set", setting)
        assert wrong.code == 2
        assert message in " ".join(wrong.err.split())


def test_verify(tiny, tmp_path):
    done = gatewright("verify", tiny.run, tiny.circuit, "--json")
    assert done.code == 0
    assert done.json["equal"] is True
    shown = gatewright("verify", tiny.circuit, tiny.run)
    assert shown.code == 0
    assert "equal for every input" in shown.out

    circuit = load_circuit(tiny.circuit)
    gate = circuit.gate.copy()
    at = int(np.flatnonzero(gate == Gate.XOR)[0]) if (gate == Gate.XOR).any() else 0
    gate[at] ^= 15
    save_circuit(circuit.replace(gate=gate), tmp_path / "other.gw")
    differ = gatewright("verify", tiny.circuit, tmp_path / "other.gw", "--json")
    assert differ.code == 2
    assert differ.json["equal"] is False
    x = np.array(differ.json["sample"], np.uint8)[None]
    engines = [Engine(load_circuit(path)) for path in (tiny.circuit, tmp_path / "other.gw")]
    assert not np.array_equal(engines[0].counts(x), engines[1].counts(x))
    assert "not proven equal" in differ.err
    assert gatewright("verify", tiny.circuit, tmp_path / "other.gw").code == 2


@pytest.mark.parametrize("command", ["info", "verify", "export", "eval", "predict"])
def test_damaged_circuits_are_named(tiny, tmp_path, command):
    path = tmp_path / "broken.gw"
    path.write_bytes(tiny.circuit.read_bytes()[:-100])
    np.save(tmp_path / "in.npy", np.zeros((1, 1, 8, 8), np.uint8))
    rest = {
        "info": [],
        "verify": [tiny.circuit],
        "export": ["--to", "c", "-o", tmp_path / "e"],
        "eval": ["--dataset", "digits"],
        "predict": [tmp_path / "in.npy", "-o", tmp_path / "out.npy"],
    }
    done = gatewright(command, path, *rest[command])
    assert done.code == 2
    assert "broken.gw" in done.err
    assert "Traceback" not in done.err


def test_folders_and_files_are_not_mixed_up(tiny, tmp_path):
    for args, message in (
        (("info", tiny.run), "is a folder; compile the run first: gatewright compile"),
        (("compile", tmp_path, "-o", tmp_path / "c.gw"), "holds no run"),
        (("train", tmp_path), "holds no run"),
        (("train", tmp_path / "no.yaml"), "there is no preset, file or run"),
        (("train", "mnist-dense-smal"), "did you mean 'mnist-dense-small'?"),
        (("train", tiny.config, "--set", "train.step=1"), "did you mean 'train.steps'?"),
    ):
        done = gatewright(*args)
        assert (done.code, done.out) == (2, "")
        assert message in done.err


def test_a_text_file_is_no_circuit_and_its_size_is_no_matter(tmp_path):
    (tmp_path / "README.md").write_text("# gatewright\n\nLearn compact Boolean networks.\n")
    done = gatewright("info", tmp_path / "README.md")
    assert done.code == 2
    assert "begins with b'# gatewr', expected the length of a header" in " ".join(done.err.split())


def test_verify_takes_names_of_the_zoo(tmp_path):
    gatewright("export", "monks-1", "--to", "blif", "-o", tmp_path)
    done = gatewright("verify", "monks-1", tmp_path / "monks_1.blif", "--json")
    assert done.json["equal"] is True
    wrong = gatewright("verify", "monks-1", "digits")
    assert wrong.code == 2
    assert "the circuits have 2 and 10 classes" in wrong.err


def test_missing_data_are_named(tiny, tmp_path, monkeypatch):
    done = gatewright("data", "mnist", "--data", tmp_path, "--json")
    assert done.json["ready"] is False
    assert any("train-images" in name for name in done.json["missing"])


def test_presets():
    listed = gatewright("presets", "--json").json
    assert {"digits", "mnist-dense-small", "cifar10-conv-l"} <= {preset["name"] for preset in listed}
    shown = gatewright("presets", "digits")
    assert yaml.safe_load(shown.out)["data"]["name"] == "digits"
    assert gatewright("presets", "digits", "--json").json["data"]["name"] == "digits"
    assert "mnist-fast" in gatewright("presets").out


def test_data():
    listed = gatewright("data", "--json").json
    assert {"digits", "mnist", "cifar10"} <= {row["name"] for row in listed}
    assert gatewright("data", "digits", "--json").json["ready"] is True
    assert "8x8" in gatewright("data").out
    assert gatewright("data", "digits").code == 0
    assert gatewright("data", "digits", "--download", "--json").json["ready"] is True


def test_version_help_and_usage_errors():
    assert gatewright("--version").out.startswith("gatewright 0.")
    assert gatewright("--help").code == 0
    wrong = gatewright("trian")
    assert wrong.code == 2
    assert gatewright("train").code == 2


def test_ctrl_c_has_no_traceback(tiny, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("gatewright.model.load_circuit", interrupt)
    done = gatewright("info", tiny.circuit)
    assert done.code == 130
    assert "interrupted" in done.err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from gatewright.cli import app; "
        "print([m for m in ('torch', 'numba', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_is_quick():
    assert seconds(sys.executable, "-m", "gatewright", "--help") <= 0.3


def test_help_fits_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    listed = gatewright("--help").out
    assert "..." not in listed.partition("Commands:")[2], "a command's first line is too long to be listed"
    names = [line.split()[0] for line in listed.partition("Commands:")[2].splitlines() if line.strip()]
    assert {"train", "compile", "bench"} <= set(names)
    for name in names:
        lines = gatewright(name, "--help").out.splitlines()
        assert len(lines) > 3
        assert max(map(len, lines)) <= 80
    assert "int64 [n]" in gatewright("predict", "--help").out


def test_brackets_and_colons_in_names_are_printed_as_they_are(tiny, tmp_path):
    names = tuple(f"[unk] :smile: [/b]{k}" for k in range(10))
    circuit = load_circuit(tiny.circuit)
    path = tmp_path / "[red]odd.gw"
    save_circuit(circuit.replace(head=replace(circuit.head, class_names=names)), path)
    shown = gatewright("info", path)
    assert names[3] in shown.out
    assert "[red]odd.gw" in " ".join(shown.out.split())
    with pytest.raises(MarkupError):
        Text.from_markup(names[3])
    wrong = gatewright("info", tmp_path / "[red]none.gw")
    assert "[red]none.gw" in wrong.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_a_run_keeps_a_checkpoint(tiny, tmp_path, number):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "gatewright", "train", tiny.config, "--out", run]
    process = subprocess.Popen([*command, "--steps", "1000000"], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not (run / "checkpoint.safetensors").exists():
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert f"resume with: gatewright train {run} --resume" in " ".join(err.split())
    assert "Traceback" not in err
    assert (run / "checkpoint.safetensors").exists()
