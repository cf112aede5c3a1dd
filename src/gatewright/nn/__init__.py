"""Torch modules: the encoder, layers of logic gates, and heads that turn their bits into scores."""

from gatewright.nn.bit_tensor import BitTensor
from gatewright.nn.candidates import Candidates
from gatewright.nn.conv import LogicConv2d
from gatewright.nn.dense import LogicDense
from gatewright.nn.group_sum import GroupSum, PixelGroupSum, default_tau
from gatewright.nn.layers import LogicLayer, logic_layers, relaxed
from gatewright.nn.local import LogicLocal2d, unshare
from gatewright.nn.number_sum import NumberSum
from gatewright.nn.temperature import measure_temperature
from gatewright.nn.thermometer import Thermometer
from gatewright.nn.upsample import NearestUpsample
from gatewright.nn.weighted_sum import WeightedSum

__all__ = [
    "BitTensor",
    "Candidates",
    "GroupSum",
    "LogicConv2d",
    "LogicDense",
    "LogicLayer",
    "LogicLocal2d",
    "NearestUpsample",
    "NumberSum",
    "PixelGroupSum",
    "Thermometer",
    "WeightedSum",
    "default_tau",
    "logic_layers",
    "measure_temperature",
    "relaxed",
    "unshare",
]
