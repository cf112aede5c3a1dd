"""Trees and forests of scikit-learn: read from fitted classifiers, without importing the library."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.errors import NotFittedError, UnsupportedError, shown
from gatewright.foreign.categories import exactly, flips
from gatewright.foreign.forest import Forest

Float64Array = npt.NDArray[np.float64]


def from_scikit(model: Any) -> Forest:
    """The forest in a fitted classifier.

    Args:
        model: One of the classifiers in `KINDS`.

    Raises:
        UnsupportedError: It is another estimator, or does something that is no comparison of a number.
        NotFittedError: It has not been fitted.
    """
    name = type(model).__name__
    if name not in KINDS or not type(model).__module__.startswith("sklearn."):
        hint = "; of a pipeline pass the classifier, `pipeline[-1]`: the circuit takes what that takes" * (
            name in {"Pipeline", "GridSearchCV", "RandomizedSearchCV"}
        )
        raise UnsupportedError(f"{name} of scikit-learn is no circuit; expected one of {', '.join(KINDS)}{hint}")
    if not hasattr(model, "classes_"):
        raise NotFittedError(f"this {name} is not fitted: call fit first")
    if np.ndim(model.classes_[0]) or getattr(model, "n_outputs_", 1) != 1:
        raise UnsupportedError(f"this {name} decides several things at once; a circuit decides one: fit one for each")
    library = f"scikit-learn {getattr(sys.modules.get('sklearn'), '__version__', '')} {name}"
    return KINDS[name](model, library)


def _forest(model: Any, library: str, trees: Sequence[Any], values: Sequence[Float64Array], **rest: Any) -> Forest:
    """Trees of class `Tree`, with what each node's samples say (leaves alone matter)."""
    first = np.cumsum([0, *(tree.node_count for tree in trees)])
    left, right, feature = (
        np.concatenate([getattr(tree, name) for tree in trees]).astype(np.int64)
        for name in ("children_left", "children_right", "feature")
    )
    leaf = left < 0
    start = np.repeat(first[:-1], [tree.node_count for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    return _named(
        model,
        library,
        root=first[:-1],
        feature=np.where(leaf, -1, feature),
        threshold=threshold,
        left=left + start,
        right=right + start,
        value=np.concatenate(values),
        **rest,
    )


def _named(model: Any, library: str, **parts: Any) -> Forest:
    return Forest(
        n_features=int(model.n_features_in_),
        library=library,
        class_names=tuple(map(str, np.asarray(model.classes_).tolist())),
        feature_names=tuple(map(str, getattr(model, "feature_names_in_", ()))),
        **parts,
    )


def _fractions(tree: Any) -> Float64Array:
    """Class fractions float64 [nodes, classes] of a tree, as `predict_proba` makes them."""
    weights = np.asarray(tree.value[:, 0, :], np.float64)
    total = weights.sum(1, keepdims=True)
    # Older versions keep weighted counts; of fractions the sum is 1 already, and dividing would round them.
    counts = np.abs(total - 1).max(initial=0) > 1e-6
    return weights / np.where(total == 0, 1, total) if counts else weights


def _tree(model: Any, library: str) -> Forest:
    """A leaf votes for its most frequent class alone, as `predict` decides: that is exact."""
    value = np.asarray(model.tree_.value[:, 0, :])
    votes = np.eye(value.shape[1])[value.argmax(1)]
    return _forest(model, library, [model.tree_], [votes], base=np.zeros(value.shape[1]))


def _mean(model: Any, library: str) -> Forest:
    """Mean of the class fractions of the leaves; exact where all leaves are pure."""
    trees = [estimator.tree_ for estimator in model.estimators_]
    values = [_fractions(tree) for tree in trees]
    return _forest(model, library, trees, values, base=np.zeros(values[0].shape[1]), divisor=float(len(trees)))


def _boosting(model: Any, library: str) -> Forest:
    """Sums of regression trees: one tree per class and stage, or one for both of two classes."""
    if model.init_ != "zero" and type(model.init_).__name__ != "DummyClassifier":
        raise UnsupportedError(
            f"this {type(model).__name__} starts from a {type(model.init_).__name__} (init=), which is no circuit"
        )
    stages, per_stage = model.estimators_.shape
    classes = max(2, per_stage)
    base = np.zeros(classes)
    # The first scores do not depend on the sample.
    base[classes - per_stage :] = model._raw_predict_init(np.zeros((1, model.n_features_in_), np.float32))[0]  # noqa: SLF001
    trees, values = [], []
    for estimator, place in zip(model.estimators_.ravel(), list(range(per_stage)) * stages, strict=True):
        trees.append(estimator.tree_)
        value = np.zeros((estimator.tree_.node_count, classes))
        value[:, classes - per_stage + place] = model.learning_rate * estimator.tree_.value[:, 0, 0]
        values.append(value)
    return _forest(model, library, trees, values, base=base, ties_to_last=per_stage == 1)


def _histogram_boosting(model: Any, library: str) -> Forest:
    stages = model._predictors  # noqa: SLF001
    per_stage = model.n_trees_per_iteration_
    classes = max(2, per_stage)
    base = np.zeros(classes)
    base[classes - per_stage :] = np.ravel(model._baseline_prediction)  # noqa: SLF001
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}
    roots, count = [], 0
    column, known = _columns(model)
    asked: dict[int, Float64Array] = {}
    for stage in stages:
        for place, predictor in enumerate(stage):
            nodes = predictor.nodes
            leaf = nodes["is_leaf"].astype(np.bool_)
            value = np.zeros((len(nodes), classes))
            value[:, classes - per_stage + place] = nodes["value"]
            parts["feature"].append(np.where(leaf, -1, column[np.where(leaf, 0, nodes["feature_idx"])]))
            for i in np.flatnonzero(nodes["is_categorical"].astype(np.bool_) & ~leaf).tolist():
                goes_left = np.unpackbits(
                    predictor.raw_left_cat_bitsets[nodes["bitset_idx"][i]].view(np.uint8), bitorder="little"
                ).astype(np.bool_)
                others_left = bool(nodes["missing_go_to_left"][i])  # categories that training had not
                differ = [
                    exactly(c) for j, c in enumerate(known[nodes["feature_idx"][i]]) if goes_left[j] != others_left
                ]
                asked[count + i] = flips(differ, inside_right=others_left)
            parts["threshold"].append(np.where(leaf, 0, nodes["num_threshold"]))
            parts["left"].append(nodes["left"].astype(np.int64) + count)
            parts["right"].append(nodes["right"].astype(np.int64) + count)
            parts["value"].append(value)
            roots.append(count)
            count += len(nodes)
    joined = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    return _named(model, library, root=np.array(roots), base=base, compares_float32=False, flips=asked, **joined)


def _columns(model: Any) -> tuple[npt.NDArray[np.int64], list[list[float]]]:
    """The feature int64 [features] of each column that trees see, and the categories of the first columns, by their codes.

    Raises:
        UnsupportedError: Categories are no numbers.
    """
    if model.is_categorical_ is None:
        return np.arange(model.n_features_in_), []
    categorical = np.asarray(model.is_categorical_, np.bool_)
    column = np.concatenate([np.flatnonzero(categorical), np.flatnonzero(~categorical)])
    known = []
    for values in model._preprocessor.named_transformers_["encoder"].categories_:  # noqa: SLF001
        if np.asarray(values).dtype.kind not in "biuf":
            raise UnsupportedError(
                f"this {type(model).__name__} has categories that are no numbers ({shown(values[0])}, ...), and circuits "
                "take numbers: fit it on codes"
            )
        known.append(np.asarray(values, np.float64).tolist())
    return column, known


KINDS: Mapping[str, Callable[[Any, str], Forest]] = {
    "DecisionTreeClassifier": _tree,
    "ExtraTreeClassifier": _tree,
    "RandomForestClassifier": _mean,
    "ExtraTreesClassifier": _mean,
    "GradientBoostingClassifier": _boosting,
    "HistGradientBoostingClassifier": _histogram_boosting,
}
"""How each classifier is read, by the name of its class."""
