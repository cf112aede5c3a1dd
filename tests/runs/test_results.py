"""The file of results, the rows made from it, and what is shown of them."""

from __future__ import annotations

import json
import statistics
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gatewright.circuit import Circuit, Head, cost
from gatewright.errors import FormatError
from gatewright.runs.report.draw import Measured, draw, draw_nand, front
from gatewright.runs.report.published import benchmark, published
from gatewright.runs.report.table import table
from gatewright.runs.results import Entry, Results


def entry(seed=1, *, name="digits", test=0.9, logic_ops=100, digest="d", **changes):
    fields = {
        "name": name, "preset": "digits", "changes": [], "seed": seed, "digest": digest, "data": "digits",
        "validation": 0.95, "test": test, "sensitivity": [1.0, None], "precision": [0.5, 0.25], "gates": 400,
        "logic_ops": logic_ops, "total_ops": 4 * logic_ops, "encoder_ops": logic_ops, "head_ops": 2 * logic_ops,
        "depth": 3, "total_depth": 30, "outputs": 40, "lut6": 50, "steps": 10, "best_step": 5, "train_seconds": 2.0,
        "compile_seconds": 1.0, "proof": "abc", "checked_samples": 7, "command": "gatewright pareto",
        "versions": {"gatewright": "0"}, "machine": {"processor": "P", "cores": 2},
    }  # fmt: skip
    return Entry(**(fields | changes))


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path / "new" / "pareto.json")


def test_a_row_is_made_of_its_entries(results):
    tests = [0.90, 0.93, 0.96]
    for seed, test in enumerate(tests):
        results.add(entry(seed, test=test, logic_ops=100 + seed, precision=[0.1 * seed, 0.5]))
    (row,) = results.rows()
    assert row.seeds == [0, 1, 2]
    assert row.accuracy == pytest.approx(0.93)
    assert row.deviation == pytest.approx(statistics.stdev(tests))
    assert (row.logic_ops, row.logic_ops_most, row.total_ops) == (101, 102, 404)
    assert (row.encoder_share, row.logic_share, row.head_share) == (0.25, 0.25, 0.5)
    assert row.sensitivity == [1.0, None]
    assert row.precision == pytest.approx([0.1, 0.5])
    assert row.command == "gatewright pareto --presets digits --seeds 0,1,2"
    assert json.loads(results.path.read_text())["rows"] == [row.model_dump(mode="json")]


def test_one_seed_has_no_deviation(results):
    results.add(entry(lut6=None))
    (row,) = results.rows()
    assert row.deviation is None
    assert row.lut6 is None
    assert "| 90.00 | 1 | 100 | 400 | 25 / 25 / 50 | 3 |  | 2 |" in table([row])


def test_the_table_says_which_rows_are_different(results):
    for name, changes in {"one": {}, "two": {}, "whole": {"validation": None}}.items():
        results.add(entry(name=name, preset=name, **changes))
    assert "also learned" not in table(results.rows()[:2])
    assert "`whole` also learned from validation" in table(results.rows())
    other = {**entry().machine, "processor": "Other"}
    results.add(entry(name="two", preset="two", machine=other))
    assert table(results.rows()).count("shared with other work") == 2
    assert "; `two`: Other" in table(results.rows())


def test_the_same_run_again_takes_its_old_place(results):
    results.add(entry(1, test=0.5))
    results.add(entry(2, test=0.6))
    results.add(entry(1, test=0.7))
    assert [(e.seed, e.test) for e in results.entries()] == [(1, 0.7), (2, 0.6)]


def test_other_options_under_the_same_name_drive_out_the_old_entries(results):
    results.add(entry(1, name="other"))
    results.add(entry(1))
    results.add(entry(2))
    results.add(entry(3, digest="e"))
    assert [(e.name, e.seed) for e in results.entries()] == [("digits", 3), ("other", 1)]


def test_many_writers_lose_nothing(results):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: Results(results.path).add(entry(seed)), range(24)))
    assert [e.seed for e in results.entries()] == list(range(24))


@pytest.mark.parametrize("text", ["{", "[]", '{"entries": [{"name": "x"}]}', "\udcff"])
def test_a_damaged_file_is_refused_and_kept(results, text):
    results.path.parent.mkdir()
    results.path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FormatError, match=r"pareto\.json is no file of results, or damaged"):
        results.add(entry())
    assert results.path.read_bytes() == text.encode("utf-8", "surrogateescape")


def test_the_front_is_what_nothing_beats():
    points = [(10, 0.5), (20, 0.4), (20, 0.6), (30, 0.6), (5, 0.3), (40, 0.9), (50, 0.9)]
    assert front(points) == [(5, 0.3), (10, 0.5), (20, 0.6), (40, 0.9)]


def test_published_rows_name_their_sources():
    rows = published()
    assert {row.data for row in rows} >= {"mnist", "fashion-mnist", "cifar10", "adult", "breast-cancer", "monks-1"}
    assert all("arXiv" in row.source and 50 < row.accuracy <= 100 for row in rows)
    assert (98.45, 8000) in {(row.accuracy, row.gates) for row in rows if row.method == "LILogicNet"}
    others = benchmark()
    assert {row.data for row in others} == {"mnist", "cifar10"}
    assert all("github.com" in row.source and 30 < row.accuracy < 100 for row in others)


def test_totals_are_reckoned_from_what_is_known():
    rows = {(row.method, row.gates): row.reckoned_total(10) for row in published() if row.data == "mnist"}
    assert rows["LILogicNet", 4_000] == 4_000 + 5 * 4_000 + 7 * 9 * 9  # 400 bits a class, which 9 bits count
    assert rows["LogicTreeNet", 1_270_000] is None
    # The reckoning is close to what gatewright's own head takes for as many bits.
    bits = Circuit(4_000, [], [], [], np.arange(4_000), head=Head(np.arange(4_000) % 10, [0] * 10))
    assert 0.9 < cost(bits).head_ops / (rows["LILogicNet", 4_000] - 4_000) < 1


def test_pictures(results, tmp_path):
    pytest.importorskip("matplotlib")
    results.add(entry(1))
    results.add(entry(1, name="second", logic_ops=50, test=0.8))
    others = [row for row in published() if row.data in {"mnist", "fashion-mnist"}]
    measured = [Measured("someone's library", 3_000, 900, 85.0)]
    png, svg = draw("digits", results.rows(), others, tmp_path, measured=measured)
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    assert "library, measured by us" in text
    for shown in ("LILogicNet (reckoned)", ">LILogicNet<", "gates not stated", "second", "total ops"):
        assert shown in text
    nand = draw_nand("mnist", {"mine": (20_000, 97.5)}, [r for r in benchmark() if r.data == "mnist"], tmp_path)[1]
    assert all(shown in nand.read_text() for shown in ("boosted forest", "mine", "NAND"))
    again = draw("digits", results.rows(), others, tmp_path / "again", measured=measured)[1]
    assert again.read_text() == text
