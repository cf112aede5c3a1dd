"""Learning-rate schedules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewright.training.config import OptimizerOptions

SCHEDULES = ["constant", "cosine", "one-cycle", "step"]


@given(
    schedule=st.sampled_from(SCHEDULES),
    steps=st.integers(1, 1000),
    share=st.floats(0, 1, exclude_max=True),
    warmup=st.one_of(st.integers(0, 2000), st.floats(0, 1)),
)
def test_factor_lies_between_0_and_1(schedule, steps, share, warmup):
    options = OptimizerOptions(schedule=schedule, warmup=warmup)
    assert 0 <= options.factor(int(share * steps), steps) <= 1


def factors(steps=1000, **options):
    return [OptimizerOptions(**options).factor(step, steps) for step in range(steps)]


def test_shapes():
    assert set(factors(schedule="constant")) == {1.0}
    assert factors(schedule="cosine")[::500] == pytest.approx([1.0, 0.5])
    assert factors(schedule="step")[::250] == [1.0, 1.0, 0.1, 0.01]
    cycle = factors(schedule="one-cycle")
    assert cycle[0] == pytest.approx(1 / 25)
    assert cycle.index(max(cycle)) == 300
    assert max(cycle) == 1
    assert cycle[-1] < 1e-4
    assert cycle[:300] == sorted(cycle[:300])
    assert cycle[300:] == sorted(cycle[300:], reverse=True)


def test_warmup_rises_to_the_schedule():
    rising = factors(steps=100, warmup=10)
    assert rising[:10] == pytest.approx([0.1 * i for i in range(1, 11)])
    assert set(rising[10:]) == {1.0}
    assert factors(steps=100, warmup=0.1) == rising
