"""Layers of other libraries, lowered by the name of their class, without importing the libraries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from gatewright.circuit.circuit import Head
from gatewright.circuit.lookup import append_tables
from gatewright.errors import ShapeError, UnsupportedError
from gatewright.foreign import silogic_layers as silogic
from gatewright.foreign import torchlogix_layers as torchlogix
from gatewright.foreign.shapes import flat, padded
from gatewright.foreign.tensors import array
from gatewright.lowering import Lowering, Nodes, lower_module
from gatewright.runtime.registry import Registry


def _difflogic_layer(module: Any, lowering: Lowering) -> Nodes:
    nodes = flat(lowering, int(module.in_dim))
    width, wiring = int(module.out_dim), [array(index) for index in module.indices]
    if tuple(module.weights.shape) != (width, 16) or [index.shape for index in wiring] != [(width,)] * 2:
        raise UnsupportedError(f"{lowering.name} is no layer of difflogic with 16 gates and two inputs per neuron")
    return lowering.builder.append(array(module.weights.argmax(-1)), nodes[wiring[0]], nodes[wiring[1]])


def _compactlogic_choice(module: Any, tables: list[Any]) -> list[npt.NDArray[Any]]:
    """The likeliest slot of each row in tables [..., rows, slots]; a frozen layer keeps its own."""
    slot = array(module.w if hasattr(module, "w") else module.weights.argmax(-1)).astype(np.uint8).astype(np.int64)
    return [np.take_along_axis(t, slot.reshape(*[1] * (t.ndim - 2), -1, 1), -1)[..., 0] for t in map(array, tables)]


def _compactlogic_layer(module: Any, lowering: Lowering) -> Nodes:
    nodes = flat(lowering, int(module.in_dim))
    gate, wiring = _compactlogic_choice(module, [module.gate_sequence, module.indices])
    return lowering.builder.append(gate, nodes[wiring[0]], nodes[wiring[1]])


def _compactlogic_conv(module: Any, lowering: Lowering) -> Nodes:
    shape = tuple(module.in_shape)
    if lowering.nodes.shape != shape:
        raise ShapeError(f"{lowering.name} expects {shape}, got {lowering.nodes.shape}")
    tables = [module.gate_sequence, module.offsets_ch, module.offsets_h, module.offsets_w]
    gate, channel, dy, dx = _compactlogic_choice(module, tables)
    pad, size = int(module.padding), int(module.ks)
    image = padded(lowering.builder, lowering.nodes, (pad, pad))
    rows, columns = (np.arange(0, side - size + 1, int(module.stride)) for side in image.shape[1:])
    # Offsets count from the image without padding.
    y = dy.astype(np.int64)[..., None, None] + pad + rows[:, None]
    x = dx.astype(np.int64)[..., None, None] + pad + columns
    a, b = image[channel.astype(np.int64)[..., None, None], y, x]
    return lowering.builder.append(gate[:, None, None], a, b)


def _group_sum(module: Any, lowering: Lowering) -> Nodes:
    """Counts of equal groups, divided by tau."""
    nodes, classes = lowering.nodes, int(module.k)
    if nodes.ndim != 1:
        raise ShapeError(f"{lowering.name} counts a flat input, got {nodes.shape}; put Flatten before it")
    order = getattr(module, "randperm", None)
    if order is not None:
        nodes = nodes[array(order)]
    if len(nodes) % classes:
        if type(module).__module__.partition(".")[0] not in _PADDING:
            raise ShapeError(f"{lowering.name} gets {len(nodes)} bits, which do not divide into {classes} classes")
        nodes = np.pad(nodes, (0, -len(nodes) % classes), constant_values=lowering.builder.constant(False))
    beta = float(getattr(module, "beta", 0.0))
    if not beta.is_integer():
        raise UnsupportedError(f"{lowering.name} adds beta={beta} to its counts, which is no whole number")
    lowering.head = Head(
        np.repeat(np.arange(classes), len(nodes) // classes),
        np.full(classes, int(beta)),
        float(module.tau),
        lowering.class_names,
    )
    return nodes


_PADDING = {"torch_dwn", "compactlogic"}
"""Libraries that pad uneven groups with zeros."""


def _dwn_layer(module: Any, lowering: Lowering) -> Nodes:
    nodes = flat(lowering, int(module.input_size))
    if not module.ste:
        raise UnsupportedError(f"{lowering.name} gives numbers (ste=False), not bits; train it with ste=True")
    mapping: Any = module.mapping
    if hasattr(mapping, "tau"):  # learned: the likeliest input of each place
        wiring = array(mapping.weights.argmax(0)).reshape(int(module.output_size), int(module.n))
    else:
        wiring = array(mapping).astype(np.int64)
    # Input l of a table is bit l of the entry's number: the last one is the most significant.
    return append_tables(lowering.builder, nodes[wiring[:, ::-1]], array(module.luts) > 0)


def _unchanged(_module: Any, lowering: Lowering) -> Nodes:
    return lowering.nodes


LAYERS: Registry[Callable[[Any, Lowering], Nodes]] = Registry(
    "layer",
    Callable,
    {
        "difflogic.LogicLayer": _difflogic_layer,
        "difflogic.GroupSum": _group_sum,
        "compactlogic.LogicLayer": _compactlogic_layer,
        "compactlogic.ConvLayer": _compactlogic_conv,
        "compactlogic.GroupSum": _group_sum,
        "torch_dwn.LUTLayer": _dwn_layer,
        "torch_dwn.GroupSum": _group_sum,
        "torchlogix.LogicDense": torchlogix.dense,
        "torchlogix.LogicConv2d": torchlogix.convolution,
        "torchlogix.OrPooling2d": torchlogix.or_pooling,
        "torchlogix.DummyBinarization": _unchanged,
        "torchlogix.GroupSum": _group_sum,
        **dict.fromkeys(
            (
                "silogic.LogicLayer",
                "silogic.WARPLayer",
                "silogic.WARPLayerN",
                "silogic.LUTkLayer",
                "silogic.LUTNodeLayer",
            ),
            silogic.dense,
        ),
        "silogic.ConvLogicTree": silogic.convolution,
        "silogic.OrPool": silogic.or_pooling,
        **dict.fromkeys(("silogic.GroupSum", "silogic.LearnedDecoder"), silogic.head),
        **dict.fromkeys(
            ("silogic.LogicNet", "silogic.WARPNet", "silogic.WARPNetN", "silogic.LUTkNet", "silogic.LUTNodeNet"),
            silogic.network,
        ),
        **dict.fromkeys(("silogic.LogicConvNet", "silogic.LogicTreeNet"), silogic.convolutional_network),
    },
)
"""Functions that lower a module, as those of `gatewright.lowering.lower_module`, by package and class of the module."""


def prepare(model: Any) -> list[nn.Module]:
    """The modules of a network in order, of which `lower_module` then knows those that `LAYERS` names.

    Raises:
        UnsupportedError: The network is no plain sequence.
    """
    if not isinstance(model, nn.Module):
        raise UnsupportedError(f"a {type(model).__name__} is no torch module, expected a network")
    modules: list[nn.Module] = []
    waiting = [model]
    while waiting:
        module = waiting.pop()
        kind = type(module)
        if isinstance(module, nn.Sequential):
            if kind.forward is not nn.Sequential.forward:
                raise UnsupportedError(
                    f"a {kind.__name__} has a forward of its own and so is no plain sequence of layers"
                )
            waiting += reversed(list(module))
            continue
        name = _called(kind)
        if name in LAYERS and kind not in lower_module.registry:
            lower_module.register(kind, LAYERS[name])
        modules.append(module)
    return modules


THERMOMETERS: Registry[Callable[..., tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[int, ...]]]] = Registry(
    "thermometer",
    Callable,
    {
        "torchlogix.FixedBinarization": torchlogix.thermometer_bits,
        "torchlogix.SoftBinarization": torchlogix.thermometer_bits,
        "torchlogix.LearnableBinarization": torchlogix.thermometer_bits,
        "silogic.LearnedThermometerEncoder": silogic.thermometer_bits,
    },
)
"""Functions that read a thermometer, which may be the first module, by package and class."""


def thermometer_bits(
    module: nn.Module, shape: tuple[int, ...]
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], tuple[int, ...]] | None:
    """Feature and threshold of each bit, and the shape of a sample; None if the module is no thermometer."""
    read = THERMOMETERS.get(_called(type(module)))
    return None if read is None else read(module, shape)


def first_shape(module: Any) -> tuple[int, ...]:
    """Shape of what a layer reads, if it says so; otherwise empty."""
    if hasattr(module, "in_shape"):  # convolutions of CompactLogic
        return tuple(map(int, module.in_shape))
    module = next(iter(getattr(module, "layers", ())), module)  # dense networks of silogic
    width = getattr(module, "in_dim", getattr(module, "input_size", ()))
    if isinstance(width, tuple) and hasattr(module, "channels"):  # convolutions of torchlogix
        return (int(module.channels), *map(int, width))
    return (int(width),) if isinstance(width, (int, np.integer)) else ()


def _called(kind: type) -> str:
    """Package and name of a class."""
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
