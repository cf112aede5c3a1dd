"""The space of a search: options of networks and their training, with sizes that follow from the budget.

A point of the space says what kind of network it is and which share of the budget it may fill; how wide its layers are is
then the greatest width that is predicted to fit. So every point that can be built is predicted to fit, and kinds of
networks whose smallest member does not fit are not in the space.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewright.budget.limits import UNITS, Budget
from gatewright.budget.predictor import Predictor
from gatewright.data import Dataset
from gatewright.errors import OptionError, UnsupportedError
from gatewright.training import load
from gatewright.training.config import RunConfig

if TYPE_CHECKING:
    import optuna

Point = Mapping[str, Any]
"""Values of the parameters of one trial."""

THRESHOLDS = (1, 2, 3, 5, 7, 11, 16)
CHANNELS = (2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
BEHIND = (1, 2, 3, 4)
"""Layers behind convolutions: single gates, or trees of 3, 7 or 15."""

SMALLEST = {"dense": {"depth": 1, "taper": 1.0, "head": "sum"}, "trees": {"levels": 2, "head": "sum"}}
WIDEST = 1 << 17
"""Bits per class of the last layer, at most."""

SIDE = 8
"""Pixels that an image needs in both directions for the stack of convolutions."""


@dataclass(frozen=True)
class Space:
    """What is searched for a data set and a budget.

    Args:
        dataset: What the networks learn.
        budget: What they may take.
        source: The section `data` of configs that read it; empty for the data set of its name.

    Raises:
        UnsupportedError: The data set has a class for every pixel, or no validation samples to choose on.
    """

    dataset: Dataset
    budget: Budget
    source: Mapping[str, Any] = field(default_factory=dict)
    predictor: Predictor = field(init=False)

    def __post_init__(self) -> None:
        if self.dataset.label_shape:
            raise UnsupportedError(
                f"{self.dataset.name} has a class for every pixel; a search knows networks that decide for whole samples"
            )
        if self.dataset.numbers:
            raise UnsupportedError(f"{self.dataset.name} has a number per sample; a search knows networks of classes")
        if not len(self.dataset.validation):
            raise UnsupportedError(f"{self.dataset.name} has no validation samples, on which a search chooses")
        object.__setattr__(self, "predictor", Predictor(self.dataset))

    @property
    def image(self) -> bool:
        """Whether the samples are images."""
        return len(self.dataset.shape) == 3

    @property
    def _shifts(self) -> int:
        """Pixels that images may be moved by, at most; a tenth of a small one may be a stroke."""
        return min(self.dataset.shape[1:]) // 9 if self.image and min(self.dataset.shape[1:]) >= 2 * SIDE else 0

    @cached_property
    def thresholds(self) -> tuple[int, ...]:
        """Thresholds per feature that leave room for a network; one where all features are 0 or 1."""
        return tuple(n for n in self._thresholds if any(self._fits(point) for point in self._least(n)))

    @property
    def _thresholds(self) -> Sequence[int]:
        return (1,) if self.dataset.dtype == "bool" or self.dataset.binary_features.all() else THRESHOLDS

    @property
    def _encoders(self) -> tuple[str, ...]:
        """How thresholds may lie; features of different types have no common range to spread them over."""
        return ("quantile",) if self.dataset.types else ("quantile", "uniform")

    @cached_property
    def networks(self) -> tuple[str, ...]:
        """Kinds of networks whose smallest member is predicted to fit."""
        kinds = {point["network"] for n in self.thresholds[:1] for point in self._least(n) if self._fits(point)}
        return tuple(sorted(kinds))

    @cached_property
    def channels(self) -> tuple[int, ...]:
        """Numbers of channels k whose convolutions leave room for a layer behind them."""
        if "conv" not in self.networks:
            return ()
        return tuple(k for k in CHANNELS if self._fits(self._conv(self.thresholds[0], k)))

    def check(self) -> None:
        """Refuse a budget that no network of the space fits.

        Raises:
            OptionError: Nothing fits; the message says what the smallest network takes.
        """
        if self.networks:
            return
        points = [point for n in self._thresholds[:1] for point in self._least(n)]
        uses = [(self.predictor.figures(self._smallest(point)), point) for point in points]
        figures, point = min(uses, key=lambda pair: self.budget.use(pair[0]))
        needs = ", ".join(f"{figures[name]:,.0f} {UNITS[name]}" for name in self.budget.limits)
        raise OptionError(
            f"no network for {self.dataset.name} fits {self.budget}: the smallest that is known ({point['network']}, "
            f"{point['thresholds']} threshold per feature, {2 * self.dataset.n_classes} output bits) is predicted to take "
            f"{needs}"
        )

    def _least(self, thresholds: int) -> Iterator[Point]:
        for kind, shape in SMALLEST.items():
            yield {"network": kind, "thresholds": thresholds, **shape}
        if self.image and min(self.dataset.shape[1:]) >= SIDE:
            yield self._conv(thresholds, CHANNELS[0])

    @staticmethod
    def _conv(thresholds: int, k: int) -> Point:
        return {"network": "conv", "thresholds": thresholds, "k": k, "behind": 1, "head": "sum"}

    def _smallest(self, point: Point) -> RunConfig:
        return self._config({**DEFAULTS, **point}, 2, 1)

    def _fits(self, point: Point) -> bool:
        return self.budget.use(self.predictor.figures(self._smallest(point))) <= 1

    def suggest(self, trial: optuna.Trial) -> dict[str, Any]:
        """Draw a point; which parameters there are depends on the kind of network, not on the trials before."""
        point: dict[str, Any] = {"network": trial.suggest_categorical("network", self.networks)}
        point["thresholds"] = trial.suggest_categorical("thresholds", self.thresholds)
        if not self.image and len(self.thresholds) > 1:
            point["encoder"] = trial.suggest_categorical("encoder", self._encoders)
        if point["network"] == "dense":
            point["depth"] = trial.suggest_int("depth", 1, 3)
            point["taper"] = trial.suggest_float("taper", 0.3, 1.0) if point["depth"] > 1 else 1.0
        elif point["network"] == "trees":
            point["levels"] = trial.suggest_int("levels", 2, 5)
        else:
            point["k"] = trial.suggest_categorical("k", self.channels)
            point["behind"] = trial.suggest_categorical("behind", list(BEHIND))
            point["unshared"] = trial.suggest_categorical("unshared", [False, True])
        point["head"] = "sum" if point["network"] == "conv" else trial.suggest_categorical("head", list(HEADS))
        point["fill"] = trial.suggest_float("fill", 0.6, 1.0)
        point["candidates"] = trial.suggest_categorical("candidates", [4, 8, 16])
        point["connections"] = trial.suggest_categorical("connections", ["guided", "resample"])
        if point["connections"] == "guided":
            point["margin"] = trial.suggest_float("margin", 0.2, 2.0, log=True)
            point["judged"] = trial.suggest_categorical("judged", list(JUDGED))
        point["tau"] = trial.suggest_categorical("tau", ["measured", "rule"])
        point["lr"] = trial.suggest_float("lr", 0.002, 0.05, log=True)
        point["batch"] = trial.suggest_categorical("batch", list(BATCHES))
        point["cost"] = trial.suggest_categorical("cost", list(COSTS))
        if self.image:
            point["augment"] = trial.suggest_float("augment", 0.0, 1.5)
            if self._shifts:
                point["shift"] = trial.suggest_int("shift", 0, self._shifts)
            point["flip"] = trial.suggest_categorical("flip", [False, True])
        return point

    def build(self, point: Point, steps: Callable[[RunConfig], int], seed: int, scale: float = 1.0) -> RunConfig:
        """The config of a point: as wide as is predicted to fit.

        Args:
            point: A point of the space; what it leaves out is as in `DEFAULTS`.
            steps: How long to train a network of this size.
            seed: Of the run.
            scale: What predictions are multiplied by, from networks of the kind that were counted.

        Raises:
            OptionError: Not even its smallest network is predicted to fit.
        """
        point = {**DEFAULTS, **point}

        def use(n: int) -> float:
            return scale * self.budget.use(self.predictor.figures(self._config(point, n, 1)))

        if use(2) > 1:
            raise OptionError(f"the smallest network of {dict(point)} is predicted to take {use(2):.2f} of the budget")
        low, high = 2, WIDEST
        while high - low > max(0, low // 200):
            middle = (low + high + 1) // 2
            low, high = (middle, high) if use(middle) <= point["fill"] else (low, middle - 1)
        sized = self._config(point, low, 1)
        return self._config(point, low, steps(sized), seed)

    def _config(self, point: Point, n: int, steps: int, seed: int = 0) -> RunConfig:
        tree = {
            "data": {**(self.source or {"name": self.dataset.name}), "encoder": self._encoder(point)},
            "model": {
                "relaxation": "hard",
                "candidates": point["candidates"],
                "init": "residual" if point["network"] == "conv" or point.get("depth", 1) > 1 else "gaussian",
                "tau": "measured" if point["tau"] == "measured" else None,
                "head": HEADS[point["head"]],
                "layers": self._layers(point, n * self.dataset.n_classes),
            },
            "optimizer": {"lr": point["lr"], "schedule": "one-cycle"},
            "connections": _connections(point),
            "cost": self._cost(point),
            "train": {"steps": steps, "batch": point["batch"], "seed": seed},
        }
        if point["network"] == "conv":
            tree["model"] |= {"k": point["k"], "unshare": 0.5 if point["unshared"] else None}
        if self.image and (point["augment"] >= 0.1 or point["shift"] or point["flip"]):
            tree["data"]["augment"] = self._augment(point)
        return load.from_dict(tree, "search")

    def _cost(self, point: Point) -> dict[str, Any]:
        """Prices of the gates, in the currency that is short."""
        if set(self.budget.limits) == {"nand"}:
            return {"weight": point["cost"] / NANDS, "currency": "nand"}
        return {"weight": point["cost"], "currency": "ops"}

    def _encoder(self, point: Point) -> dict[str, Any]:
        if not self.image:
            kind = point["encoder"]
            return {"kind": kind, "thresholds": point["thresholds"], **(self._range if kind == "uniform" else {})}
        return {"kind": "uniform", "thresholds": point["thresholds"], **self._range}

    @cached_property
    def _range(self) -> dict[str, float]:
        """Where even thresholds lie: the values that the training samples have, as their type may allow many more."""
        if self.dataset.dtype == "bool":
            return {}
        x = self.dataset.train.x[:, ~self.dataset.binary_features.reshape(self.dataset.shape)]
        low, high = (float(np.min(x)), float(np.max(x))) if x.size else (0.0, 1.0)
        return {"low": low, "high": high if high > low else low + 1}

    def _layers(self, point: Point, width: int) -> list[dict[str, Any]]:
        flatten: dict[str, Any] = {"type": "flatten"}
        if point["network"] == "dense":
            depth = point["depth"]
            widths = [max(1, round(width / point["taper"] ** i)) for i in reversed(range(depth))]
            return [flatten, *({"type": "dense", "width": each} for each in widths)]
        if point["network"] == "trees":
            return [flatten, *_trees(point["levels"], width)]
        stack = [("k", 2), ("k", 1), ("4 * k", 2), ("4 * k", 1)]
        convolutions = [{"type": "conv", "channels": channels, "stride": stride} for channels, stride in stack]
        if point["behind"] == 1:
            return [*convolutions, flatten, {"type": "dense", "width": width}]
        # Behind convolutions, whose neurons begin as wires, those of trees begin as any gate.
        return [*convolutions, flatten, *({**layer, "init": "gaussian"} for layer in _trees(point["behind"], width))]

    def _augment(self, point: Point) -> dict[str, Any]:
        strength, size = point["augment"], min(self.dataset.shape[1:]) / 28
        return {
            "rotation": round(8 * strength, 2),
            "scale": round(0.08 * strength, 3),
            "bend": round(0.7 * strength * size, 3),
            "shift": point["shift"],
            "flip": point["flip"],
        }

    def warm_starts(self) -> list[dict[str, Any]]:
        """Points to begin with: our presets for this data set scaled to the budget, then one of each kind of network.

        Presets that take about as much as the budget come first: theirs needs the least scaling, and time may end soon.
        """
        presets = [config for config in map(load.load_preset, load.preset_names()) if self._is_known(config)]
        points = [self._nearest(config) for config in sorted(presets, key=self._distance)]
        points += [{**DEFAULTS, **RECIPES[kind]} for kind in self.networks]
        unique = {repr(sorted(point.items())): point for point in map(self._clipped, points) if self._member(point)}
        return list(unique.values())

    def _is_known(self, config: RunConfig) -> bool:
        return config.data.name == self.dataset.name and config.model.relaxation == "hard"

    def _distance(self, config: RunConfig) -> float:
        """How far a preset is from the budget, as the logarithm of a factor."""
        return abs(math.log(self.budget.use(self.predictor.figures(config))))

    def _member(self, point: Point) -> bool:
        return point["network"] in self.networks

    def _nearest(self, config: RunConfig) -> dict[str, Any]:
        """The point nearest to a preset; its widths are not of interest, as those follow from the budget."""
        layers = [layer for layer in config.model.layers if layer.learned]
        head = config.model.head
        weighted = f"weighted-{1 if getattr(head, 'limit', 1) == 1 else 3}" if head.kind == "weighted" else "sum"
        point: dict[str, Any] = {
            "thresholds": config.data.encoder.thresholds,
            "encoder": config.data.encoder.kind,
            "head": weighted,
            "candidates": config.model.candidates,
            "lr": config.model.rate if config.optimizer.lr is None else config.optimizer.lr,
            "batch": config.train.batch,
            "tau": "measured" if config.model.tau == "measured" else "rule",
            "connections": config.connections.kind,
            "margin": getattr(config.connections, "margin", DEFAULTS["margin"]),
            "judged": getattr(config.connections, "batches", DEFAULTS["judged"]),
            "augment": config.data.augment.rotation / 8,
            "shift": config.data.augment.shift,
            "flip": config.data.augment.flip,
            "cost": config.cost.weight * (NANDS if config.cost.currency == "nand" else 1),
            "fill": 0.88,
        }
        if any(layer.type == "conv" for layer in layers):
            behind = sum(layer.type == "dense" for layer in layers)
            conv = {"network": "conv", "k": config.model.k or DEFAULTS["k"], "behind": behind, "head": "sum"}
            conv["unshared"] = config.model.unshare is not None
            return {**DEFAULTS, **point, **conv}
        if any(getattr(layer, "inputs", 0) == 2 for layer in layers):
            return {**DEFAULTS, **point, "network": "trees", "levels": len(layers)}
        depth = sum(getattr(layer, "repeat", 1) for layer in layers)
        return {**DEFAULTS, **point, "network": "dense", "depth": depth, "taper": 0.5 if len(layers) > 1 else 1.0}

    def _clipped(self, point: Point) -> dict[str, Any]:
        """The same with every value inside of the space, and without parameters that its kind does not have."""
        near: dict[str, Any] = dict(point)
        near["encoder"] = near["encoder"] if near["encoder"] in self._encoders else self._encoders[0]
        choices: dict[str, Sequence[float]] = {
            "thresholds": self.thresholds, "k": self.channels or (DEFAULTS["k"],), "behind": BEHIND,
            "candidates": (4, 8, 16),
            "batch": BATCHES, "cost": COSTS, "judged": tuple(JUDGED),
        }  # fmt: skip
        for key, values in choices.items():
            near[key] = min(values, key=lambda value: abs(value - near[key]))
        limits = {"depth": (1, 3), "levels": (2, 5), "taper": (0.3, 1.0), "fill": (0.6, 1.0), "margin": (0.2, 2.0)}
        limits |= {"lr": (0.002, 0.05), "augment": (0.0, 1.5), "shift": (0, self._shifts)}
        for key, (low, high) in limits.items():
            near[key] = min(max(near[key], low), high)
        if near["connections"] not in {"guided", "resample"}:
            near["connections"] = "guided"
        return near


DEFAULTS: dict[str, Any] = {
    "network": "dense", "thresholds": 1, "encoder": "quantile", "depth": 1, "taper": 1.0, "levels": 3, "k": 16,
    "behind": 1, "unshared": False, "head": "sum",
    "fill": 0.88, "candidates": 8, "connections": "guided", "margin": 0.3, "judged": 2, "tau": "rule", "lr": 0.01,
    "batch": 128, "augment": 0.0, "shift": 0, "flip": False, "cost": 0.0,
}  # fmt: skip
"""Values of parameters that a point does not have."""

RECIPES: dict[str, dict[str, Any]] = {
    "dense": {"network": "dense", "thresholds": 3},
    "trees": {"network": "trees", "thresholds": 1, "lr": 0.0025},
    "conv": {
        "network": "conv", "behind": 4, "tau": "measured", "lr": 0.02, "batch": 256, "margin": 1.5, "cost": 0.003,
        "unshared": True,
    },
}  # fmt: skip
"""What has worked for each kind of network, where there is no preset for the data."""

HEADS: dict[str, dict[str, Any]] = {
    "sum": {"kind": "sum"},
    "weighted-1": {"kind": "weighted", "limit": 1, "lr": 0.003},
    "weighted-3": {"kind": "weighted", "limit": 3, "lr": 0.003},
}
BATCHES = (64, 128, 256, 512)
JUDGED = {2: 10, 8: 40, 16: 40, 32: 40}
"""Batches over which guided proposals judge pairs, with the steps of a round."""

COSTS = (0.0, 0.001, 0.003, 0.01, 0.03)
"""What a thousand gates add to the loss: nothing, or what suits large circuits to what suits small ones."""

NANDS = 2
"""NAND gates and inverters of a gate, about."""


def _trees(levels: int, width: int) -> list[dict[str, Any]]:
    """Layers that make so many trees."""
    widths = [width << i for i in reversed(range(levels))]
    inputs = [0, *[2] * (levels - 1)]
    return [
        {"type": "dense", "width": each, "inputs": wired, "gates": "logic"}
        for each, wired in zip(widths, inputs, strict=True)
    ]


def _connections(point: Point) -> dict[str, Any]:
    if point["connections"] == "resample":
        return {"kind": "resample"}
    judged = point["judged"]
    return {
        "kind": "guided",
        "every": JUDGED[judged],
        "batches": judged,
        "margin": round(point["margin"], 3),
        "stop": 0.8,
    }
