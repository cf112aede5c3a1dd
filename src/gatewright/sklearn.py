"""`GatewrightClassifier`: a scikit-learn classifier that learns a circuit from a table, and predicts with it.

Learning takes torch; a fitted classifier predicts with `gatewright.engine` and never imports torch, even when unpickled.
"""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatewright.circuit import Circuit, simplify
from gatewright.engine import Engine
from gatewright.errors import DataError, OptionError, require_extra, unknown_name
from gatewright.features import INTEGER_DTYPES, feature_range
from gatewright.runtime.ranges import COUNT
from gatewright.runtime.tables import numpy_frame, without_table

require_extra("sklearn", "sklearn")

from sklearn.base import BaseEstimator, ClassifierMixin  # noqa: E402 (after the message that says how to install it)
from sklearn.utils import check_random_state  # noqa: E402
from sklearn.utils.multiclass import check_classification_targets  # noqa: E402
from sklearn.utils.validation import check_is_fitted, validate_data  # noqa: E402

RELAXATIONS = ("hard", "soft")


class GatewrightClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Classifies the rows of a table with a circuit of two-input gates that is learned from them.

    Features are compared with thresholds at their quantiles; layers of logic gates, whose connections are learned by
    guided proposals, work on these bits; each class counts its share of the last layer's gates, and the greatest count
    wins. The weights of the best accuracy on held-out training rows are kept and turned into a simplified circuit.

    Whole numbers of a type that int32 can hold stay whole numbers; all other features are compared as float32.

    Args:
        width: Gates of each layer, rounded up to a multiple of the classes.
        layers: Layers of gates.
        thresholds: Most thresholds per feature; features with only the values 0 and 1 have one.
        candidates: Gates with connections that each neuron chooses from.
        relaxation: How neurons compute while they learn: `hard` (best candidate forwards) or `soft` (their mixture).
        steps: Optimizer steps.
        batch: Rows per step.
        validation_fraction: Share of each class's training rows that is held out to choose weights on, 0 or more and
            less than 1. Without such rows (0, or classes of a few rows each) the last weights are kept.
        random_state: Seed, `numpy.random.RandomState` or None, for held-out rows, wiring and batches. The same seed
            and data give the same circuit.

    Attributes:
        classes_: Labels [classes], ascending.
        circuit_: The simplified `gatewright.circuit.Circuit`, from raw features to classes, to save, prove or export.
        validation_score_: Accuracy on the held-out rows, or None without such rows.
        n_features_in_: Features of a row.
        feature_names_in_: Their names [n_features_in_]; only if X in `fit` had columns named by strings.
    """

    def __init__(
        self,
        width: int = 1000,
        *,
        layers: int = 1,
        thresholds: int = 8,
        candidates: int = 8,
        relaxation: str = "hard",
        steps: int = 2000,
        batch: int = 128,
        validation_fraction: float = 0.1,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.width = width
        self.layers = layers
        self.thresholds = thresholds
        self.candidates = candidates
        self.relaxation = relaxation
        self.steps = steps
        self.batch = batch
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Learn a circuit.

        Args:
            X: Table of finite numbers [rows, features]: an array, a data frame, or nested lists.
            y: Labels of any kind [rows], with at least two different ones.

        Raises:
            OptionError: A parameter is out of range.
            ValueError: X or y has a wrong shape, or contains NaN, infinity, or a value that is not a number.
            DataError: y has one class only, or X has numbers beyond float32.
        """
        options = self._options()
        X, y = validate_data(
            self, numpy_frame(X, "X"), without_table(y, "y") if isinstance(y, np.ma.MaskedArray) else y
        )
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            raise DataError(f"y has one class only, {classes[0]!r} in all {len(y)} rows; give rows of two or more")
        x = _converted(X, next((name for name in INTEGER_DTYPES if np.can_cast(X.dtype, name)), "float32"))
        if not np.isfinite(x).all():
            raise DataError("X has numbers too large for float32; scale them down, into -3.4e38 .. 3.4e38")
        random = check_random_state(self.random_state)
        held_out = _held_out(labels, self.validation_fraction, random)
        self.classes_ = classes
        self.circuit_, self.validation_score_ = _learn(
            x,
            labels.astype(np.int64),
            held_out,
            options,
            seed=int(random.randint(2**31 - 1)),
            class_names=[str(label) for label in classes],
            feature_names=[str(name) for name in getattr(self, "feature_names_in_", ())],
        )
        self._engine = Engine(self.circuit_)
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Labels [rows], of the type of the labels in `fit`; the lowest one among those with the greatest count.

        Args:
            X: Table of finite numbers [rows, n_features_in_].

        Raises:
            NotFittedError: `fit` has not been called.
            ValueError: X has another number of features, or contains NaN or infinity.
        """
        x = self._features(X)
        labels: npt.NDArray[Any] = self.classes_[self._engine.predict(x)]
        return labels

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """Softmax of the classes' scores, float32 [rows, classes], in the order of `classes_`.

        Args:
            X: As for `predict`.

        Raises:
            NotFittedError: As for `predict`.
            ValueError: As for `predict`.
        """
        x = self._features(X)
        return self._engine.predict_proba(x)

    def _features(self, X: Any) -> npt.NDArray[Any]:
        check_is_fitted(self, "circuit_")
        X = validate_data(self, numpy_frame(X, "X"), reset=False)
        return _converted(X, self._engine.circuit.encoder.dtype)  # type: ignore[union-attr] # it always has one

    def _options(self) -> dict[str, Any]:
        """What a training takes of the parameters, checked."""
        names = ("width", "layers", "thresholds", "candidates", "steps", "batch")
        options: dict[str, Any] = {"relaxation": self.relaxation}
        for name in names:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise OptionError(f"{name} is {value!r}, expected a whole number of at least 1")
            options[name] = COUNT.whole(name, value)
        if self.relaxation not in RELAXATIONS:
            raise unknown_name("relaxation", str(self.relaxation), RELAXATIONS)
        share: Any = self.validation_fraction
        is_number = isinstance(share, (int, float, np.integer, np.floating)) and not isinstance(share, bool)
        if not is_number or not 0 <= share < 1:
            raise OptionError(f"validation_fraction is {share!r}, expected a number of 0 or more and less than 1")
        return options


def _converted(X: npt.NDArray[Any], dtype: str) -> npt.NDArray[Any]:
    """X in the type of a circuit's features, such that every `x >= threshold` stays as it is for whole numbers.

    Whole-numbered thresholds do not tell a number from the whole number below it, nor numbers beyond the type's range
    from its ends.
    """
    if np.can_cast(X.dtype, dtype):
        return X.astype(dtype, copy=False)
    if dtype == "float32":
        with np.errstate(over="ignore"):  # to infinity, which compares as the number would
            return X.astype(np.float32)
    return np.clip(np.floor(X.astype(np.float64)), *feature_range(dtype)).astype(dtype)


def _held_out(labels: npt.NDArray[np.intp], share: float, random: np.random.RandomState) -> npt.NDArray[np.bool_]:
    """Bool [rows]: this share of each class's rows, drawn at random; at least one row of each class is left."""
    held_out = np.zeros(len(labels), np.bool_)
    for label in range(labels.max() + 1):
        rows = random.permutation(np.flatnonzero(labels == label))
        held_out[rows[: min(round(share * len(rows)), len(rows) - 1)]] = True
    return held_out


def _learn(
    x: npt.NDArray[Any],
    labels: npt.NDArray[np.int64],
    held_out: npt.NDArray[np.bool_],
    options: dict[str, Any],
    *,
    seed: int,
    class_names: list[str],
    feature_names: list[str],
) -> tuple[Circuit, float | None]:
    """Train on the rows that are not held out: the simplified circuit, and its accuracy on those that are."""
    # All of this imports torch, which prediction must not need.
    import torch  # noqa: PLC0415

    from gatewright.data import Split  # noqa: PLC0415
    from gatewright.lowering import lower  # noqa: PLC0415
    from gatewright.nn.thermometer import Thermometer  # noqa: PLC0415
    from gatewright.runtime.threads import use_threads  # noqa: PLC0415
    from gatewright.training.batches import Feed  # noqa: PLC0415
    from gatewright.training.build import build_trainer  # noqa: PLC0415
    from gatewright.training.config import Recipe  # noqa: PLC0415

    classes = len(class_names)
    width = math.ceil(options["width"] / classes) * classes
    recipe = Recipe.model_validate(
        {
            "model": {
                "relaxation": options["relaxation"],
                "candidates": options["candidates"],
                "layers": [{"type": "dense", "width": width, "repeat": options["layers"]}],
            },
            "optimizer": {"schedule": "one-cycle"},
            "connections": {"kind": "guided", "every": 20, "trials": 32, "stop": 0.8},
            "train": {"steps": options["steps"], "batch": options["batch"]},
        }
    )
    device, generator = torch.device("cpu"), torch.Generator().manual_seed(seed)
    train = Split(x[~held_out], labels[~held_out])
    encoder = Thermometer.quantile(options["thresholds"], train.x, binary=np.isin(train.x, (0, 1)).all(axis=0))
    plan = recipe.model.plan(encoder.out_shape, classes)
    model = plan.build(encoder, generator)
    validation = Feed(Split(x[held_out], labels[held_out]), device) if held_out.any() else None
    with use_threads(recipe.train.thread_count(plan.candidates)):
        trainer = build_trainer(recipe, model, Feed(train, device), validation, generator)
        trainer.fit()
        trainer.load_best()
    circuit = simplify(lower(model, class_names=class_names, feature_names=feature_names))
    return circuit, None if trainer.best is None else trainer.best.accuracy
