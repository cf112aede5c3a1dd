"""What stops trials that are behind others."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import optuna
from optuna.trial import FrozenTrial

from gatewright.budget.limits import Budget

RUNGS = 20
"""Evaluations of a full trial, which pruners count."""


class Halving(optuna.pruners.SuccessiveHalvingPruner):
    """Successive halving among trials whose circuits fit or are not known yet: those that are too large are ahead of all.

    Args:
        budget: What circuits may take.
    """

    def __init__(self, budget: Budget) -> None:
        super().__init__(min_resource=4, reduction_factor=2)
        self._budget = budget

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial is behind."""

        def fitting(deepcopy: bool = True) -> list[FrozenTrial]:
            known = ((each, each.user_attrs.get("figures")) for each in study.get_trials(deepcopy))
            return [each for each, figures in known if figures is None or self._budget.use(figures) <= 1]

        # What the method takes of a study.
        part = SimpleNamespace(get_trials=fitting, direction=study.direction, _storage=study._storage)  # noqa: SLF001
        return super().prune(cast("optuna.Study", part), trial)


PRUNERS: dict[str, Callable[[Budget], optuna.pruners.BasePruner]] = {
    "halving": Halving,
    "hyperband": lambda _: optuna.pruners.HyperbandPruner(min_resource=4, max_resource=RUNGS, reduction_factor=3),
    "none": lambda _: optuna.pruners.NopPruner(),
}
"""What stops trials that are behind others, by name."""
