"""The classifier: its parameters, what `fit` finds, and predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

from gatewright.columns import score_of_labels
from gatewright.errors import DataError, OptionError
from gatewright.sklearn.estimator import TableEstimator
from gatewright.sklearn.tasks import Classes


class GatewrightClassifier(ClassifierMixin, TableEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Classifies the rows of a table with a circuit of two-input gates that is learned from them.

    Features are compared with thresholds at their quantiles; layers of logic gates, whose connections are learned by
    guided proposals, work on these bits; each class counts its share of the last layer's gates, and the greatest count
    wins. The weights of the best accuracy on held-out training rows are kept and turned into a simplified circuit.

    Columns are what they are: whole numbers of up to 64 bits compare exactly and take as many bits as their values need,
    other numbers are compared as float32, Booleans are bits, texts and categories are compared by a code, and a value
    that is missing has a bit of its own. Nothing needs to be scaled, encoded or imputed before.

    Args:
        width: Gates of each layer, rounded up to a multiple of the classes. None tries 20, 50 and 125 a class, and keeps
            the smallest circuit whose accuracy on held-out rows is within one standard error of the best; if fewer than
            100 rows are held out, it takes 50 a class, compares two temperatures by five-fold cross-validation, and
            learns with the better one from all rows.
        layers: Layers of gates.
        thresholds: Most thresholds per number; between few values there is one each, between categories up to 64.
        candidates: Gates with connections that each neuron chooses from.
        relaxation: How neurons compute while they learn: `hard` (best candidate forwards) or `soft` (their mixture).
        steps: Optimizer steps. None sees the rows 100 times, in 500 to 2,000 steps.
        batch: Rows per step.
        max_ops: Most total ops of the circuit, encoder and head included; None for any number.
        time: How long to search for width, layers and thresholds, such as `60s`; None for the rule of `width`. With
            `max_ops`, the best of what fits is kept. Takes the extra `search`.
        class_weight: What rows of each class count: a mapping from labels, `balanced`, or None for 1 each.
        validation_fraction: Share of each class's training rows that is held out to choose weights on, 0 or more and
            less than 1. Without such rows (0, or classes of a few rows each) the last weights are kept.
        n_jobs: Processes that train at the same time, where `width` is None (widths, or folds): -1 for one per core, None
            for one. The circuit does not depend on it, except that a search by folds gets further.
        verbose: Whether to print a line per evaluation.
        random_state: Seed, `numpy.random.RandomState` or None, for held-out rows, wiring and batches. The same seed
            and data give the same circuit, in whatever order the rows come.

    Attributes:
        classes_: Labels [classes], ascending.
        circuit_: The simplified `gatewright.circuit.Circuit`, from raw features to classes, to save, prove or export.
        validation_score_: Accuracy on the held-out rows (of all folds, where rows are few); None without such rows.
        feature_importances_: What part of the accuracy on training rows each column brings, float64 [n_features_in_]: the
            loss when its values are shuffled, divided by that of all columns; all 0 if no column matters.
        history_: Steps of the training with their figures, a dictionary each.
        width_: Gates of each layer.
        n_features_in_: Columns of a row.
        feature_names_in_: Their names [n_features_in_]; only if X in `fit` had columns named by strings.

    Example:
        >>> import numpy as np
        >>> from gatewright.sklearn import GatewrightClassifier
        >>> x = np.arange(400).reshape(-1, 2)
        >>> model = GatewrightClassifier(width=20, steps=100, random_state=0).fit(x, x[:, 0] > 150)
        >>> model.score(x, x[:, 0] > 150) > 0.9
        True
    """

    def __init__(
        self,
        width: int | None = None,
        *,
        layers: int = 1,
        thresholds: int = 32,
        candidates: int = 8,
        relaxation: str = "hard",
        steps: int | None = None,
        batch: int = 128,
        max_ops: int | None = None,
        time: str | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
        validation_fraction: float = 0.1,
        n_jobs: int | None = None,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.width = width
        self.layers = layers
        self.thresholds = thresholds
        self.candidates = candidates
        self.relaxation = relaxation
        self.steps = steps
        self.batch = batch
        self.max_ops = max_ops
        self.time = time
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn a circuit.

        Args:
            X: Table [rows, columns] of numbers, Booleans, texts or categories, NaN or None where a value is missing: an
                array, a data frame, or nested lists.
            y: Labels of any kind [rows], with at least two different ones.
            sample_weight: What each row counts [rows], 0 or more; None for 1 each.

        Raises:
            OptionError: A parameter is out of range, or no circuit has as few ops as `max_ops`.
            ValueError: X or y has a wrong shape, or contains infinity or a value that is no number or text.
            DataError: y has one class only, or X has numbers beyond float32 or 64 bits.
        """
        table, y, weight = self._rows(X, y, sample_weight)
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            one = f"{classes[0]!r} in all {len(labels)} rows" if len(classes) else "and no rows that count"
            raise DataError(f"y has one class only, {one}; give rows of two or more")
        labels = labels.astype(np.int64)
        weight = weight * self._of_classes(classes, y, weight)[labels]
        self._learn(
            table, labels, score_of_labels(labels, weight), weight, Classes(tuple(str(label) for label in classes))
        )
        self.classes_ = classes
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Labels [rows], of the type of the labels in `fit`; the lowest one among those with the greatest count.

        Args:
            X: Table [rows, n_features_in_], as in `fit`.

        Raises:
            NotFittedError: `fit` has not been called.
            ValueError: X has another number of columns, or contains infinity, a value that is missing in a column where
                none was in `fit`, or a category that `fit` did not see in such a column.
        """
        x = self._features(X)
        labels: npt.NDArray[Any] = self.classes_[self._engine.predict(x)]
        return labels

    def predict_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """Softmax of the classes' scores, float32 [rows, classes], in the order of `classes_`.

        The temperature of the scores is fitted to the held-out rows, if there are any, so that probabilities are neither
        too sure nor too doubtful.

        Args:
            X: As for `predict`.

        Raises:
            NotFittedError: As for `predict`.
            ValueError: As for `predict`.
        """
        x = self._features(X)
        return self._engine.predict_proba(x)

    def predict_log_proba(self, X: Any) -> npt.NDArray[np.float32]:
        """Logarithm of `predict_proba`, with its arguments and errors."""
        scores = self._engine_scores(X)
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        logs[np.exp(logs).astype(np.float32) == 1] = 0  # as `predict_proba` rounds it
        return np.asarray(logs, np.float32)

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Scores of the classes, float64 [rows, classes]; of two classes, the second's less the first's, [rows].

        Arguments and errors are those of `predict`.
        """
        scores = self._engine_scores(X)
        return np.asarray(scores[:, 1] - scores[:, 0]) if scores.shape[1] == 2 else scores

    def _engine_scores(self, X: Any) -> npt.NDArray[np.float64]:
        x = self._features(X)
        return self._engine.scores(x).astype(np.float64)

    def _of_classes(
        self, classes: npt.NDArray[Any], y: Any, weight: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        """What rows of each class count, float64 [classes]."""
        each = compute_class_weight(self.class_weight, classes=classes, y=y, sample_weight=weight)
        if not (np.isfinite(each) & (each > 0)).all():
            raise OptionError(f"class_weight is {self.class_weight!r}, expected positive numbers")
        return np.asarray(each, np.float64)
