"""XGBoost's model in JSON, as `booster.save_model("model.json")` writes it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.errors import FormatError, UnsupportedError, shown
from gatewright.foreign.categories import flips
from gatewright.foreign.forest import Forest, reading
from gatewright.runtime.documents import parse_json

_LOGISTIC = "binary:logistic"
_OBJECTIVES = (_LOGISTIC, "binary:logitraw", "multi:softmax", "multi:softprob")


@reading("XGBoost")
def from_xgboost(tree: Any) -> Forest:
    """The forest in a model.

    Args:
        tree: What the JSON holds.

    Raises:
        UnsupportedError: It is no classifier of trees.
        FormatError: An entry is missing or of another kind.
    """
    learner = tree["learner"]
    parameters, objective = learner["learner_model_param"], learner["objective"]["name"]
    version = ".".join(map(str, tree.get("version", [])))
    library = f"XGBoost {version} {objective}"
    booster = learner["gradient_booster"]
    if objective not in _OBJECTIVES:
        raise UnsupportedError(f"{library}: this objective is no classification that is read; expected {_OBJECTIVES}")
    if booster["name"] != "gbtree":
        raise UnsupportedError(f"{library}: the booster is {shown(booster['name'])}, expected gbtree")
    if int(parameters.get("num_target", "1")) != 1:
        raise UnsupportedError(f"{library}: it decides several things at once; a circuit decides one")
    scores = max(1, int(parameters["num_class"]))
    if scores > len(booster["model"]["trees"]):
        raise FormatError(f"{library}: {scores} classes, but {len(booster['model']['trees'])} trees")
    first = parse_json(str(parameters["base_score"]), "base_score")
    base = np.broadcast_to(np.asarray(first, np.float64).ravel(), (scores,))
    if objective == _LOGISTIC:  # kept as a probability
        base = np.array([math.log(base[0]) - math.log1p(-base[0])])
    model = booster["model"]
    return _forest(model, library, base, int(parameters["num_feature"]), tuple(learner.get("feature_names") or ()))


def _whole(numbers: Any) -> npt.NDArray[np.int64]:
    """A list of whole numbers as an array."""
    found = np.asarray(numbers)
    if found.dtype.kind not in "iu":
        raise ValueError(f"{shown(numbers)} are no whole numbers")
    return found.astype(np.int64)


def _forest(
    model: Any, library: str, base: npt.NDArray[np.float64], n_features: int, feature_names: tuple[str, ...]
) -> Forest:
    classes = max(2, len(base))
    if len(model["trees"]) < len(base) or set(model["tree_info"]) - set(range(len(base))):
        raise FormatError(f"{library}: {len(model['trees'])} trees do not serve the {len(base)} scores")
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}
    roots, count = [], 0
    asked: dict[int, npt.NDArray[np.float64]] = {}
    for tree, place in zip(model["trees"], model["tree_info"], strict=True):
        if int(tree["tree_param"].get("size_leaf_vector", "1")) > 1:
            raise UnsupportedError(f"{library}: leaves hold several values (multi_strategy), which is not read")
        left, right, feature = (_whole(tree[name]) for name in ("left_children", "right_children", "split_indices"))
        condition = np.array(tree["split_conditions"], np.float64)
        leaf = left < 0
        if (feature[~leaf] < 0).any():
            raise FormatError(f"{library}: a node compares a feature of negative number")
        value = np.zeros((len(leaf), classes))
        value[:, place if len(base) > 1 else 1] = np.where(leaf, condition, 0)
        parts["feature"].append(np.where(leaf, -1, feature))
        # Written with as many digits as a float32 needs, and compared as one.
        parts["threshold"].append(np.where(leaf, 0, condition.astype(np.float32)))
        parts["left"].append(left + count)
        parts["right"].append(right + count)
        parts["value"].append(value)
        for node, intervals in _categories(tree, leaf, library).items():
            asked[count + node] = flips(intervals, inside_right=True)
        roots.append(count)
        count += len(leaf)
    if not roots:
        raise UnsupportedError(f"{library}: the model has no trees")
    first = np.zeros(classes)
    first[classes - len(base) :] = base
    joined: dict[str, Any] = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return Forest(
        root=np.array(roots),
        base=first,
        n_features=n_features,
        library=library,
        at_threshold_left=False,
        feature_names=feature_names,
        flips=asked,
        **joined,
    )


def _categories(tree: Any, leaf: npt.NDArray[np.bool_], library: str) -> dict[int, list[tuple[float, float]]]:
    """Of nodes that ask for categories, those that go right: features are cut to whole numbers, all others go left."""
    kinds = _whole(tree.get("split_type", np.zeros(len(leaf), np.int64)))
    first, sizes, nodes, chosen = (
        _whole(tree.get(f"categories{name}") or np.zeros(0, np.int64)) for name in ("_segments", "_sizes", "_nodes", "")
    )
    if kinds.shape != leaf.shape or set(np.flatnonzero((kinds != 0) & ~leaf).tolist()) != set(nodes.tolist()):
        raise FormatError(f"{library}: the nodes that ask for categories are not those that have some")
    if (chosen < 0).any():
        raise FormatError(f"{library}: category {chosen.min()}, expected whole numbers from 0 on")
    return {
        node: [(c, c + 1) for c in set(chosen[begin : begin + size].tolist())]
        for node, begin, size in zip(nodes.tolist(), first.tolist(), sizes.tolist(), strict=True)
    }
