"""Model files and checkpoints that are damaged or made to do harm: each change is refused, by name."""

from __future__ import annotations

import json
import random
import shutil
import zlib

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gatewright.errors import FormatError
from gatewright.runs.run import load_run, train
from gatewright.training import load
from gatewright.training.checkpoint import header_digest, load_state, save_state

CONFIG = """
data: {name: digits, encoder: {thresholds: 1, low: 0, high: 16}}
model:
  relaxation: hard
  candidates: 2
  layers: [{type: flatten}, {type: dense, width: 60}, {type: dense, width: 20}]
connections: {kind: guided, every: 4, batches: 2, trials: 2}
train: {steps: 12, batch: 16, eval_every: 6, checkpoint_every: 3, log_every: 3, seed: 5, threads: 1}
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.yaml").write_text(CONFIG)
    config = load.load_file(folder / "tiny.yaml")
    train(config, "tiny", folder / "finished")
    seen = []
    train(config, "tiny", folder / "stopped", watch=lambda step, _: seen.append(step), stop=lambda: len(seen) >= 5)
    return folder


@pytest.fixture
def finished(runs, tmp_path):
    return shutil.copytree(runs / "finished", tmp_path / "finished") / "model.safetensors"


@pytest.fixture
def stopped(runs, tmp_path):
    return shutil.copytree(runs / "stopped", tmp_path / "stopped") / "checkpoint.safetensors"


def resume(path):
    return train(path.parent, resume=True)


def test_every_changed_digit_is_refused(finished):
    """Also where it changes the order, shape or type of entries, of which the checksums of their bytes know nothing."""
    good = finished.read_bytes()
    header = 8 + int.from_bytes(good[:8], "little")
    digits = [at for at in range(8, header) if chr(good[at]).isdigit()]
    for at in random.Random(1).sample(digits, 150):
        other = str((int(chr(good[at])) + 1) % 10).encode()
        finished.write_bytes(good[:at] + other + good[at + 1 :])
        with pytest.raises(FormatError, match=r"model\.safetensors"):
            load_run(finished.parent)


def test_types_and_shapes_have_a_checksum(tmp_path):
    path = tmp_path / "s"
    save_state(path, {"w": torch.arange(6, dtype=torch.int32).reshape(2, 3)}, "model")
    raw = path.read_bytes()
    for old, new in ((b'"shape":[2,3]', b'"shape":[3,2]'), (b'"dtype":"I32"', b'"dtype":"F32"')):
        assert old in raw
        path.write_bytes(raw.replace(old, new))
        with pytest.raises(FormatError, match=r"the header of .* is damaged \(its checksum differs\)"):
            load_state(path, "model")


def test_a_checksum_cannot_be_taken_away(tmp_path):
    path = tmp_path / "s"
    save_state(path, {"n": 3}, "model")
    path.write_bytes(path.read_bytes().replace(b'"sha256"', b'"sha255"'))
    with pytest.raises(FormatError, match=r"the header of .* is damaged: it has"):
        load_state(path, "model")


def test_files_without_a_checksum_of_the_header_load(tmp_path):
    path = tmp_path / "s"
    save_state(path, {"n": 3, "w": torch.ones(2)}, "model")
    with safe_open(path, "pt") as file:
        header, tensors = file.metadata(), {"w": file.get_tensor("w")}
    del header["sha256"]
    save_file(tensors, path, metadata=header)
    assert load_state(path, "model")["n"] == 3


def forged(path, change, kind):
    """Change a state and write it with right checksums: a consistent lie."""
    state = load_state(path, kind)
    change(state)
    save_state(path, state, kind)


def put(*keys_and_value):
    *keys, last, value = keys_and_value

    def change(state):
        for key in keys:
            state = state[key]
        state[last] = value

    return change


def fill(*keys, value, at=0):
    def change(state):
        for key in keys:
            state = state[key]
        state.view(-1)[at] = value

    return change


WHERE = ("optimizer", "state", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("step", 12), "the learner 'connections' is at step 6, but the run at 12"),
        (put("step", 13), r"the entry 'step' is 13, expected a whole number in 0\.\.12"),
        (put("step", -(2**63)), "the entry 'step' is -9223372036854775808"),
        (put("step", 6.0), "the entry 'step' is 6.0"),
        (put("step", True), "the entry 'step' is True"),
        (
            lambda s: (put("step", 5)(s), put("learners", "connections", "steps", 5)(s), put("best", None)(s)),
            "'step' of parameter 0 is 6.0, but the run is at step 5",
        ),
        (
            lambda s: (put("step", 12)(s), put("learners", "connections", "steps", 12)(s)),
            "the data order is at sample 96, but at 192 after 12 steps",
        ),
        (put("seconds", float("nan")), "the entry 'seconds' is nan"),
        (put("best", [99, 0.5]), r"the entry 'step' is 99"),
        (put("best", [1]), "the entry 'best' is"),
        (put("order", "position", 10**6), "the entry 'position' is 1000000"),
        (put("order", "position", 0), "the data order is at sample 0, but at 96 after 6 steps"),
        (fill("order", "order", value=2**40), "does not take each of the"),
        (fill("order", "order", value=-1), "does not take each of the"),
        (fill("model", "2.candidates.a", value=10**6), "2.candidates.a' of the state has operands outside"),
        (
            fill("model", "2.candidates.logits", value=float("nan")),
            "2.candidates.logits' of the state has numbers that",
        ),
        (fill("model", "0.feature", value=2**30), "0.feature' of the state has features outside"),
        (fill("model", "0.threshold", value=float("inf")), "0.threshold' of the state has numbers that are not"),
        (put("learners", "connections", "steps", 10**9), "the learner 'connections' is at step 1000000000"),
        (put("learners", "connections", "proposed", [1]), r"the entry 'proposed' is \[1\], expected 2 numbers"),
        (put(*WHERE, "exp_avg", torch.zeros(3)), r"the optimizer's 'exp_avg' of parameter 0 is torch.float32 \(3,\)"),
        (fill(*WHERE, "exp_avg", value=float("inf")), "'exp_avg' of parameter 0 has numbers that it cannot have"),
        (fill(*WHERE, "exp_avg_sq", value=-1.0), "'exp_avg_sq' of parameter 0 has numbers that it cannot have"),
        (put(*WHERE, "step", torch.tensor(99.0)), "'step' of parameter 0 is 99.0, but the run is at step 6"),
        (put("optimizer", "param_groups", 0, "betas", [0.5, 0.5]), "the optimizer's 'betas' is"),
        (put("optimizer", "param_groups", 0, "lr", "x"), "the entry 'lr' is 'x'"),
        (put("optimizer", 3), "expected a mapping with 'param_groups'"),
        (put("learners", {}), "has no entry 'connections'"),
        (put("config", []), "checkpoint.safetensors"),
        (put("generator", "x"), "does not fit this run"),
    ],
)
def test_forged_checkpoints_are_refused(stopped, change, message):
    forged(stopped, change, "checkpoint")
    with pytest.raises(FormatError, match=message) as caught:
        resume(stopped)
    assert "checkpoint.safetensors" in str(caught.value)
    assert not (stopped.parent / "result.json").exists()


def test_pairs_on_trial_are_checked(runs, tmp_path):
    """Kernels would follow their operands anywhere in memory."""
    folder, seen = tmp_path / "run", []
    config = load.load_file(runs / "tiny.yaml")
    train(config, "tiny", folder, watch=lambda step, _: seen.append(step), stop=lambda: len(seen) >= 2)
    path = folder / "checkpoint.safetensors"
    good = path.read_bytes()
    trials = ("learners", "connections", "trials", 0)
    for change, message in (
        (fill(*trials, "a", value=2**30), "operands outside of the layer's inputs"),
        (put(*trials, "b", torch.zeros(1, 2, dtype=torch.int32)), "have no 'b' of shape"),
        (fill(*trials, "sums", value=float("nan")), "sums that are not finite"),
    ):
        path.write_bytes(good)
        forged(path, change, "checkpoint")
        with pytest.raises(FormatError, match=message):
            resume(path)
    path.write_bytes(good)
    assert resume(path) is not None


def test_best_weights_are_those_of_their_step(stopped):
    (best,) = stopped.parent.glob("best-*.safetensors")
    forged(best, put("step", 3), "weights")
    with pytest.raises(FormatError, match="it holds the weights of step 3, expected 6"):
        resume(stopped)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("step", 13), r"the entry 'step' is 13, expected a whole number in 0\.\.12"),
        (put("class_names", [1] * 10), "class_names"),
        (put("class_names", "0123456789"), "class_names"),
        (put("name", None), "name"),
        (put("encoder", "shape", [1, 2**40, 2**40]), "numbers of '0.feature'"),
        (put("encoder", "thresholds", [[9.0]]), "'0.threshold' is not what the encoder's thresholds say"),
        (put("encoder", "dtype", "uint9"), "uint9"),
        (put("config", "model", "layers", 1, "width", 10**9), "its options make .* numbers of '.candidates.logits'"),
        (put("config", "model", "layers", 1, "repeat", 10**9), "makes more than 10000 layers"),
        (put("config", "model", "candidates", 10**9), "its options make"),
        (fill("model", "0.feature", value=2**30), "'0.feature' is not what the encoder's thresholds say"),
        (fill("model", "3.candidates.b", value=-(2**31)), "operands outside"),
        (fill("model", "3.candidates.gate", value=16), "gate ids over 15"),
        (fill("model", "3.candidates.logits", value=float("inf")), "not finite"),
    ],
)
def test_forged_models_are_refused(finished, change, message):
    forged(finished, change, "model")
    with pytest.raises(FormatError, match=message) as caught:
        load_run(finished.parent)
    assert "model.safetensors" in str(caught.value)


@pytest.mark.parametrize(
    "state",
    [
        "[" * 100_000,
        '{"n": ' + "9" * 5000 + "}",
        '{"n": 1e999}',
        '{"n": {"$tensor": 3}}',
        '{"n": {"$tensor": {}}}',
        '{"n": {"$items": [[[], 1]]}}',
        '{"n": {"$items": 5}}',
        '{"n": {"$tuple": "ab"}}',
        '{"n": {"$other": 1}}',
        '{"n": "\\ud800"}',
        '{"n": 1, "n": 2}',
        "[]",
        "{",
        "{" + '"n":' * 10,
    ],
)
def test_headers_of_any_content_are_refused_alike(tmp_path, state):
    path = tmp_path / "s.safetensors"
    header = {"format": "gatewright-state-1", "kind": "model", "state": state, "checksums": "{}"}
    save_file({}, path, metadata={**header, "sha256": header_digest(header, {})})
    with pytest.raises(FormatError, match=r"s\.safetensors") as caught:
        load_state(path, "model")
    assert len(str(caught.value)) < 1000


def test_checksums_of_any_content_are_refused_alike(tmp_path):
    path = tmp_path / "s.safetensors"
    for sums in ("[]", '{"w": "x"}', '{"w": 1e999}', json.dumps({"w" * 10_000: 1}), "null"):
        header = {"format": "gatewright-state-1", "kind": "model", "state": "{}", "checksums": sums}
        tensors = {"w": torch.ones(2)}
        save_file(tensors, path, metadata={**header, "sha256": header_digest(header, tensors)})
        with pytest.raises(FormatError, match=r"s\.safetensors") as caught:
            load_state(path, "model")
        assert len(str(caught.value)) < 1000


def test_checksums_are_those_of_the_bytes(tmp_path):
    save_state(tmp_path / "s", {"w": torch.ones(2)}, "model")
    with safe_open(tmp_path / "s", "pt") as file:
        assert json.loads(file.metadata()["checksums"]) == {"w": zlib.crc32(torch.ones(2).numpy().tobytes())}
