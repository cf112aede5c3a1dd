"""The front that a search saw: every trial, its accuracy on validation over its cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from gatewright.budget.limits import UNITS
from gatewright.budget.study import Study
from gatewright.errors import MissingExtraError, require_extra
from gatewright.runs.report.draw import OWN, front
from gatewright.runtime.files import write_atomically, write_text_atomically

FRONT_JSON, FRONT_PNG = "front.json", "front.png"


def rows(study: Study) -> list[dict[str, Any]]:
    """One plain row per trial, by number."""
    return [_row(trial, study) for trial in study.trials()]


def _row(trial: FrozenTrial, study: Study) -> dict[str, Any]:
    known = trial.user_attrs
    figures = known.get("figures")
    reported = trial.intermediate_values
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        "validation": known.get("validation", max(reported.values(), default=None)),
        "figures": figures,
        "predicted": {name: round(value) for name, value in known["predicted"].items()}
        if "predicted" in known
        else None,
        "fits": None if figures is None else study.about.budget.use(figures) <= 1,
        "why": known.get("why", ""),
        "seconds": known.get("seconds"),
        "steps": known.get("steps"),
        "parameters": trial.params,
    }


def write_front(study: Study) -> list[Path]:
    """Write `front.json`, and `front.png` where matplotlib is installed, to the folder of the search."""
    found, axis = rows(study), study.about.budget.axis
    points = [(row["figures"][axis], row["validation"], row["trial"]) for row in found if row["figures"] is not None]
    best = front([(cost, accuracy) for cost, accuracy, _ in points])
    on_front = [trial for cost, accuracy, trial in points if (cost, accuracy) in best]
    tree = {**study.about.as_dict(), "axis": axis, "front": on_front, "trials": found}
    files = [study.out / FRONT_JSON]
    write_text_atomically(files[0], json.dumps(tree, indent=1) + "\n")
    try:
        figures = require_extra("matplotlib.figure", "report")
    except MissingExtraError:
        return files
    figure = figures.Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    known = [(row["predicted"][axis], row["validation"]) for row in found if _only_predicted(row)]
    if known:
        axes.plot(*zip(*known, strict=True), "x", color="#999999", ms=5, label="stopped early (cost predicted)")
    if points:
        axes.plot(*zip(*[point[:2] for point in points], strict=True), "o", color=OWN, ms=5, label="trials")
        axes.plot(*zip(*best, strict=True), drawstyle="steps-post", color=OWN, alpha=0.5)
    axes.axvline(study.about.budget.limits[axis], color="#d1495b", lw=1, label="budget")
    axes.set(title=study.about.name, xlabel=UNITS[axis], ylabel="validation accuracy")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    files.append(study.out / FRONT_PNG)
    write_atomically(files[1], lambda part: figure.savefig(part, format="png", dpi=110))
    return files


def _only_predicted(row: dict[str, Any]) -> bool:
    return row["figures"] is None and row["predicted"] is not None and row["validation"] is not None
