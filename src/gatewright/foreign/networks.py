"""Logic networks of other torch libraries as circuits, from their trained modules."""

from __future__ import annotations

from typing import Any

from gatewright.circuit.circuit import Circuit
from gatewright.errors import ShapeError
from gatewright.foreign.thermometers import encoder_of
from gatewright.foreign.thermometers import thermometer_bits as separate


def network_circuit(
    model: Any,
    *,
    shape: tuple[int, ...] = (),
    dtype: str = "float32",
    thermometer: Any = None,
    class_names: tuple[str, ...] = (),
    feature_names: tuple[str, ...] = (),
) -> Circuit:
    """A trained network of difflogic, torchlogix, CompactLogic, torch_dwn or silogic as a circuit.

    Args:
        model: A layer, or a `torch.nn.Sequential` (or a subclass without a forward of its own) of layers that
            `gatewright.foreign.layers.LAYERS` names or `gatewright.lowering` knows.
        shape: Shape of one sample: of raw features with a thermometer, of bits without. It may be left out if the first
            layer says how many inputs it has.
        dtype: Type of the raw features, if there is a thermometer.
        thermometer: What made bits of raw features before the network: thresholds [*shape, bits], an object with such
            `thresholds` (torch_dwn), or a file of them (`.npy`, or nested lists in `.json`). Bit i of a feature is
            `x > threshold i`; a feature's bits stand together. A thermometer that is the first module of the network
            (torchlogix, silogic) is found there.
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
        encoder, bits_shape = encoder_of(*separate(thermometer, shape), dtype, feature_names)
    elif modules and (found := thermometer_bits(modules[0], shape)) is not None:
        encoder, bits_shape = encoder_of(*found, dtype, feature_names)
        modules = modules[1:]
    else:
        bits_shape = tuple(shape) or (first_shape(modules[0]) if modules else ())
        if not bits_shape:
            raise ShapeError("the first module does not say how many inputs it has: pass shape=(F,) or (C, H, W)")
    circuit = lower(nn.Sequential(*modules), bits_shape, class_names=class_names)
    libraries = dict.fromkeys(type(module).__module__.partition(".")[0] for module in modules)
    about = {"imported": ", ".join(name for name in libraries if name != "torch") or "torch"}
    return circuit.replace(encoder=encoder, metadata=about)
