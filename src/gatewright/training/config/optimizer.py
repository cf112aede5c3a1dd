"""The section `optimizer`: Adam, and the learning rate as a function of the step."""

from __future__ import annotations

from math import cos, pi
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from gatewright.runtime.schema import Section
from gatewright.training.config.model import ModelOptions
from gatewright.training.config.values import Clip, Moment, Rate, at_step

if TYPE_CHECKING:
    import torch

RISE = 0.3
"""Share of a one-cycle schedule in which the rate rises."""

LOCAL_RATE = 0.5
"""Rate of gates that one position alone teaches, relative to that of kernels and dense layers.

Single runs on CIFAR-10 with the hard relaxation ended at a lower loss than with the full rate (docs/connections.md).
"""

Decay = Annotated[float, Field(ge=0, lt=1)]

START = 1 / 25
"""Rate at the start of a one-cycle schedule, relative to its peak."""


class OptimizerOptions(Section):
    """Adam and its learning rate.

    Attributes:
        kind: Only Adam.
        lr: Learning rate; null for the rule: 0.02 for soft networks with convolutions, 0.01 for all others. Unshared
            convolutions learn at half of it.
        betas: Adam's decay rates.
        schedule: `constant`; `cosine` to zero; `one-cycle` up over the first 30 % and down to zero; `step` down to a
            tenth at half and to a hundredth at three quarters of the run.
        warmup: Linear rise from zero up to this moment.
        clip: Greatest norm of the gradient; null for no clipping.
    """

    kind: Literal["adam"] = "adam"
    lr: Rate | None = None
    betas: Annotated[list[Decay], Field(min_length=2, max_length=2)] = [0.9, 0.999]  # noqa: RUF012 - pydantic copies it
    schedule: Literal["constant", "cosine", "one-cycle", "step"] = "constant"
    warmup: Moment = 0
    clip: Clip | None = None

    def build(self, model: torch.nn.Sequential, options: ModelOptions) -> torch.optim.Adam:
        """The optimizer of a network built from these options; parameter groups have their peak learning rate as `peak`."""
        import torch

        from gatewright.nn import LogicLocal2d

        rate = options.rate if self.lr is None else self.lr
        *body, head = model
        local = {p for module in model.modules() if isinstance(module, LogicLocal2d) for p in module.parameters()}
        # The first group's rate is the one that metrics show.
        peaks: dict[float, list[torch.nn.Parameter]] = {rate: []}
        for parameter in (p for module in body for p in module.parameters()):
            peaks.setdefault(rate * LOCAL_RATE if parameter in local else rate, []).append(parameter)
        for parameter in head.parameters():
            peaks.setdefault(options.head.rate(rate), []).append(parameter)
        device = next(model.parameters()).device
        on_gpu = device.type == "cuda"
        groups: list[dict[str, Any]] = [
            # A rate that a CUDA graph can read has to be a tensor.
            {"params": params, "lr": torch.tensor(peak, device=device) if on_gpu else peak, "peak": peak}
            for peak, params in peaks.items()
            if params
        ]
        return torch.optim.Adam(groups, betas=(self.betas[0], self.betas[1]), fused=True, capturable=on_gpu)

    def factor(self, step: int, steps: int) -> float:
        """What the learning rates are multiplied by at a step, 0 .. steps - 1: between 0 and 1."""
        warmup = at_step(self.warmup, steps)
        rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
        return rise * _shape(self.schedule, step / steps)


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
