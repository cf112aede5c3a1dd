"""Budgets: what counts, what fits, and what is refused."""

import numpy as np
import pytest

import gatewright as gw
from gatewright.budget.clock import Clock, seconds_of
from gatewright.budget.limits import COUNTS, Budget
from gatewright.errors import OptionError


def test_a_budget_needs_a_limit_above_zero():
    with pytest.raises(OptionError, match="give max_total_ops, max_nand, max_lut6 or max_flash"):
        Budget()
    with pytest.raises(OptionError, match="the limit of six-input tables is 0"):
        Budget(lut6=0)


def test_the_nearest_limit_counts():
    budget = Budget(total_ops=100, nand=50)
    assert budget.use({"total_ops": 60, "nand": 20}) == pytest.approx(0.6)
    assert budget.use({"total_ops": 60, "nand": 60}) == pytest.approx(1.2)
    assert budget.axis == "total_ops"
    assert Budget(flash=3, lut6=4).axis == "lut6"
    assert str(Budget(total_ops=1500)) == "1,500 total ops"


def test_circuits_are_counted_in_total_ops_and_what_is_limited():
    pytest.importorskip("pyosys")
    circuit = gw.Circuit(3, np.array([6, 1]), np.array([0, 3]), np.array([1, 2]), np.array([4]))
    counted = Budget(lut6=10).count(circuit)
    assert counted == {"total_ops": gw.cost(circuit).total_ops, "lut6": 1}
    assert set(counted) < set(COUNTS)


def test_times_are_read_as_people_write_them():
    assert (seconds_of("90s"), seconds_of("10m"), seconds_of("1h30m"), seconds_of("0.5d")) == (90, 600, 5400, 43200)
    for wrong in ("", "10", "m", "10m!", "-1h", "1h 2m"):
        with pytest.raises(OptionError, match="a time looks like"):
            seconds_of(wrong)


def test_a_later_session_goes_on_with_the_clock(tmp_path):
    path = tmp_path / "clock.json"
    first = Clock(path, 100.0)
    assert first.exploring > 59
    path.write_text('{"seconds": 70.0}')
    first.save()  # another process has noted more
    later = Clock(path, 100.0)
    assert later.elapsed >= 70
    assert later.exploring == 0
    assert 29 < later.left <= 30
    path.write_text("{}")
    with pytest.raises(OptionError, match="is damaged"):
        Clock(path, 100.0)
