"""gatewright: learn compact Boolean networks, prove them, run them anywhere.

The names below are imported when they are first used, so `import gatewright` is quick, and loading and running a circuit
imports no torch. Only these names are promised; modules may change between versions.
"""

from __future__ import annotations

import importlib

# Not from `typing`, whose import takes longer than all else here: until it is done, Ctrl-C would leave a traceback.
TYPE_CHECKING = False

__version__ = "0.2.0"

# Every public name stands in this table and, for type checkers, in the block below it (a test holds both equal).
_NAMES = {
    "gatewright.budget.driver": ("search",),
    "gatewright.circuit": ("Circuit", "Encoder", "Head", "load_circuit", "prove", "save_circuit"),
    "gatewright.circuit.cost": ("cost",),
    "gatewright.circuit.lookup_tables": ("LookupTables",),
    "gatewright.circuit.simplify": ("simplify",),
    "gatewright.data": ("load_dataset",),
    "gatewright.engine": ("Engine", "PackedBits"),
    "gatewright.errors": ("GatewrightError",),
    "gatewright.foreign": ("import_network",),
    "gatewright.formats": ("export",),
    "gatewright.gates": ("Gate",),
    "gatewright.hardware.luts": ("map_luts",),
    "gatewright.learning": ("AdaptiveDiscretization", "AdaptiveResampling", "ExpectedCost", "GuidedProposals"),
    "gatewright.lowering": ("lower",),
    "gatewright.model": ("Model", "load"),
    "gatewright.nn": (
        "GroupSum",
        "LogicConv2d",
        "LogicDense",
        "LogicLocal2d",
        "NearestUpsample",
        "PixelGroupSum",
        "Thermometer",
        "WeightedSum",
        "logic_layers",
        "measure_temperature",
        "relaxed",
        "unshare",
    ),
    "gatewright.runs.run": ("train",),
    "gatewright.verification": ("verify",),
}

if TYPE_CHECKING:
    from gatewright.budget.driver import search as search
    from gatewright.circuit import Circuit as Circuit
    from gatewright.circuit import Encoder as Encoder
    from gatewright.circuit import Head as Head
    from gatewright.circuit import load_circuit as load_circuit
    from gatewright.circuit import prove as prove
    from gatewright.circuit import save_circuit as save_circuit
    from gatewright.circuit.cost import cost as cost
    from gatewright.circuit.lookup_tables import LookupTables as LookupTables
    from gatewright.circuit.simplify import simplify as simplify
    from gatewright.data import load_dataset as load_dataset
    from gatewright.engine import Engine as Engine
    from gatewright.engine import PackedBits as PackedBits
    from gatewright.errors import GatewrightError as GatewrightError
    from gatewright.foreign import import_network as import_network
    from gatewright.formats import export as export
    from gatewright.gates import Gate as Gate
    from gatewright.hardware.luts import map_luts as map_luts
    from gatewright.learning import AdaptiveDiscretization as AdaptiveDiscretization
    from gatewright.learning import AdaptiveResampling as AdaptiveResampling
    from gatewright.learning import ExpectedCost as ExpectedCost
    from gatewright.learning import GuidedProposals as GuidedProposals
    from gatewright.lowering import lower as lower
    from gatewright.model import Model as Model
    from gatewright.model import load as load
    from gatewright.nn import GroupSum as GroupSum
    from gatewright.nn import LogicConv2d as LogicConv2d
    from gatewright.nn import LogicDense as LogicDense
    from gatewright.nn import LogicLocal2d as LogicLocal2d
    from gatewright.nn import NearestUpsample as NearestUpsample
    from gatewright.nn import PixelGroupSum as PixelGroupSum
    from gatewright.nn import Thermometer as Thermometer
    from gatewright.nn import WeightedSum as WeightedSum
    from gatewright.nn import logic_layers as logic_layers
    from gatewright.nn import measure_temperature as measure_temperature
    from gatewright.nn import relaxed as relaxed
    from gatewright.nn import unshare as unshare
    from gatewright.runs.run import train as train
    from gatewright.verification import verify as verify

_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names}

__all__ = list(_MODULE_OF)


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'gatewright' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value  # the next use is an ordinary attribute
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_OF])
