"""Options: what is accepted, what is refused, and in what words."""

from __future__ import annotations

import pytest
import yaml

from gatewright.errors import FormatError, OptionError
from gatewright.training import load
from gatewright.training.config import RunConfig, at_step

SMALL = """
data: {name: digits}
model: {layers: [{type: flatten}, {type: dense, width: 20}]}
train: {steps: 10}
"""


def config_file(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return path


def test_defaults_are_filled_in(tmp_path):
    config = load.load_file(config_file(tmp_path, SMALL))
    assert config.model.candidates == 16
    assert config.connections.kind == "resample"
    assert config.discretization.kind == "none"


def test_overrides_are_yaml_values(tmp_path):
    path = config_file(tmp_path, SMALL)
    config = load.load_file(
        path,
        ["optimizer.lr=1e-3", "model.layers=[{type: dense, width: 7}]", "model.tau=null", "data.augment.flip=true"],
    )
    assert config.optimizer.lr == 0.001
    assert config.model.layers[0].width == 7
    assert config.model.tau is None
    assert config.data.augment.flip is True


def test_changing_a_kind_starts_its_section_afresh(tmp_path):
    path = config_file(tmp_path, SMALL + "connections: {kind: resample, patience: 7, weak: 0.1}\n")
    changed = load.load_file(path, ["connections.kind=guided", "connections.every=5"])
    assert changed.connections.kind == "guided"
    assert changed.connections.every == 5
    same = load.load_file(path, ["connections.patience=9"])
    assert (same.connections.patience, same.connections.weak) == (9, 0.1)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.step=3", r"unknown key 'train.step'; did you mean 'train.steps'\?"),
        ("steps=3", r"unknown key 'steps'; did you mean 'train.steps'\?"),
        ("lr=1", r"unknown key 'lr'; did you mean 'optimizer.lr'\?"),
        ("data.encoder.treshold=3", r"did you mean 'data.encoder.thresholds'\?"),
        ("zzz=3", r"unknown key 'zzz' \(valid there: circuit, connections, cost, data, "),
        ("train.steps=x", r"train.steps should be a valid integer, got 'x'"),
        ("train.steps=true", r"train.steps should be a valid integer, got True"),
        ("train.steps=0", r"train.steps should be greater than 0, got 0"),
        ("optimizer.lr=-1", r"optimizer.lr should be greater than 0, got -1"),
        ("optimizer.warmup=1.5", r"optimizer.warmup must be a number of steps .* or a share of the run .*, got 1.5"),
        ("connections.kind=magic", r"connections.kind is 'magic', expected 'fixed', 'resample', 'guided'"),
        ("connections.every=3", r"unknown key 'connections.every'.*valid there: connections.decay, connections.kind"),
        ("model.relaxation=medium", r"model.relaxation should be 'soft' or 'hard', got 'medium'"),
        (
            "model.layers=[{type: dense, widht: 4}]",
            r"model.layers.0.width is missing; .*did you mean 'model.layers.0.width'",
        ),
        ("model.layers=[{type: cnv}]", r"model.layers.0.type is 'cnv', expected 'dense', 'conv', 'flatten'"),
        (
            "model.layers=[{type: dense, width: k*k}]",
            r"whole number or a multiple of model.k such as '4 \* k', got 'k\*k'",
        ),
        ("train.device=tpu", r"train.device .*got 'tpu'"),
        ("train.steps", r"must look like train.steps=1000, got 'train.steps'"),
        ("train.steps=[1", r"the value of train.steps is not valid YAML"),
        ("data.augment={}", r"data.augment=\{\} changes nothing"),
        ("train.steps={}", r"train.steps .*got"),
    ],
)
def test_mistakes_are_named(tmp_path, override, message):
    with pytest.raises(OptionError, match=message):
        load.load_file(config_file(tmp_path, SMALL), [override])


def test_wrong_kinds_options_do_not_suggest_themselves(tmp_path):
    with pytest.raises(OptionError) as caught:
        load.load_file(config_file(tmp_path, SMALL), ["connections.every=3"])
    assert "did you mean 'connections.every'" not in str(caught.value)


def test_all_mistakes_are_named_at_once(tmp_path):
    text = SMALL.replace("steps", "stepz") + "modle: {}\n"
    with pytest.raises(OptionError) as caught:
        load.load_file(config_file(tmp_path, text))
    for part in ("train.steps is missing", "'train.stepz'", "did you mean 'model'"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("data: [", FormatError, "is not valid YAML"),
        ("- 1", FormatError, "must hold sections"),
        (SMALL + "train: {steps: 3}\n", FormatError, "the key 'train' is given twice"),
        ("extends: nothing\n", OptionError, "unknown preset 'nothing'"),
        ("extends: 3\n", OptionError, "extends must name a preset"),
    ],
)
def test_bad_files_are_named(tmp_path, text, error, message):
    with pytest.raises(error, match=message):
        load.load_file(config_file(tmp_path, text))


def test_missing_file(tmp_path):
    with pytest.raises(OptionError, match=r"there is no preset, file or run '.*nowhere.yaml'"):
        load.load_file(tmp_path / "nowhere.yaml")


def test_extending_merges_sections_and_replaces_lists(tmp_path):
    text = (
        "extends: mnist-dense-small\nmodel: {layers: [{type: flatten}, {type: dense, width: 50}]}\ntrain: {batch: 7}\n"
    )
    config = load.load_file(config_file(tmp_path, text))
    assert len(config.model.layers) == 2
    assert config.model.tau == 10
    assert (config.train.batch, config.train.steps) == (7, 300_000)


def test_dump_and_load_are_inverse(tmp_path):
    for name in load.preset_names():
        config = load.load_preset(name)
        assert load.load_file(config_file(tmp_path, load.dump(config))) == config
        assert load.from_dict(config.as_dict()) == config


def test_every_default_is_valid():
    def check(section):
        type(section).model_validate(section.model_dump())
        for name in type(section).model_fields:
            value = getattr(section, name)
            if hasattr(value, "model_dump"):
                check(value)

    check(RunConfig.model_validate(yaml.safe_load(SMALL)))


def test_moments():
    assert at_step(0.5, 300) == 150
    assert at_step(7, 300) == 7
    assert at_step(1.0, 300) == 300
    assert at_step(1, 300) == 1
