"""Torch modules: layers of logic gates and the head that turns their bits into scores."""

from gatewright.kernels.bits import BitTensor
from gatewright.nn.candidates import Candidates
from gatewright.nn.head import GroupSum, default_tau
from gatewright.nn.layers import LogicConv2d, LogicDense, LogicLayer, logic_layers, relaxed

__all__ = [
    "BitTensor",
    "Candidates",
    "GroupSum",
    "LogicConv2d",
    "LogicDense",
    "LogicLayer",
    "default_tau",
    "logic_layers",
    "relaxed",
]
