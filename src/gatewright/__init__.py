"""gatewright: learn compact Boolean networks, prove them, run them anywhere.

The names below are imported when first used, so `import gatewright` is quick and running a circuit never loads torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gatewright.circuit import Circuit, Encoder, Head, prove, save
    from gatewright.circuit.cost import cost
    from gatewright.circuit.simplify import simplify
    from gatewright.engine import Engine
    from gatewright.errors import GatewrightError
    from gatewright.gates import Gate
    from gatewright.learning import (
        AdaptiveDiscretization,
        AdaptiveResampling,
        GuidedProposals,
        ScheduledDiscretization,
    )
    from gatewright.lowering import lower
    from gatewright.nn import (
        GroupSum,
        LogicConv2d,
        LogicDense,
        NearestUpsample,
        PixelGroupSum,
        WeightedSum,
        logic_layers,
        relaxed,
    )
    from gatewright.nn.thermometer import Thermometer
    from gatewright.runs.run import train
    from gatewright.zoo import load

_HOME = {
    "gatewright.circuit": ("Circuit", "Encoder", "Head", "cost", "prove", "save", "simplify"),
    "gatewright.lowering": ("lower",),
    "gatewright.nn.thermometer": ("Thermometer",),
    "gatewright.engine": ("Engine",),
    "gatewright.errors": ("GatewrightError",),
    "gatewright.gates": ("Gate",),
    "gatewright.learning": (
        "AdaptiveDiscretization",
        "AdaptiveResampling",
        "GuidedProposals",
        "ScheduledDiscretization",
    ),
    "gatewright.nn": (
        "GroupSum",
        "LogicConv2d",
        "LogicDense",
        "NearestUpsample",
        "PixelGroupSum",
        "WeightedSum",
        "logic_layers",
        "relaxed",
    ),
    "gatewright.runs.run": ("train",),
    "gatewright.zoo": ("load",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "AdaptiveDiscretization",
    "AdaptiveResampling",
    "Circuit",
    "Encoder",
    "Engine",
    "Gate",
    "GatewrightError",
    "GroupSum",
    "GuidedProposals",
    "Head",
    "LogicConv2d",
    "LogicDense",
    "NearestUpsample",
    "PixelGroupSum",
    "ScheduledDiscretization",
    "Thermometer",
    "WeightedSum",
    "cost",
    "load",
    "logic_layers",
    "lower",
    "prove",
    "relaxed",
    "save",
    "simplify",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'gatewright' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
