"""Logic networks of other torch libraries as circuits, from their trained modules."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit, Encoder
from gatewright.errors import OptionError, ShapeError, UnsupportedError, shown
from gatewright.foreign.thresholds import first_above


def network_circuit(
    model: Any,
    *,
    shape: tuple[int, ...] = (),
    dtype: str = "float32",
    thermometer: Any = None,
    class_names: tuple[str, ...] = (),
    feature_names: tuple[str, ...] = (),
) -> Circuit:
    """A trained network of difflogic, torchlogix, CompactLogic or torch_dwn as a circuit.

    Args:
        model: A layer, or a `torch.nn.Sequential` (or a subclass without a forward of its own) of layers that
            `gatewright.foreign.layers.LAYERS` names or `gatewright.lowering` knows.
        shape: Shape of one sample: of raw features with a thermometer, of bits without. It may be left out if the first
            layer says how many inputs it has.
        dtype: Type of the raw features, if there is a thermometer.
        thermometer: What made bits of raw features before the network: an object with `thresholds` (torch_dwn), or its
            thresholds [*shape, bits]. Bit i of a feature is `x > threshold i`; a feature's bits stand together. A
            thermometer that is the first module of the network (torchlogix) is found there.
        class_names: Names of the classes, or empty.
        feature_names: Names of the raw features, or empty.

    Raises:
        UnsupportedError: A module is not an exact circuit.
        ShapeError: A module does not fit its input, or `shape` is missing.
        OptionError: The thermometer has no thresholds.
    """
    from torch import nn  # noqa: PLC0415 - what has a torch network has imported torch

    from gatewright.foreign.layers import first_shape, prepare, thermometer_bits  # noqa: PLC0415
    from gatewright.lowering import lower  # noqa: PLC0415 - needs torch

    modules = prepare(model)
    encoder = None
    if thermometer is not None:
        encoder, bits_shape = _encoder(*_separate(thermometer, shape), dtype, feature_names)
    elif modules and (found := thermometer_bits(modules[0], shape)) is not None:
        encoder, bits_shape = _encoder(*found, dtype, feature_names)
        modules = modules[1:]
    else:
        bits_shape = tuple(shape) or (first_shape(modules[0]) if modules else ())
        if not bits_shape:
            raise ShapeError("the first module does not say how many inputs it has: pass shape=(F,) or (C, H, W)")
    circuit = lower(nn.Sequential(*modules), bits_shape, class_names=class_names)
    libraries = dict.fromkeys(type(module).__module__.partition(".")[0] for module in modules)
    about = {"imported": ", ".join(name for name in libraries if name != "torch") or "torch"}
    return circuit.replace(encoder=encoder, metadata=about)


def _separate(thermometer: Any, shape: tuple[int, ...]) -> tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[int, ...]]:
    """Feature and threshold of each bit of a thermometer in front of a network, flattened, and the shape of a sample."""
    thresholds = getattr(thermometer, "thresholds", thermometer)
    if thresholds is None:
        raise OptionError("the thermometer has no thresholds: fit it first")
    try:
        table = np.asarray(thresholds, np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"thermometer is {shown(thermometer)}, expected thresholds [*shape, bits]") from error
    if table.ndim < 2 or (shape and table.shape[:-1] != tuple(shape)):
        if not shape or table.ndim > 2 or (table.ndim == 2 and len(table) != 1):
            raise OptionError(f"the thermometer's thresholds have shape {table.shape}, expected [*shape, bits]")
        table = np.broadcast_to(table.reshape(-1), (*shape, table.shape[-1]))  # one set for all features
    features = np.arange(table[..., 0].size).reshape(table.shape[:-1])
    return np.broadcast_to(features[..., None], table.shape).ravel(), table.ravel(), table.shape[:-1]


def _encoder(
    feature: npt.NDArray[Any],
    threshold: npt.NDArray[Any],
    shape: tuple[int, ...],
    dtype: str,
    feature_names: tuple[str, ...],
) -> tuple[Encoder, tuple[int, ...]]:
    """The encoder of bits `x > threshold`, and the shape of the bits."""
    least = first_above(threshold, dtype, inclusive=False, float32=True)
    if not np.isfinite(least).all():
        raise UnsupportedError("a threshold of the thermometer is NaN or infinite, so its bit is constant or undefined")
    return Encoder(feature.ravel(), least.ravel(), shape, dtype, tuple(feature_names)), feature.shape
