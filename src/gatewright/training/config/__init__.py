"""The options of a training run: a section per idea, and nothing else is accepted.

Every option has a place, a type and a default, and every section builds what it describes. Layers, heads, connections and
freezing are registered by name (`LAYERS`, `HEADS`, `CONNECTIONS`, `FREEZING`), so others can add their own.
"""

from gatewright.training.config.connections import CONNECTIONS, Connections
from gatewright.training.config.freezing import FREEZING, Freezing
from gatewright.training.config.heads import HEADS, Head
from gatewright.training.config.layers import LAYERS, Layer
from gatewright.training.config.optimizer import OptimizerOptions
from gatewright.training.config.run import Recipe, RunConfig
from gatewright.training.config.train import TrainOptions
from gatewright.training.config.values import at_step

__all__ = [
    "CONNECTIONS",
    "FREEZING",
    "HEADS",
    "LAYERS",
    "Connections",
    "Freezing",
    "Head",
    "Layer",
    "OptimizerOptions",
    "Recipe",
    "RunConfig",
    "TrainOptions",
    "at_step",
]
