"""Options have ranges: what lies outside is refused by name, in the config and in the classes alike."""

import math

import pytest
import torch

import gatewright as gw
from gatewright.circuit import Head
from gatewright.errors import FormatError, GatewrightError, OptionError
from gatewright.runtime.ranges import MARGIN, TEMPERATURE
from gatewright.training.config import RunConfig
from gatewright.training.load import from_dict

NOT_A_NUMBER = (math.nan, math.inf, -math.inf, 1e300, -1e300, "1", None, True)


def network():
    return torch.nn.Sequential(gw.LogicDense(4, 4, candidates=2), gw.GroupSum(2))


def learner(kind, **options):
    model = network()
    return kind(model, torch.optim.Adam(model.parameters()), **options)


CLASSES = {
    "tau": [lambda v: gw.GroupSum(2, tau=v), lambda v: gw.WeightedSum(4, 2, tau=v)],
    "margin": [lambda v: learner(gw.GuidedProposals, margin=v)],
    "tolerance": [
        lambda v: learner(gw.AdaptiveResampling, tolerance=v),
        lambda v: gw.AdaptiveDiscretization(network(), start=0, tolerance=v),
    ],
    "decay": [lambda v: learner(gw.AdaptiveResampling, decay=v)],
    "weak": [lambda v: learner(gw.AdaptiveResampling, weak=v)],
    "share": [lambda v: learner(gw.GuidedProposals, share=v)],
    "low": [lambda v: gw.Thermometer.uniform(3, (1,), "float32", low=v)],
    "high": [lambda v: gw.Thermometer.uniform(3, (1,), "float32", high=v)],
    "thresholds": [lambda v: gw.Thermometer([[v]], (1,), "float32"), lambda v: gw.Thermometer([[v]], (1,), "int32")],
    "patience": [lambda v: learner(gw.AdaptiveResampling, patience=v)],
    "every": [lambda v: learner(gw.GuidedProposals, every=v)],
    "trials": [lambda v: learner(gw.GuidedProposals, trials=v)],
    "candidates": [lambda v: gw.LogicDense(4, 4, candidates=v), lambda v: gw.LogicConv2d(1, 1, 3, candidates=v)],
    "in_features": [lambda v: gw.LogicDense(v, 4)],
    "stride": [lambda v: gw.LogicConv2d(1, 1, 3, stride=v)],
    "limit": [lambda v: gw.WeightedSum(4, 2, limit=v)],
    "classes": [gw.GroupSum],
}
MAY_BE_NONE = {"tau", "low", "high"}
MAY_BE_TRUE = {"thresholds", "weak", "decay", "share"}


@pytest.mark.parametrize("value", NOT_A_NUMBER, ids=repr)
@pytest.mark.parametrize("name", CLASSES)
def test_classes_refuse_by_name(name, value):
    if (value is None and name in MAY_BE_NONE) or (name in MAY_BE_TRUE and not isinstance(value, float)):
        pytest.skip("means something")
    for make in CLASSES[name]:
        with pytest.raises(GatewrightError, match=name):
            make(value)


def config(place, value):
    tree = {
        "data": {"name": "digits"},
        "model": {"layers": [{"type": "dense", "width": 100}]},
        "train": {"steps": 10},
    }
    *sections, key = place.split(".")
    at = tree
    for section in sections:
        at = at.setdefault(section, {})
    at[key] = value
    if "connections" in sections:
        at["kind"] = "guided" if key != "tolerance" else "resample"
    if "head" in sections:
        at["kind"] = "weighted"
    if "discretization" in sections:
        at["kind"] = "adaptive"
    return from_dict(tree)


OPTIONS = [
    "optimizer.lr", "optimizer.clip", "optimizer.warmup", "model.tau", "model.head.lr", "model.head.limit",
    "connections.margin", "connections.share", "connections.tolerance", "connections.stop", "discretization.tolerance",
    "discretization.start", "data.encoder.low", "data.encoder.high", "data.augment.rotation", "train.seed", "train.batch",
    "train.steps",
]  # fmt: skip


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 1e300, -1e300, 10**400, -1], ids=lambda v: repr(v)[:9]
)
@pytest.mark.parametrize("place", OPTIONS)
def test_configs_refuse_by_name(place, value):
    if value == -1 and place in {"connections.margin", "data.encoder.low", "data.encoder.high"}:
        pytest.skip("in range")
    with pytest.raises(OptionError, match=place.replace(".", r"\.")):
        config(place, value)


@pytest.mark.parametrize("betas", [[0.9, 1.0], [math.nan, 0.9], [-0.1, 0.9], [0.9, math.inf], [0.9]])
def test_betas(betas):
    with pytest.raises(OptionError, match=r"optimizer\.betas"):
        config("optimizer.betas", betas)


def test_seeds_up_to_the_last(tmp_path):
    assert config("train.seed", 2**64 - 1).train.seed == 2**64 - 1
    torch.Generator().manual_seed(2**64 - 1)
    with pytest.raises(OptionError, match=r"train\.seed"):
        config("train.seed", 2**64)


def test_ends_belong_to_ranges():
    assert MARGIN.check("margin", 100) == 100.0
    assert TEMPERATURE.check("tau", 1e-6) == 1e-6
    with pytest.raises(OptionError, match="limit must be at most 2147483647, got a number of 1329 bits"):
        gw.WeightedSum(4, 2, limit=10**400)


@pytest.mark.parametrize("tau", [math.nan, math.inf, 1e300, 1e-300, 0.0])
def test_heads_of_circuits(tau):
    with pytest.raises(FormatError, match=r"head\.tau"):
        Head([0], [0], tau=tau)


@pytest.mark.parametrize("tau", [1e-6, 0.37, 3.0, 1e6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("head", ["sum", "weighted"])
def test_any_temperature_gives_the_classes_of_the_engine(tau, dtype, head):
    generator = torch.Generator().manual_seed(0)
    layer = gw.LogicDense(12, 3000, candidates=2, relaxation="hard", generator=generator)
    ends = {
        "sum": gw.GroupSum(3, tau=tau),
        "weighted": gw.WeightedSum(3000, 3, limit=5, tau=tau, generator=generator),
    }
    model = torch.nn.Sequential(layer, ends[head]).to(dtype).eval()
    x = torch.rand(500, 12, generator=generator) < 0.5
    scores = model(x.float()).detach()
    assert scores.isfinite().all()
    circuit = gw.lower(model, (12,))
    expected = gw.Engine(circuit, threads=1).predict(x.numpy())
    best = (scores == scores.amax(1, keepdim=True)).int().argmax(1)
    assert best.tolist() == expected.tolist()
    assert len(set(expected.tolist())) > 1


def test_networks_that_are_not_finite_are_not_lowered():
    model = network()
    with torch.no_grad():
        model[0].candidates.logits[1, 1] = math.nan
    with pytest.raises(GatewrightError, match="module '0' has weights that are NaN or infinite"):
        gw.lower(model, (4,))


def test_the_config_is_that_of_a_run():
    assert isinstance(config("model.tau", 2.0), RunConfig)
