"""The benchmark of training steps: what it measures is what it says."""

import pytest
import torch

from gatewright.bench.steps import Setting, compare
from gatewright.errors import OptionError
from gatewright.kernels import cpu, ops, reference

SMALL = Setting(features=20, widths=(20, 30), candidates=4, batch=16, threads=1)


def test_all_of_gatewrights_contenders_run_and_are_summed_up():
    names = ("hard", "hard guided", "soft", "soft reference")
    result = compare(SMALL, contenders=names, rounds=2, seconds=0.01)
    assert set(result["contenders"]) == set(names)
    for row in result["contenders"].values():
        assert 0 < row["ms_least"] <= row["ms_per_step"] <= row["ms_greatest"]
        assert row["samples_per_s"] == pytest.approx(16 * row["steps_per_s"], rel=0.01)
    assert result["setting"]["widths"] == (20, 30)
    assert result["machine"]


def test_reference_kernels_are_used_within_their_context_only(monkeypatch):
    used = []
    monkeypatch.setattr(reference, "unpack", lambda *a: used.append(a) or cpu.unpack(*a[:2]))
    words = torch.zeros(3, 1, dtype=torch.int64)
    ops.unpack(words, 5)
    assert not used
    with ops.reference_kernels():
        x = (torch.rand(4, 3) < 0.5).float()
        from gatewright.nn import LogicDense

        LogicDense(3, 2, relaxation="hard", gradients="float")(x).sum().backward()
    assert used


def test_wrong_options_are_refused():
    with pytest.raises(OptionError, match="unknown contender 'hart'"):
        compare(SMALL, contenders=("hart",))
    with pytest.raises(OptionError, match="rounds and seconds must be positive"):
        compare(SMALL, rounds=0)
