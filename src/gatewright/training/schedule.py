"""Learning-rate schedules: pure functions of the step, so that there is no state to save."""

from __future__ import annotations

from math import cos, pi

from gatewright.training.config import OptimizerOptions, at_step

RISE = 0.3
"""Share of a one-cycle schedule in which the rate rises."""

START = 1 / 25
"""Rate at the start of a one-cycle schedule, relative to its peak."""


def rate_factor(options: OptimizerOptions, step: int, steps: int) -> float:
    """What the learning rate is multiplied by at a step.

    Args:
        options: Names the schedule and the warm-up.
        step: 0 .. steps - 1.
        steps: Length of the run.

    Returns:
        A factor between 0 and 1.
    """
    warmup = at_step(options.warmup, steps)
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    return rise * _shape(options.schedule, step / steps)


def _shape(schedule: str, time: float) -> float:
    if schedule == "cosine":
        return _fall(time)
    if schedule == "one-cycle":
        return START + (1 - START) * (1 - _fall(time / RISE)) if time < RISE else _fall((time - RISE) / (1 - RISE))
    if schedule == "step":
        return 1.0 if time < 0.5 else 0.1 if time < 0.75 else 0.01
    return 1.0


def _fall(time: float) -> float:
    """Half a cosine from 1 to 0."""
    return (1 + cos(pi * time)) / 2
