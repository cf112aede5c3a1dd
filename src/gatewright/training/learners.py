"""What is stepped beside the optimizer: connections, discretization and cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from gatewright.runtime.schema import Section

if TYPE_CHECKING:
    import torch

    from gatewright.learning.reduction import Reduce

DECISION_STEPS = 10
"""Steps between redraws and freezes on a GPU, where the host waits for the device at each decision."""


class Learner(Protocol):
    """An object stepped after the optimizer: connection learning, discretization or expected cost."""

    @property
    def statistics(self) -> dict[str, Any]:
        """Readable numbers: redraws, freezes, entropies."""

    @property
    def observing(self) -> bool:
        """Whether `observe` does anything at this step."""

    def observe(self) -> None:
        """Record what is needed of the state after one optimizer step; reads no tensor back to the host."""

    def decide(self) -> None:
        """End the step, and act."""

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume."""

    def remove(self) -> None:
        """Let go of the network's layers: another learner takes its place."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a saved state; an entry `steps` in it is the number of steps so far."""


@dataclass(frozen=True)
class Learning:
    """What a learner is built for.

    Attributes:
        model: The network, on its device.
        optimizer: Its optimizer.
        steps: Length of the run.
        generator: The run's source of randomness.
        reduce: Averages over the processes that train together.
    """

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    steps: int
    generator: torch.Generator
    reduce: Reduce

    @property
    def decision_steps(self) -> int:
        """Steps between decisions."""
        return DECISION_STEPS if next(self.model.parameters()).device.type == "cuda" else 1


class LearnerOptions(Section):
    """Base of the sections that build a learner.

    Attributes:
        kind: Names the section.
    """

    kind: str

    def build(self, learning: Learning) -> Learner | None:
        """What is stepped after the optimizer, or None."""
        raise NotImplementedError
