"""Networks that others trained, as circuits: netlists, forests of trees, logic networks of other libraries."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gatewright.circuit.circuit import Circuit
from gatewright.errors import UnsupportedError, unknown_name
from gatewright.foreign.folders import network_of
from gatewright.foreign.netlists import netlist_circuit
from gatewright.foreign.networks import network_circuit
from gatewright.foreign.state_dicts import state_dict_circuit
from gatewright.foreign.trees import booster_circuit, tree_circuit, tree_file_circuit
from gatewright.formats import READERS
from gatewright.runtime.documents import reading
from gatewright.runtime.registry import Registry

FILES: Registry[Callable[..., Circuit]] = Registry(
    "suffix of foreign networks",
    Callable,
    {
        **dict.fromkeys(READERS, netlist_circuit),
        ".json": tree_file_circuit,
        **dict.fromkeys((".pt", ".pth", ".safetensors"), state_dict_circuit),
    },
)
"""Functions that read a network from a file, by its suffix: they take the path, and options by keyword."""

LIBRARIES: Registry[Callable[..., Circuit]] = Registry(
    "library",
    Callable,
    {
        "sklearn": tree_circuit,
        "xgboost": booster_circuit,
        "lightgbm": booster_circuit,
        "difflogic": network_circuit,
        "torchlogix": network_circuit,
        "compactlogic": network_circuit,
        "torch_dwn": network_circuit,
        "silogic": network_circuit,
        "torch": network_circuit,
    },
)
"""Functions that read a trained object, by the package that defines its class: they take the object, and options."""

_CODE = {".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".skops"}


def import_network(source: Any, **options: Any) -> Circuit:
    """Read a network that another library or tool made.

    The circuit is what the network computes, gate for gate, not simplified: `gatewright.simplify` does that, and
    `gatewright.prove` shows that both are equal. What is not fully understood is refused by name.

    Args:
        source: A file with a suffix in `FILES`; a folder with one such file, and perhaps options for it in
            `network.json`; or an object whose class a package in `LIBRARIES` defines.
        **options: Options of that kind of source: `like` for netlists; `dtype`, `shape`, `quantize`, `samples`,
            `class_names` and `feature_names` for trees; `shape`, `dtype`, `thermometer` and names for torch networks;
            `classes`, `tau`, `inputs`, `thermometer`, `shape`, `dtype` and names for state dicts.

    Raises:
        OptionError: The source or an option is unknown.
        UnsupportedError: Something in it is no exact circuit, or the file could run code when it is read.
        FormatError: The file is truncated, damaged, or of another format.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from sklearn.tree import DecisionTreeClassifier
        >>> import gatewright as gw
        >>> x, y = load_iris(return_X_y=True)
        >>> tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(x.astype("float32"), y)
        >>> circuit = gw.import_network(tree)
        >>> bool((gw.load(circuit).predict(x.astype("float32")) == tree.predict(x)).all())
        True
    """
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        if path.suffix in _CODE:
            raise UnsupportedError(
                f"{path} is a pickle, which runs code when it is read, so it is not read; load it where it was made, and "
                f"save the circuit there: gatewright.save_circuit(gatewright.import_network(model), 'circuit.gw')"
            )
        if path.is_dir():
            path, described = network_of(path, FILES)
            options = {**described, **options}
        if path.suffix not in FILES:
            raise unknown_name("suffix of foreign networks", path.suffix or path.name, FILES)
        with reading(path):
            return _call(FILES[path.suffix], path, options, f"{path.suffix} files")
    packages = [base.__module__.partition(".")[0] for base in type(source).__mro__]
    package = next((name for name in packages if name in LIBRARIES), None)
    if package is None:
        raise UnsupportedError(
            f"a {type(source).__module__}.{type(source).__qualname__} is not a network that can be imported; expected a "
            f"file ({', '.join(FILES)}) or an object of {', '.join(LIBRARIES)}"
        )
    return _call(LIBRARIES[package], source, options, f"networks of {package}")


def _call(read: Callable[..., Circuit], source: Any, options: dict[str, Any], kind: str) -> Circuit:
    valid = [name for name, p in inspect.signature(read).parameters.items() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in valid:
            raise unknown_name(f"option for {kind}", name, valid)
    return read(source, **options)


__all__ = ["FILES", "LIBRARIES", "import_network"]
