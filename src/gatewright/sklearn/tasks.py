"""What is learned from a table: classes, or a number per row, with its head, its loss, and which network is better."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from gatewright.circuit import Circuit, Head, simplify
from gatewright.data.numbers import Scale, fitted_line
from gatewright.engine import Engine
from gatewright.sklearn.calibration import fitted_temperature
from gatewright.sklearn.rows import Rows, Weights

if TYPE_CHECKING:
    from gatewright.training.objective import Objective

Errors = npt.NDArray[np.float64]


class Task(Protocol):
    """What learning takes of a task."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; empty for numbers."""
        ...

    @property
    def outputs(self) -> int:
        """Scores of the network."""
        ...

    @property
    def head(self) -> dict[str, Any]:
        """Its section of the config."""
        ...

    @property
    def figure(self) -> str:
        """What a score is called."""
        ...

    @property
    def widths(self) -> tuple[int, ...]:
        """Gates per layer of the networks that are tried by default, narrowest first."""
        ...

    @property
    def passes(self) -> int:
        """How often a training sees the rows by default."""
        ...

    @property
    def fewest_steps(self) -> int:
        """Steps at least where none are given."""
        ...

    @property
    def few(self) -> int:
        """Held-out rows below which each row is held out in turn."""
        ...

    @property
    def width_of_few(self) -> int:
        """Gates per layer that few rows are learned with by default."""
        ...

    @property
    def temperatures(self) -> tuple[float, ...]:
        """Temperatures that few rows are learned with, as multiples of the rule's."""
        ...

    def objective(self) -> Objective:
        """What training minimises; imports torch."""
        ...

    def targets(self, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What the network learns for each row."""
        ...

    def strata(self, y: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Groups of rows, from 0, of each of which a share is held out."""
        ...

    def finished(self, circuit: Circuit, rows: Rows, learned: Weights, held_out: Weights) -> Circuit:
        """The circuit with what its head says of counts fitted: to what is held out, or to what was learned from."""
        ...

    def finished_as(self, circuit: Circuit, others: Sequence[Circuit]) -> Circuit:
        """The circuit with what the heads of others say of counts: nothing is held out of its own rows to fit that to."""
        ...

    def errors(self, circuit: Circuit, rows: Rows) -> Errors:
        """What each row is predicted wrong by, 0 or more: the less in the mean, the better the circuit."""
        ...

    def score(self, errors: Errors, rows: Rows, weight: Weights) -> float:
        """The figure that scikit-learn has for rows of these weights."""
        ...

    def slack(self, errors: Errors, best: Errors, weight: Weights) -> float:
        """By how much the mean of errors may be worse than the best and still count as equal: one standard error."""
        ...


@dataclass(frozen=True)
class Classes:
    """Each row has a class. An error is 1; classes count their own share of the last layer's gates.

    Widths, passes and steps were measured on Adult and fourteen other tables, see docs/sklearn.md: on tables of some
    hundred rows, 2,000 steps took five times as long and chose no better on held-out rows. There, few rows are held
    out, which say little. Width and temperatures for them were measured on 17 further tables of the KEEL collection
    (20, 50 and 100 gates per class, 1 to 5 times the rule's temperature).
    """

    class_names: tuple[str, ...]
    figure: str = "accuracy"
    passes: int = 100
    fewest_steps: int = 500
    few: int = 100
    temperatures: tuple[float, ...] = (1.0, 3.0)

    @property
    def widths(self) -> tuple[int, ...]:
        """20, 50 and 125 gates per class."""
        return tuple(gates * self.outputs for gates in (20, 50, 125))

    @property
    def width_of_few(self) -> int:
        """50 gates per class."""
        return 50 * self.outputs

    @property
    def outputs(self) -> int:
        """A score per class."""
        return len(self.class_names)

    @property
    def head(self) -> dict[str, Any]:
        """A group sum."""
        return {"kind": "sum"}

    def objective(self) -> Objective:
        """Cross-entropy."""
        from gatewright.training.objective import CLASSES  # noqa: PLC0415 - imports torch

        return CLASSES

    def targets(self, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The classes."""
        return y

    def strata(self, y: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The classes."""
        return y

    def finished(self, circuit: Circuit, rows: Rows, learned: Weights, held_out: Weights) -> Circuit:  # noqa: ARG002
        """The circuit with the temperature that gives the best probabilities on what is held out."""
        assert circuit.head is not None  # noqa: S101 - the network has one
        used = held_out > 0
        counts = Engine(circuit).counts(rows.x[used])
        tau = fitted_temperature(counts, rows.y[used], held_out[used], circuit.head.tau)
        return circuit.replace(head=replace(circuit.head, tau=tau))

    def finished_as(self, circuit: Circuit, others: Sequence[Circuit]) -> Circuit:
        """The circuit with the geometric mean of their temperatures."""
        assert circuit.head is not None  # noqa: S101 - all have one
        logs = [math.log(other.head.tau) for other in others if other.head is not None]
        return circuit.replace(head=replace(circuit.head, tau=math.exp(sum(logs) / len(logs))))

    def errors(self, circuit: Circuit, rows: Rows) -> Errors:
        """1 where the class is wrong."""
        return np.asarray(Engine(circuit).predict(rows.x) != rows.y, np.float64)

    def score(self, errors: Errors, rows: Rows, weight: Weights) -> float:  # noqa: ARG002
        """Accuracy."""
        return 1 - float(np.average(errors, weights=weight))

    def slack(self, errors: Errors, best: Errors, weight: Weights) -> float:
        """Standard error of the difference to the best: that of rows which one of them alone has right (McNemar)."""
        return math.sqrt(float(np.average((errors - best) ** 2, weights=weight)) / float(weight.sum()))


@dataclass(frozen=True)
class Numbers:
    """Each row has a number. An error is squared; all gates of the last layer are weighed and added up.

    Attributes:
        scale: Mean and deviation of the numbers that are learned from.

    Steps were measured on scikit-learn's diabetes, see docs/sklearn.md.
    """

    scale: Scale
    figure: str = "R^2"
    widths: tuple[int, ...] = (20, 40, 100, 250)
    passes: int = 50
    fewest_steps: int = 100
    few: int = 0
    width_of_few: int = 100
    temperatures: tuple[float, ...] = (1.0,)

    @classmethod
    def of(cls, y: npt.NDArray[np.float64], weight: Weights) -> Numbers:
        """The task of these numbers.

        Raises:
            DataError: They are so large or so close to each other that their deviation is no number.
        """
        return cls(Scale.of(y, weight))

    @property
    def class_names(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def outputs(self) -> int:
        """One score."""
        return 1

    @property
    def head(self) -> dict[str, Any]:
        """Weighed bits."""
        return {"kind": "number"}

    def objective(self) -> Objective:
        """Squared error."""
        from gatewright.training.objective import NUMBERS  # noqa: PLC0415 - imports torch

        return NUMBERS

    def targets(self, y: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The numbers with mean 0 and variance 1, as float32."""
        return self.scale.standardized(y)

    def strata(self, y: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """All rows together."""
        return np.zeros(len(y), np.int64)

    def finished(self, circuit: Circuit, rows: Rows, learned: Weights, held_out: Weights) -> Circuit:  # noqa: ARG002
        """The circuit with the base and scale of least squared error on what was learned from.

        What is held out may be a few rows, which two numbers could fit by chance.
        """
        number = fitted_line(Engine(circuit).counts(rows.x)[:, 0], rows.y, learned)
        if number is None:  # nothing to learn: the mean for every row
            none, mean = np.zeros(0, np.int32), float(np.average(rows.y, weights=learned))
            return simplify(circuit.replace(outputs=none, head=Head(none, np.zeros(1, np.int64), number=(mean, 1.0))))
        assert circuit.head is not None  # noqa: S101 - the network has one
        return circuit.replace(head=replace(circuit.head, number=number))

    def finished_as(self, circuit: Circuit, others: Sequence[Circuit]) -> Circuit:  # noqa: ARG002
        """The circuit itself: base and scale are fitted to what it learned from."""
        return circuit

    def errors(self, circuit: Circuit, rows: Rows) -> Errors:
        """Squared errors, in units of the variance."""
        return np.asarray(((Engine(circuit).predict(rows.x) - rows.y) / self.scale.deviation) ** 2, np.float64)

    def score(self, errors: Errors, rows: Rows, weight: Weights) -> float:
        """The share of the variance explained, R^2; NaN where all numbers are equal."""
        mean = np.average(rows.y, weights=weight)
        variance = float(np.average(((rows.y - mean) / self.scale.deviation) ** 2, weights=weight))
        return 1 - float(np.average(errors, weights=weight)) / variance if variance else math.nan

    def slack(self, errors: Errors, best: Errors, weight: Weights) -> float:
        """Standard error of the difference to the best: less than that of each, as what is hard is hard for both."""
        differences = errors - best
        mean = np.average(differences, weights=weight)
        return math.sqrt(float(np.average((differences - mean) ** 2, weights=weight)) / float(weight.sum()))
