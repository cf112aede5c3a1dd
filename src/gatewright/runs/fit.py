"""How near predicted numbers are to the true ones: R^2, root mean square error, mean absolute error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from gatewright.errors import DataError, ShapeError

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fit:
    """Numbers of samples, and what was predicted.

    Attributes:
        truth: float64 [n].
        predicted: float64 [n].

    Raises:
        ShapeError: They are not equally many.
        DataError: There are none.

    >>> fit = Fit(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 4.0]))
    >>> round(fit.r2, 2), round(fit.rmse, 2), round(fit.mae, 2)
    (0.5, 0.58, 0.33)
    """

    truth: FloatArray
    predicted: FloatArray

    def __post_init__(self) -> None:
        if self.truth.ndim != 1 or self.truth.shape != self.predicted.shape:
            raise ShapeError(f"{list(self.truth.shape)} numbers, but {list(self.predicted.shape)} predictions")
        if not len(self.truth):
            raise DataError("there are no samples, and so no error of theirs")

    figure: ClassVar[Literal["R^2"]] = "R^2"
    """What `merit` is."""

    @property
    def merit(self) -> float:
        """R^2."""
        return self.r2

    @property
    def r2(self) -> float:
        """The share of the variance that is explained, 1 at most; NaN where all true numbers are equal."""
        # Divided by the largest distance, squares neither overflow nor vanish.
        scale = float(np.abs(self.truth - self.truth.mean()).max())
        if not scale:
            return math.nan
        around = float(np.mean(((self.truth - self.truth.mean()) / scale) ** 2))
        return 1 - float(np.mean(((self.truth - self.predicted) / scale) ** 2)) / around

    @property
    def rmse(self) -> float:
        """Root of the mean squared error, in units of the numbers."""
        off = np.abs(self.truth - self.predicted)
        most = float(off.max())
        return most * math.sqrt(float(np.mean((off / most) ** 2))) if most else 0.0

    def figures(self) -> dict[str, float | None]:
        """R^2 and errors by name, None for what is no finite number, as in JSON."""
        found = {"r2": self.r2, "rmse": self.rmse, "mae": self.mae}
        return {name: value if math.isfinite(value) else None for name, value in found.items()}

    @property
    def mae(self) -> float:
        """Mean absolute error, in units of the numbers."""
        return float(np.mean(np.abs(self.truth - self.predicted)))
