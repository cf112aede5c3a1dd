"""Runs whose convolutions get gates of their own on the way."""

import pytest
import torch

from gatewright import data
from gatewright.circuit import prove, simplify
from gatewright.engine import Engine
from gatewright.errors import FormatError, GatewrightError, OptionError
from gatewright.nn import LogicConv2d, LogicLocal2d
from gatewright.runs.run import load_run, lower_run, prepared, train
from gatewright.training import load
from gatewright.training.checkpoint import load_state, save_state
from gatewright.training.metrics import read_lines
from gatewright.training.processes import Ranks
from gatewright.training.sink import MemorySink


def trainer_of(config):
    return prepared(config, data.load_dataset("digits"), MemorySink(), torch.device("cpu"), Ranks())


def test_positions_differ_in_the_end_and_the_circuit_is_the_network(unshared_config, tmp_path):
    result = train(unshared_config, "test", tmp_path)
    run = load_run(tmp_path)
    local = run.model[1]
    assert isinstance(local, LogicLocal2d)
    best = local.candidates.logits.detach().view(6, 16, 4).argmax(2)
    assert bool((best != best[:, :1]).any())
    raw = lower_run(run)
    assert raw.n_gates == result.gates >= 6 * 16 + 60 + 40
    circuit = simplify(raw)
    assert prove(raw, circuit).equal
    x = data.load_dataset("digits").test.x
    with torch.no_grad():
        assert (Engine(circuit).predict(x) == run.model(torch.from_numpy(x)).argmax(1).numpy()).all()


def test_the_first_step_after_unsharing_starts_from_the_kernels(unshared_config):
    options = unshared_config.model.model_copy(update={"unshare": 22})  # in the middle of a round of proposals
    with trainer_of(unshared_config.model_copy(update={"model": options})) as trainer, trainer.computing():
        for _ in range(22):
            trainer.one_step()
            trainer.read_losses()
        kernels, dense = trainer.model[1], trainer.model[3]
        assert isinstance(kernels, LogicConv2d)
        moments = trainer.optimizer.state[dense.candidates.logits]
        guide = trainer.learners["connections"]
        assert kernels.recorders
        trainer.one_step()
        local = trainer.model[1]
        assert isinstance(local, LogicLocal2d)
        # One step of Adam moves a logit by at most the rate.
        moved = local.candidates.logits.detach() - kernels.candidates.logits.detach().repeat_interleave(16, 0)
        assert float(moved.abs().max()) <= trainer.rate * 1.01
        assert float(moved.abs().max()) > 0
        assert trainer.optimizer.state[dense.candidates.logits] is moments
        assert int(trainer.optimizer.state[local.candidates.logits]["step"]) == 1
        assert kernels.candidates.logits not in trainer.optimizer.state
        assert not kernels.recorders
        assert trainer.learners["connections"] is not guide
        assert trainer.learners["connections"].steps == 23
        assert len(dense.recorders) == 1


def test_the_best_weights_are_of_the_last_layers(unshared_config, tmp_path):
    result = train(unshared_config, "test", tmp_path)
    lines = [line for line in read_lines(tmp_path / "metrics.jsonl") if "validation" in line and line["step"] > 24]
    best = max(lines, key=lambda line: (line["validation"]["hard"], line["step"]))
    assert result.best_step == best["step"]


def test_gates_of_their_own_from_the_first_step(unshared_config, tmp_path):
    config = unshared_config.model_copy(update={"model": unshared_config.model.model_copy(update={"unshare": 0.0})})
    train(config, "test", tmp_path)
    assert isinstance(load_run(tmp_path).model[1], LogicLocal2d)


@pytest.mark.parametrize("moment", [1.0, 60, 61])
def test_a_moment_that_never_comes_is_refused(unshared_config, moment):
    tree = unshared_config.as_dict()
    tree["model"]["unshare"] = moment
    with pytest.raises(GatewrightError, match=r"model\.unshare must lie before the end of the run"):
        load.from_dict(tree)


def test_a_model_of_shared_kernels_is_refused_where_options_say_otherwise(unshared_config, tmp_path):
    config = unshared_config.model_copy(update={"model": unshared_config.model.model_copy(update={"unshare": None})})
    train(config, "test", tmp_path)
    state = load_state(tmp_path / "model.safetensors", "model")
    state["config"]["model"]["unshare"] = 0.4
    save_state(tmp_path / "model.safetensors", state, "model")
    with pytest.raises(GatewrightError, match=r"its options make .* numbers"):
        load_run(tmp_path)


def test_what_has_no_convolution_or_too_large_ones_is_refused(hard_config, unshared_config):
    tree = hard_config.as_dict()
    tree["model"]["unshare"] = 0.4
    with pytest.raises(GatewrightError, match="model has `unshare`, but no convolution among its layers"):
        load.from_dict(tree)
    tree = unshared_config.as_dict()
    tree["model"]["layers"][0] |= {"kernel_size": 2001, "channels": 64}
    with pytest.raises(
        OptionError, match=r"would read .* bits, each counted for every gate, expected at most 67108864"
    ):
        load.from_dict(tree).model.plan((3, 8, 8), 10)


@pytest.mark.parametrize("stop", [23, 24, 25, 28])
def test_runs_that_stop_around_the_moment_resume_to_the_same_bits(unshared_config, tmp_path, stop):
    seen = []
    train(
        unshared_config, "test", tmp_path / "parts", watch=lambda *_: seen.append(1), stop=lambda: len(seen) >= stop - 1
    )
    assert load_state(tmp_path / "parts" / "checkpoint.safetensors", "checkpoint")["step"] == stop
    train(unshared_config, "test", tmp_path / "parts", resume=True)
    train(unshared_config, "test", tmp_path / "whole")
    one, two = (load_state(tmp_path / f / "model.safetensors", "model")["model"] for f in ("parts", "whole"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_states_of_before_are_refused_once_unshared(unshared_config):
    with trainer_of(unshared_config) as trainer, trainer.computing():
        for _ in range(20):
            trainer.one_step()
            trainer.read_losses()
        state = trainer.state_dict()
        for _ in range(10):
            trainer.one_step()
            trainer.read_losses()
        with pytest.raises(FormatError, match="of step 20, but the convolutions are unshared since step 24"):
            trainer.load_state_dict(state)


def test_rounds_that_are_missed_in_part_are_left_out(unshared_config):
    connections = unshared_config.connections.model_copy(update={"every": 20, "batches": 16, "stop": 1.0})
    config = unshared_config.model_copy(update={"connections": connections})
    with trainer_of(config) as trainer, trainer.computing():
        counts = []
        for _ in range(60):
            trainer.one_step()
            trainer.read_losses()
            counts.append(sum(trainer.learners["connections"].statistics["proposed"]))
    assert counts[18] == 0 < counts[19]
    assert counts[30] == counts[19], "the learner made anew goes on counting"
    assert counts[38] < counts[39], "judged over steps 24 to 39, all of them after the moment"
    options = config.model.model_copy(update={"unshare": 25})
    with trainer_of(config.model_copy(update={"model": options})) as trainer, trainer.computing():
        for _ in range(40):
            trainer.one_step()
            trainer.read_losses()
        assert sum(trainer.learners["connections"].statistics["proposed"]) == counts[19]
