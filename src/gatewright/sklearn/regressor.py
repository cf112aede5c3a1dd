"""The regressor: its parameters, what `fit` finds, and predictions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin

from gatewright.errors import DataError
from gatewright.sklearn.estimator import TableEstimator
from gatewright.sklearn.tasks import Numbers


class GatewrightRegressor(RegressorMixin, TableEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Predicts a number for each row of a table with a circuit of two-input gates that is learned from them.

    Features are compared with thresholds at their quantiles; layers of logic gates, whose connections are learned by
    guided proposals, work on these bits; the last layer's gates are weighed with whole numbers from -7 to 7, and their sum,
    scaled, is the prediction. What computes it in hardware is a count; base and scale of the circuit's head make the
    number of it, in C exactly as here. Columns are what they are, as for `GatewrightClassifier`.

    Args:
        width: Gates of each layer. None tries several, and keeps the smallest circuit whose squared error on held-out rows
            is within one standard error of the best.
        layers: Layers of gates.
        thresholds: Most thresholds per number; between few values there is one each, between categories up to 64.
        candidates: Gates with connections that each neuron chooses from.
        relaxation: How neurons compute while they learn: `hard` (best candidate forwards) or `soft` (their mixture).
        steps: Optimizer steps. None for 2,000, or fewer on small tables: no row then comes more than about 50 times.
        batch: Rows per step.
        max_ops: Most total ops of the circuit, encoder and head included; None for any number.
        time: How long to search for width, layers and thresholds, such as `60s`; None for the rule of `width`. With
            `max_ops`, the best of what fits is kept. Takes the extra `search`.
        validation_fraction: Share of the training rows that is held out to choose weights on, 0 or more and less than 1.
            Without such rows (0, or few rows) the last weights are kept.
        n_jobs: Processes that train at the same time, where `width` is None (widths, or folds): -1 for one per core, None
            for one. The circuit does not depend on it, except that a search by folds gets further.
        verbose: Whether to print a line per evaluation.
        random_state: Seed, `numpy.random.RandomState` or None, for held-out rows, wiring and batches. The same seed
            and data give the same circuit, in whatever order the rows come.

    Attributes:
        circuit_: The simplified `gatewright.circuit.Circuit`, from raw features to the number, to save, prove or export.
        validation_score_: R^2 on the held-out rows, or None without such rows; NaN if they have one number.
        feature_importances_: What part of the fit to training rows each column brings, float64 [n_features_in_]: the
            growth of the squared error when its values are shuffled, divided by that of all columns; all 0 if no column
            matters.
        history_: Steps of the training with their figures, a dictionary each.
        width_: Gates of each layer.
        n_features_in_: Columns of a row.
        feature_names_in_: Their names [n_features_in_]; only if X in `fit` had columns named by strings.

    Example:
        >>> import numpy as np
        >>> from gatewright.sklearn import GatewrightRegressor
        >>> x = np.arange(400).reshape(-1, 2)
        >>> model = GatewrightRegressor(width=40, steps=200, random_state=0).fit(x, 3.5 * x[:, 0])
        >>> model.score(x, 3.5 * x[:, 0]) > 0.9
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
        self.validation_fraction = validation_fraction
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn a circuit.

        Args:
            X: Table [rows, columns] of numbers, Booleans, texts or categories, NaN or None where a value is missing: an
                array, a data frame, or nested lists.
            y: A finite number per row [rows].
            sample_weight: What each row counts [rows], 0 or more; None for 1 each.

        Raises:
            OptionError: A parameter is out of range, or no circuit has as few ops as `max_ops`.
            ValueError: X or y has a wrong shape, or contains infinity or a value that is no number or text.
            DataError: No row counts, the numbers in y are too large or too close, or X has numbers beyond float32 or 64
                bits.
        """
        table, y, weight = self._rows(X, y, sample_weight, y_numeric=True)
        numbers = np.asarray(y, np.float64)
        if not len(numbers):
            raise DataError("sample_weight is 0 for all rows, so there is nothing to learn from")
        self._learn(table, numbers, numbers, weight, Numbers.of(numbers, weight))
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Numbers, float64 [rows].

        Args:
            X: Table [rows, n_features_in_], as in `fit`.

        Raises:
            NotFittedError: `fit` has not been called.
            ValueError: X has another number of columns, or contains infinity, a value that is missing in a column where
                none was in `fit`, or a category that `fit` did not see in such a column.
        """
        x = self._features(X)
        numbers: npt.NDArray[np.float64] = self._engine.predict(x)
        return numbers
