"""The options of a training run: a section per idea, and nothing else is accepted.

Every option has a place, a type and a default, and every section builds what it describes. Layers, heads, connections and
freezing are registered by name (`LAYERS`, `HEADS`, `CONNECTIONS`, `FREEZING`), so others can add their own.
"""

from gatewright.training.config.connections import CONNECTIONS, Connections, GuidedConnections, ResampledConnections
from gatewright.training.config.data import AugmentOptions, DataOptions, EncoderOptions
from gatewright.training.config.freezing import FREEZING, AdaptiveFreezing, Freezing
from gatewright.training.config.heads import HEADS, Head, WeightedHead
from gatewright.training.config.layers import LAYERS, Conv, Dense, Flatten, Layer, Neurons, Upsample
from gatewright.training.config.model import LayerPlan, ModelOptions, NetworkPlan
from gatewright.training.config.optimizer import OptimizerOptions
from gatewright.training.config.run import CircuitOptions, Recipe, RunConfig
from gatewright.training.config.train import TrainOptions
from gatewright.training.config.values import at_step

__all__ = [
    "CONNECTIONS",
    "FREEZING",
    "HEADS",
    "LAYERS",
    "AdaptiveFreezing",
    "AugmentOptions",
    "CircuitOptions",
    "Connections",
    "Conv",
    "DataOptions",
    "Dense",
    "EncoderOptions",
    "Flatten",
    "Freezing",
    "GuidedConnections",
    "Head",
    "Layer",
    "LayerPlan",
    "ModelOptions",
    "NetworkPlan",
    "Neurons",
    "OptimizerOptions",
    "Recipe",
    "ResampledConnections",
    "RunConfig",
    "TrainOptions",
    "Upsample",
    "WeightedHead",
    "at_step",
]
