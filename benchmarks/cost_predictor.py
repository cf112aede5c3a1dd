"""Fit what untrained networks will cost, and state the error on circuits that were left out.

python benchmarks/cost_predictor.py   # writes src/gatewright/budget/coefficients.json; needs the data sets and scikit-learn

The gates of encoder and logic are those of the rows in pareto.json (medians over seeds), the other figures are of the
zoo's circuits, in zoo_cost.json. Bytes of flash are measured here (Cortex-M4) and kept in cost_predictor.json. Errors are
those of circuits left out of the fit one at a time, as factors. Networks whose gates cost something take no part: what they
save depends on the price, and a search learns it from its own trials.
"""

from __future__ import annotations

import json
import statistics
from typing import Any

import numpy as np
from scipy.optimize import least_squares, nnls

import gatewright as gw
from gatewright import zoo
from gatewright.budget.predictor import PARTS, START, EncoderSize, is_trees, parts, prices
from gatewright.hardware import footprint
from gatewright.training.load import load_preset
from measured import HERE, read

TARGET = HERE.parent / "src" / "gatewright" / "budget" / "coefficients.json"
FLASH = HERE / "cost_predictor.json"
LARGEST = 130_000
"""Total ops above which no flash is measured: no controller holds such a circuit."""


SMALLEST = 100
"""Total ops below which a circuit is a rule of a few gates, whose size no architecture says."""


def samples() -> dict[str, dict[str, Any]]:
    """Per circuit: its plan, its encoder, and what was counted."""
    counted = read("zoo_cost")
    rows = {row["name"]: row for row in read("pareto")["rows"]}
    flash = json.loads(FLASH.read_text())["flash"] if FLASH.exists() else {}
    found: dict[str, dict[str, Any]] = {}
    for name, figures in counted.items():
        config = load_preset(name)
        dataset = gw.load_dataset(config.data.name)
        if dataset.label_shape or figures["total_ops"] < SMALLEST or config.cost.weight:
            continue
        encoder, shape = EncoderSize.of(config.data.encoder, dataset)
        plan = config.model.plan(shape, dataset.n_classes, dataset.label_shape)
        if figures["total_ops"] <= LARGEST and name not in flash:
            flash[name] = footprint(zoo.load_circuit(name)).flash
            FLASH.write_text(json.dumps({"target": "cortex-m4", "flash": flash}, indent=1) + "\n")
        row = rows[name]
        logic = row["logic_share"] * row["total_ops"]
        found[name] = {
            "plan": plan,
            "size": encoder,
            "encoder": row["encoder_share"] * row["total_ops"],
            "logic": logic,
            "head": figures["head_ops"],
            "own": {part: figures[f"{part}_ops"] for part in PARTS},
            "total_ops": figures["total_ops"],
            "nand": figures["nand_inv"],
            "lut6": figures["lut6"],
            "flash": flash.get(name),
        }
    return found


def fit(data: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The coefficients."""
    names = list(START)

    def residuals(logs: np.ndarray) -> np.ndarray:
        numbers = dict(zip(names, np.exp(logs), strict=True))
        errors = []
        for each in data.values():
            sizes = parts(each["plan"], each["size"], numbers)
            whole = sum(each[part] for part in PARTS)
            # Parts weigh by their share: what is a hundredth of a circuit need not be known well.
            errors += [np.sqrt(each[part] / whole) * np.log((sizes[part] + 5) / (each[part] + 5)) for part in PARTS]
        return np.array(errors)

    start = np.log([START[name] for name in names])
    found = least_squares(residuals, start, loss="soft_l1", f_scale=0.2, bounds=(start - 2.5, start + 2.5))
    numbers = {name: round(float(value), 4) for name, value in zip(names, np.exp(found.x), strict=True)}
    return {"parts": numbers, "prices": {each: price(data, each) for each in ("nand", "lut6", "flash")}}


def price(data: dict[str, dict[str, Any]], currency: str) -> dict[str, float]:
    """Prices of a gate by part, from the circuits' own parts, with relative errors least."""
    columns = ("encoder", "logic", "trees", "head", *(["fixed"] if currency == "flash" else []))
    lines = []
    for each in data.values():
        if each[currency] is None:
            continue
        own, tree = each["own"], is_trees(each["plan"])
        line = [own["encoder"], own["logic"] * (not tree), own["logic"] * tree, own["head"], 1.0]
        lines.append(np.array(line[: len(columns)]) / each[currency])
    solution, _ = nnls(np.array(lines), np.ones(len(lines)))
    return {name: round(float(value), 4) for name, value in zip(columns, solution, strict=True)}


def errors(data: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Per currency, the errors of circuits that are left out."""
    ratios: dict[str, dict[str, float]] = {}
    for name, each in data.items():
        known = fit({other: value for other, value in data.items() if other != name})
        sizes = parts(each["plan"], each["size"], known["parts"])
        for currency, figure in prices(sizes, is_trees(each["plan"]), known["prices"]).items():
            if each[currency] is not None:
                ratios.setdefault(currency, {})[name] = round(figure / each[currency], 3)
    report = {}
    for currency, found in ratios.items():
        factors = {name: max(ratio, 1 / ratio) for name, ratio in found.items()}
        worst = max(factors, key=lambda name: factors[name])
        report[currency] = {
            "circuits": len(found),
            "median_factor": round(statistics.median(factors.values()), 3),
            "worst_factor": round(factors[worst], 3),
            "worst": worst,
            "predicted_over_counted": found,
        }
    return report


def main() -> None:
    """Fit, and write."""
    data = samples()
    result = {"command": "python benchmarks/cost_predictor.py", **fit(data), "left_out": errors(data)}
    TARGET.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key != "left_out"}, indent=1))
    for currency, found in result["left_out"].items():
        print(currency, {key: value for key, value in found.items() if key != "predicted_over_counted"})


if __name__ == "__main__":
    main()
