"""Lossy removal of gates: learned from training samples, judged on validation."""

from __future__ import annotations

import numpy as np

from gatewright.card import Pruned
from gatewright.circuit import Circuit, cost
from gatewright.circuit.evaluate import encode
from gatewright.circuit.simplify.lossy import by_samples
from gatewright.data import Split
from gatewright.engine import Engine
from gatewright.errors import OptionError

TOLERANCES = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 2e-2, 5e-2)
"""Shares of the training samples on which a gate may differ from the constant that takes its place, in the order tried."""


def prune(circuit: Circuit, train: Split, validation: Split, test: Split) -> tuple[Circuit, Pruned | None]:
    """Remove gates as far as the accuracy on validation does not fall.

    Args:
        circuit: Simplified, with encoder and head.
        train: Samples that say which gates look constant, or equal to others.
        validation: Samples that say how far that may go.
        test: Samples on which differences are counted; they decide nothing.

    Returns:
        The smallest circuit that is as accurate on validation, and what was done; the circuit itself and None if nothing
        could be removed.

    Raises:
        OptionError: The validation split is empty.
    """
    if not len(validation):
        raise OptionError("circuit.prune needs validation samples to judge by, but there are none")
    before = _accuracy(circuit, validation)
    best: tuple[Circuit, float, float] | None = None
    fewest = cost(circuit).logic_ops
    bits = encode(circuit, train.x)
    for tolerance in TOLERANCES:
        candidate, _ = by_samples(circuit, bits, tolerance=tolerance)
        after, ops = _accuracy(candidate, validation), cost(candidate).logic_ops
        if after >= before and ops < fewest:
            best, fewest = (candidate, tolerance, after), ops
    if best is None:
        return circuit, None
    smaller, tolerance, after = best
    otherwise = np.count_nonzero(Engine(smaller).predict(test.x) != Engine(circuit).predict(test.x))
    return smaller, Pruned(
        tolerance=tolerance,
        logic_ops_before=cost(circuit).logic_ops,
        logic_ops_after=fewest,
        validation_before=before,
        validation_after=after,
        decided_otherwise=int(otherwise),
    )


def _accuracy(circuit: Circuit, split: Split) -> float:
    return float(np.mean(Engine(circuit).predict(split.x) == split.y))
