"""The loop: evaluation, bookkeeping, and what it refuses."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gatewright import data, nn
from gatewright.data import Split
from gatewright.errors import DataError, FormatError, MissingExtraError, OptionError
from gatewright.runs.folder import check_same_run
from gatewright.runs.result import RunResult
from gatewright.runs.run import load_run, lower_run, train
from gatewright.training import load
from gatewright.training.batches import Feed
from gatewright.training.evaluate import evaluate
from gatewright.training.metrics import MetricsLog, read_lines
from gatewright.training.objective import predict
from gatewright.training.processes import pick_device
from gatewright.training.sampler import DataOrder
from gatewright.training.trainer import Trainer


def changed(config, **sections):
    tree = config.as_dict()
    for section, values in sections.items():
        tree[section] = {**tree[section], **values}
    return load.from_dict(tree)


def test_result_and_files(hard_config, tmp_path):
    result = train(hard_config, "name", tmp_path / "run")
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "config.yaml",
        "metrics.jsonl",
        "model.safetensors",
        "result.json",
    ]
    assert RunResult.load(tmp_path / "run") == result
    assert load.load_file(tmp_path / "run" / "config.yaml") == hard_config
    written = json.loads((tmp_path / "run" / "result.json").read_text())
    assert written["name"] == "name"
    assert written["data"] == "digits"
    assert written["steps"] == 60
    assert written["gates"] == 100
    assert 0 < written["logic_ops"] <= 100
    assert written["total_ops"] > written["logic_ops"]
    assert set(written["versions"]) == {"gatewright", "python", "torch", "numpy", "numba"}
    assert written["machine"]["cores"] >= 1


def test_the_result_is_that_of_the_kept_weights(hard_config, tmp_path):
    result = train(hard_config, "test", tmp_path / "run")
    lines = [line for line in read_lines(tmp_path / "run" / "metrics.jsonl") if "validation" in line]
    assert [line["step"] for line in lines] == [10, 20, 30, 40, 50, 60]
    best = max(lines, key=lambda line: (line["validation"]["hard"], line["step"]))
    assert (result.best_step, result.validation.hard) == (best["step"], best["validation"]["hard"])

    run = load_run(tmp_path / "run")
    test = data.load_dataset("digits").test
    with torch.no_grad():
        scores = torch.cat([run.model(torch.from_numpy(sample[None])) for sample in test.x])
    assert result.test.hard == pytest.approx(float((scores.numpy().argmax(1) == test.y).mean()))
    assert lower_run(run).n_gates == result.gates


def test_keeping_the_last_weights(hard_config, tmp_path):
    result = train(changed(hard_config, train={"keep": "last"}), "test", tmp_path / "run")
    assert result.best_step == 60


def test_learning_from_the_validation_split_too(hard_config, tmp_path):
    seen = []
    original = DataOrder.__init__

    def spy(self, samples, *rest):
        seen.append(samples)
        original(self, samples, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DataOrder, "__init__", spy)
        result = train(changed(hard_config, data={"validation": "none"}), "test", tmp_path / "run")
    about = data.describe("digits")
    assert seen == [about.train + about.validation]
    assert result.validation is None
    assert result.best_step == 60


def test_same_seed_same_bits_other_seed_other_bits(hard_config, tmp_path):
    def logits(folder, seed):
        train(changed(hard_config, train={"seed": seed}), "test", tmp_path / folder)
        return [layer.candidates.logits for layer in nn.logic_layers(load_run(tmp_path / folder).model)]

    torch.manual_seed(1)
    one = logits("one", 5)
    torch.manual_seed(2)
    two, other = logits("two", 5), logits("other", 6)
    assert all(map(torch.equal, one, two))
    assert not any(map(torch.equal, one, other))


def test_the_global_generator_is_left_alone(hard_config, tmp_path):
    before = torch.get_rng_state()
    np_before = np.random.get_state()[1].copy()  # noqa: NPY002 - it is the global state that is asked about
    train(hard_config, "test", tmp_path / "run")
    assert torch.equal(before, torch.get_rng_state())
    assert np.array_equal(np_before, np.random.get_state()[1])  # noqa: NPY002


def test_a_loss_that_is_not_finite_names_the_step(hard_config, tmp_path, monkeypatch):
    original = Trainer.one_step

    def poison(self):
        if self.step == 26:
            with torch.no_grad():
                self.model[-1].tau = math.nan
        original(self)

    monkeypatch.setattr(Trainer, "one_step", poison)
    with pytest.raises(DataError, match=r"the loss became nan at step 27; lower optimizer.lr or set optimizer.clip"):
        train(hard_config, "test", tmp_path / "run")
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_name_step_and_layer(hard_config, tmp_path, monkeypatch, value):
    """The hard relaxation's loss stays finite; neither a checkpoint nor weights to keep are written."""
    original = Trainer.one_step

    def poison(self):
        original(self)
        if self.step == 31:
            with torch.no_grad():
                nn.logic_layers(self.model)[0].candidates.logits[3, 1] = value

    monkeypatch.setattr(Trainer, "one_step", poison)
    with pytest.raises(
        DataError, match=r"of LogicDense\(.*\) became NaN or infinite at (step 31|one of the steps 31 to )"
    ):
        train(hard_config, "test", tmp_path / "run")


def test_augmenting_tables_is_refused(hard_config, tmp_path, monkeypatch):
    table = data.load_dataset("digits")
    flat = [Split(part.x.reshape(len(part), -1), part.y) for part in (table.train, table.validation, table.test)]
    from dataclasses import replace

    fake = replace(table, train=flat[0], validation=flat[1], test=flat[2], shape=(64,))
    monkeypatch.setattr(data, "load_dataset", lambda *args, **kwargs: fake)
    config = changed(hard_config, data={"augment": {"flip": True}})
    with pytest.raises(OptionError, match=r"changes images, but the samples of digits have shape \(64,\)"):
        train(config, "test", tmp_path / "run")


def test_cuda_without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pick_device("auto").type == "cpu"
    with pytest.raises(OptionError, match="torch finds no CUDA device here"):
        pick_device("cuda:1")


def test_unfinished_and_missing_runs_are_told_apart(hard_config, tmp_path):
    with pytest.raises(FormatError, match="holds no run"):
        load_run(tmp_path)
    train(hard_config, "test", tmp_path / "run", stop=lambda: True)
    with pytest.raises(FormatError, match=r"is not finished; resume it with: gatewright train .*run --resume"):
        load_run(tmp_path / "run")
    with pytest.raises(FormatError, match=r"has no result.json: the run is not finished"):
        RunResult.load(tmp_path / "run")


def test_damaged_results_are_named(tmp_path):
    (tmp_path / "result.json").write_text('{"name": 3}')
    with pytest.raises(FormatError, match=r"result.json is damaged"):
        RunResult.load(tmp_path)


def test_tensorboard_says_what_to_install(hard_config, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    with pytest.raises(MissingExtraError, match=r"pip install .tensorboard.*\[train\]"):
        train(hard_config, "test", tmp_path / "run", tensorboard=True)


def test_metrics_are_cut_back_to_the_step_resumed_from(tmp_path):
    log = MetricsLog(tmp_path, 0)
    for step in (5, 10, 15):
        log.write(step, {"loss": 1.0 / step})
    log.close()
    MetricsLog(tmp_path, 10).close()
    assert [line["step"] for line in read_lines(tmp_path / "metrics.jsonl")] == [5, 10]


@given(samples=st.integers(1, 50), batch=st.integers(1, 60), drawn=st.integers(0, 30))
def test_order_is_a_permutation_each_epoch_and_goes_on_from_its_state(samples, batch, drawn):
    generator = torch.Generator().manual_seed(0)
    order = DataOrder(samples, batch, generator)
    size = min(batch, samples)
    per_epoch = samples // size
    for _ in range(drawn):
        order.next()
    state, random = order.state_dict(), generator.get_state()
    expected = [order.next() for _ in range(2 * per_epoch)]
    start = (-drawn) % per_epoch
    epoch = torch.cat(expected[start : start + per_epoch])
    assert len(epoch.unique()) == per_epoch * size

    generator.set_state(random)
    again = DataOrder(samples, batch, generator)
    again.load_state_dict(state)
    assert all(torch.equal(one, again.next()) for one in expected)


def test_no_training_samples():
    with pytest.raises(OptionError, match="no training samples"):
        DataOrder(0, 4, torch.Generator())


@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=20))
def test_ties_go_to_the_lowest_class(counts):
    scores = torch.tensor(counts) / 0.7
    assert predict(scores).tolist() == [row.index(max(row)) for row in counts]


@pytest.mark.parametrize("relaxation", ["soft", "hard"])
def test_evaluation_counts_every_sample_once(relaxation):
    generator = torch.Generator().manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), nn.LogicDense(6, 30, relaxation=relaxation, generator=generator), nn.GroupSum(3)
    )
    model.train()
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, (2_500, 6)).astype(np.float32)
    y = rng.integers(0, 3, 2_500)
    accuracy = evaluate(model, Feed(Split(x, y), torch.device("cpu")))
    assert model.training
    model.eval()
    hard = model(torch.from_numpy(x)).numpy().argmax(1)
    with nn.relaxed(model):
        soft = model(torch.from_numpy(x)).detach().numpy().argmax(1)
    assert accuracy.hard == float((hard == y).mean())
    assert accuracy.soft == pytest.approx(float((soft == y).mean()), abs=1e-3)


def test_augmentation_touches_training_batches_only():
    split = Split(np.arange(8.0, dtype=np.float32).reshape(2, 1, 2, 2), np.array([0, 1]))
    feed = Feed(split, torch.device("cpu"), lambda images: images + 100)
    assert feed.batch(torch.tensor([1]))[0].flatten().tolist() == [104, 105, 106, 107]
    assert torch.cat([x for x, _ in feed.all()]).flatten().tolist() == list(range(8))


def test_options_of_a_later_version_do_not_keep_a_run_from_going_on(hard_config, tmp_path):
    saved = hard_config.as_dict()
    del saved["circuit"]  # as an earlier version wrote it
    check_same_run(saved, hard_config.as_dict(), tmp_path)
    saved["train"]["steps"] += 1
    with pytest.raises(FormatError, match=r"is of a run with train\.steps = 61, but 60 is asked for now"):
        check_same_run(saved, hard_config.as_dict(), tmp_path)
