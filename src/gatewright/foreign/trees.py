"""Trees and forests as circuits: from fitted classifiers, and from the files that boosting libraries write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit
from gatewright.engine import Engine
from gatewright.errors import FormatError, UnsupportedError
from gatewright.foreign.forest import Forest, cost_of_quantizing, forest_circuit
from gatewright.foreign.lightgbm_json import from_lightgbm
from gatewright.foreign.scikit import from_scikit
from gatewright.foreign.xgboost_json import from_xgboost
from gatewright.runtime.documents import parse_json
from gatewright.runtime.files import read_bytes


def tree_circuit(
    model: Any,
    *,
    dtype: str = "float32",
    shape: tuple[int, ...] = (),
    quantize: int | None = None,
    samples: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    class_names: tuple[str, ...] = (),
    feature_names: tuple[str, ...] = (),
) -> Circuit:
    """A fitted classifier of scikit-learn as a circuit; see `gatewright.foreign.scikit.KINDS`.

    Args:
        model: The classifier.
        dtype: Type of the circuit's raw features, as the classifier's data have it before any conversion.
        shape: Shape of one sample, if it is not (features,).
        quantize: Bits of a leaf value, 1 to 10; None if leaf values are whole numbers (votes), which is exact.
        samples: (x, y) on which to measure what `quantize` costs: raw samples, and classes 0 .. classes - 1. The circuit's
            metadata state it.
        class_names: Names of the classes, in place of the classifier's labels.
        feature_names: Names of the features.

    Raises:
        UnsupportedError: The classifier is no circuit; the message says why.
        OptionError: An option is out of range.
    """
    options = {"dtype": dtype, "shape": shape, "class_names": class_names, "feature_names": feature_names}
    return _stated(from_scikit(model), samples, quantize, options)


def tree_file_circuit(
    path: str | Path,
    *,
    dtype: str = "float32",
    shape: tuple[int, ...] = (),
    quantize: int | None = None,
    samples: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    class_names: tuple[str, ...] = (),
    feature_names: tuple[str, ...] = (),
) -> Circuit:
    """A model of XGBoost or LightGBM in JSON as a circuit.

    Args:
        path: What `booster.save_model("model.json")` of XGBoost wrote, or `booster.dump_model()` of LightGBM returned.
        dtype: As for `tree_circuit`, like the other options.
        shape: Likewise.
        quantize: Likewise.
        samples: Likewise.
        class_names: Likewise.
        feature_names: Likewise.

    Raises:
        FormatError: The file is truncated, or of another kind.
        UnsupportedError: The model is no classifier of trees.
        OptionError: An option is out of range.
    """
    tree = parse_json(read_bytes(path), str(path))
    options = {"dtype": dtype, "shape": shape, "class_names": class_names, "feature_names": feature_names}
    return _stated(_forest_of(tree, str(path)), samples, quantize, options)


def booster_circuit(
    model: Any,
    *,
    dtype: str = "float32",
    shape: tuple[int, ...] = (),
    quantize: int | None = None,
    samples: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
    class_names: tuple[str, ...] = (),
    feature_names: tuple[str, ...] = (),
) -> Circuit:
    """A booster or classifier of XGBoost or LightGBM as a circuit; options and errors as for `tree_circuit`."""
    booster = model.get_booster() if hasattr(model, "get_booster") else getattr(model, "booster_", model)
    if hasattr(booster, "save_raw"):
        tree = parse_json(bytes(booster.save_raw("json")), "the model", infinite=True)
    elif hasattr(booster, "dump_model"):
        tree = booster.dump_model()
    else:
        raise UnsupportedError(f"a {type(model).__name__} is no booster; pass the trained booster or classifier")
    names = tuple(class_names) or tuple(map(str, np.asarray(getattr(model, "classes_", ())).tolist()))
    options = {"dtype": dtype, "shape": shape, "class_names": names, "feature_names": feature_names}
    return _stated(_forest_of(tree, "the model"), samples, quantize, options)


def _forest_of(tree: Any, source: str) -> Forest:
    """The forest in a model, by what the JSON holds."""
    if isinstance(tree, dict) and "learner" in tree:
        return from_xgboost(tree)
    if isinstance(tree, dict) and "tree_info" in tree:
        return from_lightgbm(tree)
    raise FormatError(
        f'{source} is JSON of another kind; expected what booster.save_model("model.json") of XGBoost writes, or '
        "json.dump(booster.dump_model(), file) of LightGBM"
    )


def _stated(forest: Forest, samples: Any, quantize: int | None, options: dict[str, Any]) -> Circuit:
    circuit = forest_circuit(forest, quantize=quantize, **options)
    if samples is None or quantize is None:
        return circuit
    x, y = samples
    cost = cost_of_quantizing(forest, circuit, x, y, Engine(circuit).predict(np.asarray(x)))
    return circuit.replace(metadata={**circuit.metadata, "quantized": f"{circuit.metadata['quantized']}: {cost}"})
