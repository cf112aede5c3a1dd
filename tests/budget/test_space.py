"""The space of a search: everything in it is predicted to fit."""

import numpy as np
import optuna
import pandas as pd
import pytest

import gatewright as gw
from gatewright.budget.limits import Budget
from gatewright.budget.space import Space
from gatewright.data import Dataset
from gatewright.errors import OptionError, UnsupportedError


@pytest.fixture(scope="module")
def digits():
    return gw.load_dataset("digits")


@pytest.fixture(scope="module")
def space(digits):
    return Space(digits, Budget(total_ops=1500))


def drawn(space, number, seed=1):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [space.suggest(study.ask()) for _ in range(number)]


def test_points_that_can_be_built_are_predicted_to_fit(space):
    kinds, refused = set(), 0
    for point in drawn(space, 40):
        try:
            config = space.build(point, lambda config: 100, 5)
        except OptionError as error:
            assert "of the budget" in str(error)  # noqa: PT017 - both ends are right
            refused += 1
            continue
        kinds.add(point["network"])
        smallest = config.model.layers[-1].width == 20
        assert space.budget.use(space.predictor.figures(config)) <= (1 if smallest else point["fill"])
        assert (config.train.steps, config.train.seed) == (100, 5)
    assert kinds == {"dense", "trees", "conv"}
    assert refused < 20


def test_a_network_fills_its_share(space):
    for kind in space.networks:
        config = space.build({"network": kind, "fill": 0.9}, lambda config: 1, 0)
        assert 0.7 < space.budget.use(space.predictor.figures(config)) <= 0.9


def test_trees_behind_convolutions_begin_as_any_gate(space):
    config = space.build({"network": "conv", "k": 2, "behind": 3, "fill": 0.9}, lambda config: 1, 0)
    trees = [layer for layer in config.model.layers if layer.type == "dense"]
    assert [(layer.inputs, layer.gates, layer.init) for layer in trees] == [
        (0, "logic", "gaussian"),
        (2, "logic", "gaussian"),
        (2, "logic", "gaussian"),
    ]
    assert trees[0].width == 2 * trees[1].width == 4 * trees[2].width
    alone = space.build({"network": "conv", "k": 2, "behind": 1, "fill": 0.9}, lambda config: 1, 0)
    assert alone.model.layers[-1].width > trees[-1].width, "a counted bit costs less than a tree with it"


def test_a_preset_with_trees_behind_convolutions_is_a_point():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 1, 28, 28), np.uint8)
    like = Dataset.from_arrays(pixels, [*range(10)] * 6, name="mnist")
    starts = Space(like, Budget(total_ops=5000)).warm_starts()
    assert {(point["k"], point["behind"]) for point in starts if point["network"] == "conv"} >= {(4, 4), (12, 4)}


def test_how_long_pairs_are_judged_is_a_parameter_and_that_of_presets_is_a_point():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 3, 32, 32), np.uint8)
    space = Space(Dataset.from_arrays(pixels, [*range(10)] * 6, name="cifar10"), Budget(total_ops=60_000))
    starts = [point for point in space.warm_starts() if point["network"] == "conv" and point["judged"] > 2]
    known = {(point["k"], point["behind"], point["thresholds"], point["judged"]) for point in starts}
    assert known >= {(24, 2, 7, 32), (48, 2, 7, 32)}
    guided = [point for point in drawn(space, 60) if point["connections"] == "guided"]
    assert {point["judged"] for point in guided} == {2, 8, 16, 32}
    for point, rounds in (
        (starts[0], (40, 32)),
        ({**starts[0], "judged": 2}, (10, 2)),
        ({"network": "dense"}, (10, 2)),
    ):
        connections = space.build({**point, "fill": 0.9}, lambda config: 1, 0).connections
        assert (connections.every, connections.batches) == rounds


def test_convolutions_are_unshared_or_not_and_those_of_presets_are_points():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 3, 32, 32), np.uint8)
    space = Space(Dataset.from_arrays(pixels, [*range(10)] * 6, name="cifar10"), Budget(total_ops=60_000))
    drawn_ones = [point for point in drawn(space, 60) if point["network"] == "conv"]
    assert {point["unshared"] for point in drawn_ones} == {False, True}
    for unshared, moment in ((True, 0.5), (False, None)):
        point = {"network": "conv", "fill": 0.9, "unshared": unshared}
        assert space.build(point, lambda config: 4000, 0).model.unshare == moment
    starts = [point for point in space.warm_starts() if point["network"] == "conv"]
    assert starts[-1]["unshared"], "the recipe"
    assert not any(point.get("unshared") for point in space.warm_starts() if point["network"] != "conv")


def test_gates_have_prices_in_the_currency_that_is_short(digits):
    point = {"network": "dense", "fill": 0.9, "cost": 0.01}
    for budget, weight, currency in ((Budget(total_ops=3000), 0.01, "ops"), (Budget(nand=6000), 0.005, "nand")):
        cost = Space(digits, budget).build(point, lambda config: 1, 0).cost
        assert (cost.weight, cost.currency) == (weight, currency)
    assert Space(digits, Budget(nand=6000)).build({"fill": 0.9}, lambda config: 1, 0).cost.weight == 0


def test_what_was_counted_scales_what_is_predicted(space):
    usual = space.build({"fill": 0.9}, lambda config: 1, 0)
    careful = space.build({"fill": 0.9}, lambda config: 1, 0, scale=1.5)
    assert careful.model.layers[-1].width < usual.model.layers[-1].width


def test_presets_and_recipes_are_points_of_the_space(space):
    starts = space.warm_starts()
    assert {point["network"] for point in starts} == {"dense", "trees", "conv"}
    assert any(point["depth"] == 2 and point["thresholds"] == 3 for point in starts), "the preset `digits`"
    study = optuna.create_study()
    for point in starts:
        study.enqueue_trial(point)
        taken = space.suggest(study.ask())
        assert taken == {key: point[key] for key in taken}, "nothing was out of range"
        space.build(taken, lambda config: 1, 0)


def test_a_budget_that_nothing_fits_says_what_the_smallest_takes(digits):
    with pytest.raises(
        OptionError, match=r"no network for digits fits 20 total ops: the smallest .* to take \d+ total ops"
    ):
        Space(digits, Budget(total_ops=20)).check()
    small = Space(digits, Budget(total_ops=20))
    assert small.networks == ()
    Space(digits, Budget(total_ops=1000)).check()


def test_pixels_with_classes_are_refused():
    with pytest.raises(UnsupportedError, match="shapes has a class for every pixel"):
        Space(gw.load_dataset("shapes"), Budget(total_ops=1000))


def test_features_of_different_types_have_thresholds_at_quantiles():
    frame = pd.DataFrame({"price": range(2000), "sold": [0, 1] * 1000, "good": [0, 0, 1, 1] * 500})
    space = Space(Dataset.from_frame(frame, "good"), Budget(total_ops=500))
    points = drawn(space, 10)
    assert {point.get("encoder", "quantile") for point in points} == {"quantile"}
    assert all(
        space.predictor.figures(space.build({**point, "network": "dense"}, lambda config: 1, 0)) for point in points[:2]
    )
