"""LightGBM's model in JSON, as `json.dump(booster.dump_model(), file)` writes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.errors import FormatError, UnsupportedError, shown
from gatewright.foreign.categories import flips
from gatewright.foreign.forest import Forest, reading

_OBJECTIVES = ("binary", "multiclass")


@reading("LightGBM")
def from_lightgbm(model: Any) -> Forest:
    """The forest in a model.

    Args:
        model: What the JSON holds.

    Raises:
        UnsupportedError: It is no classifier of trees.
        FormatError: An entry is missing or of another kind.
    """
    objective = str(model["objective"])
    library = f"LightGBM {model['version']} {objective}"
    if objective.split(" ", maxsplit=1)[0] not in _OBJECTIVES:
        raise UnsupportedError(f"{library}: this objective is no classification that is read; expected {_OBJECTIVES}")
    per_stage, trees = int(model["num_tree_per_iteration"]), len(model["tree_info"])
    if not 0 < per_stage <= trees or trees % per_stage:
        raise FormatError(f"{library}: {trees} trees are not whole rounds of {per_stage}")
    classes = max(2, per_stage)
    nodes = _Nodes(library, classes)
    for i, tree in enumerate(model["tree_info"]):
        nodes.add(tree["tree_structure"], i % per_stage if per_stage > 1 else 1)
    return Forest(
        root=np.array(nodes.roots),
        feature=np.array(nodes.feature, np.int64),
        threshold=np.array(nodes.threshold, np.float64),
        left=np.array(nodes.left, np.int64),
        right=np.array(nodes.right, np.int64),
        value=np.array(nodes.value, np.float64).reshape(-1, classes),
        base=np.zeros(classes),
        n_features=int(model["max_feature_idx"]) + 1,
        library=library,
        compares_float32=False,
        divisor=float(trees // per_stage) if model["average_output"] else 1.0,
        feature_names=tuple(map(str, model["feature_names"])),
        flips=nodes.flips,
    )


class _Nodes:
    """Nested trees as lists of nodes."""

    def __init__(self, library: str, classes: int) -> None:
        self._library, self._classes = library, classes
        self.roots: list[int] = []
        self.feature: list[int] = []
        self.threshold: list[float] = []
        self.left: list[int] = []
        self.right: list[int] = []
        self.value: list[list[float]] = []
        self.flips: dict[int, npt.NDArray[np.float64]] = {}

    def add(self, structure: Any, place: int) -> None:
        """Append a tree that adds to the score of one class."""
        self.roots.append(len(self.feature))
        waiting = [(structure, self.left, -1)]
        while waiting:
            node, side, parent = waiting.pop()
            here = len(self.feature)
            if parent >= 0:
                side[parent] = here
            value = [0.0] * self._classes
            if "split_feature" not in node:
                value[place] = float(node["leaf_value"])
            self.feature.append(-1)
            self.threshold.append(0.0)
            self.left.append(-1)
            self.right.append(-1)
            self.value.append(value)
            if "split_feature" in node:
                self._split(node, here)
                waiting += [(node["left_child"], self.left, here), (node["right_child"], self.right, here)]

    def _split(self, node: Any, here: int) -> None:
        if node["decision_type"] not in {"<=", "=="}:
            raise UnsupportedError(
                f"{self._library}: a node decides by {shown(node['decision_type'])}, which is not known; expected '<=' or, "
                "for categories, '=='"
            )
        if node["missing_type"] == "Zero":
            raise UnsupportedError(f"{self._library}: zeros are missing values (zero_as_missing), which is not read")
        if not isinstance(node["split_feature"], int) or node["split_feature"] < 0:
            raise FormatError(f"{self._library}: a node compares feature {shown(node['split_feature'])}")
        self.feature[here] = node["split_feature"]
        if node["decision_type"] == "<=":
            self.threshold[here] = float(node["threshold"])
            return
        # Features are cut to whole numbers, so 0 begins behind -1; what is below, or unknown, goes right.
        chosen = [int(category) for category in str(node["threshold"]).split("||")]
        if min(chosen) < 0:
            raise FormatError(f"{self._library}: category {min(chosen)}, expected whole numbers from 0 on")
        self.flips[here] = flips([(c or float(np.nextafter(-1.0, 0)), c + 1) for c in set(chosen)], inside_right=False)
