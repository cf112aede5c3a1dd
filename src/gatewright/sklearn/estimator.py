"""What classifier and regressor share: tables as they are, checked parameters, importances."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from gatewright.budget.clock import seconds_of
from gatewright.columns import Values, learn_columns, read_columns, values_of
from gatewright.engine import Engine
from gatewright.errors import OptionError, unknown_name
from gatewright.runtime.ranges import COUNT
from gatewright.runtime.tables import column_names, is_table, without_table
from gatewright.sklearn.learning import learn
from gatewright.sklearn.network import Features, Options
from gatewright.sklearn.rows import Rows, Weights, held_out_weight, merged_rows
from gatewright.sklearn.searching import search_network
from gatewright.sklearn.tasks import Task

RELAXATIONS = ("hard", "soft")

_MOST_SHUFFLED = 10_000
"""Rows by which importances are measured, at most."""


class TableEstimator(BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Learns circuits from tables. A subclass says what is learned, and has the parameters that `_options` reads."""

    def _learn(
        self, table: list[Values], y: npt.NDArray[Any], score: npt.NDArray[np.float64], weight: Weights, task: Task
    ) -> None:
        """Learn a circuit, and set the attributes that all estimators have.

        Args:
            table: The columns, with rows that count alone.
            y: Classes int64 [rows], or numbers float64 [rows].
            score: float64 [rows], what categories are ordered by.
            weight: What each row counts, positive.
            task: What there is to learn.
        """
        options = self._options()
        columns, types, x = learn_columns(table, score, weight, name="X")
        plain = all(column.kind != "category" and not column.missing for column in columns)
        named = (
            [name for column in columns for name in column.feature_names] if hasattr(self, "feature_names_in_") else []
        )
        random = check_random_state(self.random_state)
        rows = merged_rows(x, y, weight)
        learned = (learn if options.seconds is None else search_network)(
            rows,
            held_out_weight(task.strata(rows.y), self.validation_fraction, random, rows.weight),
            Features(
                types,
                tuple(named),
                () if plain and not named else columns,
                [each for column in columns for each in [column.kind == "category", False][: column.n_features]],
            ),
            task,
            options,
            int(random.randint(2**31 - 1)),
        )
        self.circuit_, self.validation_score_ = learned.circuit, learned.score
        self.history_, self.width_ = learned.history, learned.width
        self._columns, self._types = columns, types
        self._engine = Engine(self.circuit_)
        self.feature_importances_ = self._importances(Rows(x, y, weight), task)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    def _rows(self, X: Any, y: Any, sample_weight: Any, **checks: Any) -> tuple[list[Values], Any, Weights]:
        """The columns of X, y and weights, checked, of the rows that count."""
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None")
        table, y = self._table(X, without_table(y, "y") if isinstance(y, np.ma.MaskedArray) else y, **checks)
        weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        counted = weight > 0
        return (
            [Values(name, values[counted], missing[counted]) for name, values, missing in table],
            y[counted],
            weight[counted],
        )

    def _table(self, X: Any, y: Any = None, **checks: Any) -> tuple[list[Values], Any]:
        """The columns of X, after scikit-learn's checks of shapes and names; with y in `fit`."""
        given = values_of(X, "X") if is_table(X) else None
        shown = without_table(X, "X") if given is None else _outline(X)
        options: dict[str, Any] = {"dtype": None, "ensure_all_finite": False, **checks}
        if y is None:
            checked = validate_data(self, shown, reset=False, **options)
        else:
            checked, y = validate_data(self, shown, y, **options)
        if given is not None:
            return given, y
        return values_of(checked, "X"), y

    def _features(self, X: Any) -> npt.NDArray[Any]:
        check_is_fitted(self, "circuit_")
        encoder = self._engine.circuit.encoder
        table, _ = self._table(X)
        return read_columns(self._columns, self._types, table, encoder.dtype, "X")  # type: ignore[union-attr] # it has one

    def _importances(self, rows: Rows, task: Task) -> npt.NDArray[np.float64]:
        """Loss when the values of a column are shuffled, divided by that of all columns."""
        random = np.random.RandomState(0)
        few = random.permutation(len(rows.x))[:_MOST_SHUFFLED]
        rows = Rows(*(part[few] for part in rows))

        def wrong(x: npt.NDArray[Any]) -> float:
            return float(np.average(task.errors(self.circuit_, rows._replace(x=x)), weights=rows.weight))

        whole, losses, first = wrong(rows.x), [], 0
        for column in self._columns:
            own = slice(first, first + column.n_features)
            shuffled = rows.x.copy()
            shuffled[:, own] = rows.x[random.permutation(len(rows.x)), own]
            losses.append(max(0.0, wrong(shuffled) - whole))
            first = own.stop
        total = sum(losses)
        return np.array(losses) / total if total > 0 else np.zeros(len(losses))

    def _options(self) -> Options:
        """What a training takes of the parameters, checked."""
        optional = ("width", "steps", "max_ops")
        names = ("width", "layers", "thresholds", "candidates", "steps", "batch", "max_ops")
        options: dict[str, Any] = {}
        for name in names:
            value = getattr(self, name)
            if value is None and name in optional:
                options[name] = None
                continue
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                none = ", or None" if name in optional else ""
                raise OptionError(f"{name} is {value!r}, expected a whole number of at least 1{none}")
            options[name] = COUNT.whole(name, value)
        if self.relaxation not in RELAXATIONS:
            raise unknown_name("relaxation", str(self.relaxation), RELAXATIONS)
        share: Any = self.validation_fraction
        is_number = isinstance(share, (int, float, np.integer, np.floating)) and not isinstance(share, bool)
        if not is_number or not 0 <= share < 1:
            raise OptionError(f"validation_fraction is {share!r}, expected a number of 0 or more and less than 1")
        jobs: Any = self.n_jobs
        if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, (int, np.integer)) or jobs == 0):
            raise OptionError(
                f"n_jobs is {jobs!r}, expected a number of processes, -1 for one per core, or None for one"
            )
        return Options(
            **options,
            seconds=self._seconds(),
            relaxation=self.relaxation,
            n_jobs=None if jobs is None else int(jobs),
            verbose=bool(self.verbose),
        )

    def _seconds(self) -> float | None:
        """What a search may take; None for no search."""
        if self.time is None:
            return None
        if not isinstance(self.time, str):
            raise OptionError(f"time is {self.time!r}, expected a text such as '60s' or '10m', or None for no search")
        if self.width is not None:
            raise OptionError(
                f"time is {self.time!r} and width {self.width}: a search chooses the width, so give one of them"
            )
        return seconds_of(self.time)


def _outline(table: Any) -> Any:
    """Something of a table's shape and column names, for checks that would make floats of its columns."""
    import pandas as pd  # noqa: PLC0415 - whoever has a table has it, or a library that brings it

    names = column_names(table)
    columns = list(names) if names is not None else range(table.shape[1])
    return pd.DataFrame(np.zeros(table.shape, np.float32), columns=columns)
