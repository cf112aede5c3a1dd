"""Numbers to predict, from a table to a proven circuit, by the commands."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import gatewright as gw
from gatewright.budget.space import Space
from gatewright.data import Dataset, Split
from gatewright.data.numbers import Scale, fitted_line
from gatewright.errors import DataError, OptionError, UnsupportedError
from gatewright.runs.compile import compile_run
from gatewright.runs.fit import Fit
from gatewright.runs.run import load_run
from support.commands import gatewright


def table(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(
        {"id": np.arange(rows) + 10**9, "size": rng.integers(0, 100, rows), "kind": rng.choice(["a", "b"], rows)}
    )
    return x.assign(price=1000 + 7.5 * x["size"] + 300 * (x.kind == "b") + rng.normal(0, 10, rows))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a table, a run, and its circuit."""
    folder = tmp_path_factory.mktemp("numbers")
    table().to_csv(folder / "prices.csv", index=False)
    arguments = ["--target", "price", "--number", "--drop", "id", "--steps", "300", "--out", folder / "run", "--json"]
    done = gatewright("train", folder / "prices.csv", *arguments)
    assert done.code == 0, done.err
    compiled = gatewright("compile", folder / "run", "-o", folder / "prices.gw", "--json")
    assert compiled.code == 0, compiled.err
    return folder, done.json, compiled.json


def test_network_circuit_and_result_agree(trained):
    folder, result, compiled = trained
    assert result["figure"] == "R^2"
    assert result["test"]["hard"] > 0.9
    assert compiled["test_r2"] == result["test"]["hard"]
    assert compiled["proof"]["equal"]
    circuit = gw.load_circuit(folder / "prices.gw")
    assert circuit.head.number == load_run(folder / "run").number
    assert float(circuit.metadata["test_r2"]) == pytest.approx(result["test"]["hard"], abs=1e-6)


def test_the_line_is_the_best_for_the_training_part(trained):
    folder, _, _ = trained
    data = Dataset.from_frame(table(), "price", drop=["id"], numbers=True)
    circuit = gw.load_circuit(folder / "prices.gw")
    counts = gw.Engine(circuit).counts(data.train.x)[:, 0]
    slope, intercept = np.polyfit(counts, data.train.y, 1)
    assert circuit.head.number == pytest.approx((intercept, slope), rel=1e-5)


def test_eval_predict_and_report(trained, tmp_path):
    folder, result, _ = trained
    new = table(200, seed=1)
    new.to_csv(tmp_path / "new.csv", index=False)
    done = gatewright("eval", folder / "prices.gw", "--dataset", tmp_path / "new.csv", "--json")
    assert done.code == 0
    gatewright("predict", folder / "prices.gw", tmp_path / "new.csv", "-o", tmp_path / "out.csv")
    out = pd.read_csv(tmp_path / "out.csv")
    fit = Fit(new.price.to_numpy(), out.prediction.to_numpy())
    assert list(out.columns) == ["id", "price", "prediction"]
    assert [done.json[key] for key in ("r2", "rmse", "mae")] == pytest.approx([fit.r2, fit.rmse, fit.mae])
    assert "mean absolute error" in gatewright("eval", folder / "prices.gw", "--dataset", tmp_path / "new.csv").out

    done = gatewright("report", folder / "run", "-o", tmp_path / "r.html", "--json")
    assert done.json["r2"] == result["test"]["hard"]
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Predicted over true numbers" in text
    assert "Largest errors" in text
    assert "Confusion" not in text
    done = gatewright("report", folder / "prices.gw", "--dataset", tmp_path / "new.csv", "-o", tmp_path / "r.html")
    assert f"test R^2 │ {fit.r2:.4f}" in done.out


def test_a_stopped_run_goes_on_to_the_same_result(trained, tmp_path):
    folder, result, _ = trained
    options = [
        f"data.{key}={json.dumps(value)}"
        for key, value in {"target": "price", "predict": "number", "drop": ["id"]}.items()
    ]
    options.append("train.steps=300")
    asked = iter(range(1000))
    stopped = gw.train(
        str(folder / "prices.csv"), out=tmp_path / "run", overrides=options, stop=lambda: next(asked) > 100
    )
    assert stopped is None
    again = gw.train(str(tmp_path / "run"), out=tmp_path / "run", resume=True)
    assert again.test.hard == result["test"]["hard"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--target", "price"],
            "holds fractions, expected classes; numbers are predicted by `gatewright train --number`",
        ),
        (["--target", "kind", "--number"], "column 'kind' holds texts, such as '"),
        (["--target", "price", "--number", "--set", "model.head.kind=sum"], "set model.head.kind=number"),
        (["--target", "kind", "--set", "model.head.kind=number"], "data.predict=number"),
        (
            ["--target", "price", "--number", "--set", "model.tau=measured"],
            "model.tau is measured, which is for classes",
        ),
    ],
)
def test_what_does_not_fit_is_refused(trained, tmp_path, arguments, message):
    done = gatewright("train", trained[0] / "prices.csv", "--drop", "id", "--out", tmp_path / "run", *arguments)
    assert done.code == 2
    assert message in done.err


def test_classes_and_numbers_are_not_compared(trained, tmp_path):
    folder, _, _ = trained
    done = gatewright("eval", folder / "prices.gw", "--dataset", "digits")
    assert done.code == 2
    assert "gives a number, but the labels of digits are classes" in done.err
    with pytest.raises(OptionError, match="the labels of digits are classes"):
        gw.train("digits", out=tmp_path / "run", overrides=["data.predict=number"])
    with pytest.raises(OptionError, match="gives numbers; do not prune it"):
        compile_run(
            load_run(folder / "run"), Dataset.from_frame(table(), "price", drop=["id"], numbers=True), prune_too=True
        )
    with pytest.raises(UnsupportedError, match="knows networks of classes"):
        Space(Dataset.from_frame(table(), "price", numbers=True), None)


def test_numbers_of_a_data_set_are_checked():
    x, y = np.zeros((3, 2), np.uint8), np.array([1.0, np.nan, 2.0])
    good, bad = Split(x, np.zeros(3)), Split(x, y)
    assert Dataset("d", good, good, good, (2,), "uint8", ()).n_outputs == 1
    with pytest.raises(DataError, match="label of sample 1 is nan, expected a finite number"):
        Dataset("d", good, good, bad, (2,), "uint8", ())
    with pytest.raises(DataError, match="numbers have no class names"):
        Dataset("d", good, good, good, (2,), "uint8", ("a", "b"))
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "y": [1.5, None, 2.0, 3.0]})
    with pytest.raises(DataError, match="column 'y' is missing in row 1"):
        Dataset.from_frame(frame, "y", numbers=True)


def test_counts_that_say_nothing_have_no_line():
    assert fitted_line(np.zeros(4, np.int64), np.arange(4.0)) is None
    assert fitted_line(np.arange(4), np.full(4, 2.5)) is None
    assert Scale.of(np.full(4, 2.5)) == (2.5, 1.0)
    assert np.isnan(Fit(np.full(4, 2.5), np.arange(4.0)).r2)


def test_what_cannot_be_measured_is_refused_before_training(tmp_path):
    table(4).to_csv(tmp_path / "few.csv", index=False)
    table().assign(price=7.5).to_csv(tmp_path / "same.csv", index=False)
    for name, message in (
        ("few", "all 1 numbers of the test part"),
        ("same", "all 280 numbers of the train part are 7.5"),
    ):
        done = gatewright("train", tmp_path / f"{name}.csv", "--target", "price", "--number", "--out", tmp_path / name)
        assert done.code == 2
        assert message in done.err.replace("\n", " ")
    table().to_csv(tmp_path / "t.csv", index=False)
    arguments = ["--target", "price", "--number", "--set", "circuit.prune=true", "--out", tmp_path / "run"]
    assert "circuit.prune is judged by right classes" in gatewright("train", tmp_path / "t.csv", *arguments).err


def test_one_row_has_errors_but_no_share_of_variance(trained, tmp_path):
    folder, _, _ = trained
    table(1, seed=2).to_csv(tmp_path / "one.csv", index=False)
    done = gatewright("eval", folder / "prices.gw", "--dataset", tmp_path / "one.csv", "--json")
    assert done.json["r2"] is None
    assert done.json["rmse"] == done.json["mae"] > 0
    done = gatewright(
        "report", folder / "prices.gw", "--dataset", tmp_path / "one.csv", "-o", tmp_path / "r.html", "--json"
    )
    assert done.json["r2"] is None


def test_options_that_say_nothing_are_refused(trained, tmp_path):
    folder, _, _ = trained
    for arguments in (["--target", "price"], ["--split", "train"]):
        done = gatewright("report", folder / "prices.gw", "-o", tmp_path / "r.html", *arguments)
        assert done.code == 2
        assert "--split and --target say nothing" in done.err
    done = gatewright("eval", "digits-narrow", "--dataset", "digits", "--target", "x")
    assert done.code == 2
    assert "--target is of tables" in done.err
