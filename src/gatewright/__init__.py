"""gatewright: learn compact Boolean networks, prove them, run them anywhere.

The names below are imported when first used, so `import gatewright` is quick and running a circuit never loads torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gatewright.circuit import Circuit, Encoder, Head, load_circuit, prove, save_circuit
    from gatewright.circuit.cost import cost
    from gatewright.circuit.simplify import simplify
    from gatewright.engine import Engine, PackedBits
    from gatewright.errors import GatewrightError
    from gatewright.formats import export
    from gatewright.gates import Gate
    from gatewright.learning import AdaptiveDiscretization, AdaptiveResampling, GuidedProposals
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
    from gatewright.verification import verify
    from gatewright.zoo import load

_HOME = {
    "gatewright.circuit": ("Circuit", "Encoder", "Head", "cost", "load_circuit", "prove", "save_circuit", "simplify"),
    "gatewright.lowering": ("lower",),
    "gatewright.nn.thermometer": ("Thermometer",),
    "gatewright.engine": ("Engine", "PackedBits"),
    "gatewright.errors": ("GatewrightError",),
    "gatewright.formats": ("export",),
    "gatewright.gates": ("Gate",),
    "gatewright.learning": ("AdaptiveDiscretization", "AdaptiveResampling", "GuidedProposals"),
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
    "gatewright.verification": ("verify",),
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
    "PackedBits",
    "PixelGroupSum",
    "Thermometer",
    "WeightedSum",
    "cost",
    "export",
    "load",
    "load_circuit",
    "logic_layers",
    "lower",
    "prove",
    "relaxed",
    "save_circuit",
    "simplify",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'gatewright' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
