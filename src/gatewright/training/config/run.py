"""What a training run is: one validated tree of options."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import model_validator

from gatewright.runtime.schema import Section
from gatewright.training.config.connections import CONNECTIONS, Connections, ResampledConnections
from gatewright.training.config.cost import CostOptions
from gatewright.training.config.data import DataOptions
from gatewright.training.config.freezing import FREEZING, Freezing, NoFreezing
from gatewright.training.config.model import ModelOptions
from gatewright.training.config.optimizer import OptimizerOptions
from gatewright.training.config.train import TrainOptions
from gatewright.training.config.values import at_step


class Recipe(Section):
    """How a network is made and trained, without what it learns from; see the sections."""

    model: ModelOptions
    optimizer: OptimizerOptions = OptimizerOptions()
    connections: Annotated[Connections, CONNECTIONS] = ResampledConnections(kind="resample")
    discretization: Annotated[Freezing, FREEZING] = NoFreezing(kind="none")
    cost: CostOptions = CostOptions()
    train: TrainOptions

    @model_validator(mode="after")
    def _check_unsharing(self) -> Self:
        moment, steps = self.model.unshare, self.train.steps
        if moment is not None and at_step(moment, steps) >= steps:
            raise ValueError(f"model.unshare must lie before the end of the run, got {moment} for {steps} steps")
        return self


class CircuitOptions(Section):
    """What becomes of the circuit after lossless simplification.

    Attributes:
        prune: Whether to remove gates that training samples cannot tell from simpler ones, as far as the accuracy on
            validation does not fall. This is lossy: the circuit is no longer the network for every input.
    """

    prune: bool = False


class RunConfig(Recipe):
    """All options of a training run; see the sections."""

    description: str = ""
    data: DataOptions
    circuit: CircuitOptions = CircuitOptions()

    def as_dict(self) -> dict[str, Any]:
        """All options, defaults included, as plain values that YAML and JSON can hold."""
        tree = self.model_dump(mode="json")
        return {key: tree[key] for key in ("description", "data", *tree)}
