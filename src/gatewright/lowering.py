"""From a torch model to a circuit: the only bridge between the two.

Lowering is exact or refused: a module that is not known, or a shape that does not fit, raises `UnsupportedError` or
`ShapeError` with the module's name in it. Each kind of module has a function, registered with `lower_module`; a new layer
or head registers its own, wherever it is defined.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from gatewright.circuit.builder import Builder
from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.columns import Column
from gatewright.errors import ShapeError, UnsupportedError
from gatewright.gates import Gate
from gatewright.nn import (
    GroupSum,
    LogicConv2d,
    LogicDense,
    LogicLayer,
    LogicLocal2d,
    NearestUpsample,
    NumberSum,
    PixelGroupSum,
    Thermometer,
    WeightedSum,
)
from gatewright.runtime.ranges import COUNT

Nodes = npt.NDArray[np.int32]


@dataclass
class Lowering:
    """A circuit under construction, as the function of one module gets it.

    Attributes:
        builder: The gates so far; append those of the module here.
        nodes: int32 [*shape], the nodes that the module reads: one sample without the batch axis.
        name: What messages call the module.
        class_names: Names of the classes, or empty.
        head: Set by a module that is a head; it must be the last one.
    """

    builder: Builder
    nodes: Nodes
    name: str = ""
    class_names: tuple[str, ...] = ()
    head: Head | None = None


def lower(
    model: nn.Module,
    in_shape: Sequence[int] | None = None,
    *,
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = (),
    columns: Sequence[Column] = (),
    metadata: Mapping[str, str] | None = None,
) -> Circuit:
    """Turn a discretized network into a circuit, gate for gate (nothing is simplified here).

    Args:
        model: A `torch.nn.Sequential` (nested or not): an optional `Thermometer`, then modules that `lower_module` knows
            (logic layers, Flatten, `NearestUpsample`, ...), then an optional head (`GroupSum`, ...).
        in_shape: Shape of one Boolean sample, (F,) or (C, H, W); a Thermometer knows it.
        class_names: Names of the classes, or empty.
        feature_names: Names of the raw features, or empty.
        columns: The columns of the table that the raw features are made from, or empty.
        metadata: Free text to keep with the circuit.

    Raises:
        UnsupportedError: A module cannot be turned into gates exactly.
        ShapeError: A module does not fit its input, or `in_shape` is none.
        OptionError: A size is no count.

    Example:
        >>> from torch import nn
        >>> import gatewright as gw
        >>> model = nn.Sequential(gw.Thermometer([[1, 2], [5]], (2,), "uint8"), gw.LogicDense(3, 8), gw.GroupSum(2))
        >>> circuit = gw.lower(model)
        >>> circuit.n_inputs, circuit.n_gates, circuit.head.n_classes
        (3, 8, 2)
    """
    modules = list(_flat(model))
    encoder: Encoder | None = None
    if modules and isinstance(first := modules[0][1], Thermometer):
        _check_forward(first, modules.pop(0)[0], Thermometer)
        feature, threshold = first.feature.cpu().numpy(), first.threshold.cpu().numpy()
        encoder = Encoder(
            feature, threshold, first.shape, first.dtype, tuple(feature_names), first.types, tuple(columns)
        )
        if in_shape is not None and _sizes(in_shape) != first.out_shape:
            raise ShapeError(
                f"the model's Thermometer makes samples of shape {first.out_shape}, in_shape is {in_shape}: leave it out"
            )
        in_shape = first.out_shape
    elif in_shape is None:
        raise ShapeError("a model without a Thermometer has no input shape of its own: pass in_shape=(F,) or (C, H, W)")
    else:
        in_shape = _sizes(in_shape)
    inputs = np.arange(math.prod(in_shape), dtype=np.int32).reshape(in_shape)
    lowering = Lowering(Builder(inputs.size), inputs, class_names=tuple(class_names))
    for lowering.name, module in modules:
        if lowering.head is not None:
            raise UnsupportedError(f"{lowering.name} comes after the head; it must be the last module")
        _check_forward(module, lowering.name)
        _check_finite(module, lowering.name)
        lowering.nodes = lower_module(module, lowering)
    return lowering.builder.build(lowering.nodes.ravel(), encoder=encoder, head=lowering.head, metadata=metadata or {})


def _flat(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    called = f"module {name!r}" if name else "the model"
    if not isinstance(module, nn.Sequential):
        yield called, module
        return
    _check_forward(module, called, nn.Sequential)
    # Not `named_children`, which leaves out a module that stands at two places.
    for child_name, child in zip(module._modules, module, strict=True):  # noqa: SLF001
        yield from _flat(child, f"{name}.{child_name}" if name else child_name)


def _check_forward(module: nn.Module, name: str, kind: Any = None) -> None:
    """Refuse a subclass with a `forward` of its own: it does not compute what is lowered for its base."""
    kind = kind or next(base for base in type(module).__mro__ if base in lower_module.registry)
    if getattr(kind, "forward", nn.Module.forward) not in {nn.Module.forward, type(module).forward}:
        raise UnsupportedError(
            f"{name} is a {type(module).__name__}, which has a forward of its own and so is not the circuit of a "
            f"{kind.__name__}; register a function for it with gatewright.lowering.lower_module"
        )


def _check_finite(module: nn.Module, name: str) -> None:
    """Refuse weights that no training that went well leaves: their best candidates are arbitrary."""
    if not all(bool(parameter.isfinite().all()) for parameter in module.parameters()):
        raise UnsupportedError(
            f"{name} has weights that are NaN or infinite; train it again with a lower learning rate, and stop when the "
            "loss or a weight is no longer finite"
        )


def _sizes(in_shape: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(in_shape, Sequence) or not in_shape:
        raise ShapeError(f"in_shape must be (F,) or (C, H, W), got {in_shape!r}")
    return tuple(COUNT.whole("in_shape", n) for n in in_shape)


@singledispatch
def lower_module(module: nn.Module, lowering: Lowering) -> Nodes:
    """Append the gates of one module to the circuit; register a function to teach `lower` a module of your own.

    Args:
        module: The module.
        lowering: The circuit so far, and the nodes that the module reads. A head sets `lowering.head`.

    Returns:
        int32 [*out_shape]: the nodes of the module's outputs; of a head, the outputs that it counts.

    Raises:
        UnsupportedError: No function is registered for this kind of module, or it is not exact.
        ShapeError: The module does not fit the shape of the nodes.

    Example:
        >>> import numpy as np
        >>> from torch import nn
        >>> from gatewright.lowering import lower, lower_module
        >>> class Neighbours(nn.Module):  # x[i] XOR x[i + 1]
        ...     def forward(self, x):
        ...         return (x[:, 1:] - x[:, :-1]).abs()
        >>> @lower_module.register
        ... def _(module: Neighbours, lowering):
        ...     return lowering.builder.append(6, lowering.nodes[:-1], lowering.nodes[1:])
        >>> lower(Neighbours(), (4,)).n_gates
        3
    """
    known = sorted(kind.__name__ for kind in lower_module.registry if issubclass(kind, nn.Module))
    raise UnsupportedError(
        f"{lowering.name} is a {type(module).__name__}, which is not an exact circuit; a model that is lowered may start "
        f"with a Thermometer and hold {', '.join(known)}"
    )


@lower_module.register(LogicDense)
@lower_module.register(LogicConv2d)
@lower_module.register(LogicLocal2d)
def _lower_layer(layer: LogicLayer, lowering: Lowering) -> Nodes:
    nodes = lowering.nodes
    geometry = layer.geometry(nodes.shape)
    if p := geometry.padding:
        false = lowering.builder.constant(False)
        nodes = np.pad(nodes, ((0, 0), (p, p), (p, p)), constant_values=false)
    rows = nodes.ravel()
    chosen = layer.wiring(geometry).chosen(layer.candidates.logits)
    gate, a, b = (t.cpu().numpy() for t in (chosen.gate, chosen.rows_a, chosen.rows_b))
    positions = geometry.positions.cpu().numpy()
    made = lowering.builder.append(gate[:, None], rows[a[:, None] + positions], rows[b[:, None] + positions])
    return made.reshape(geometry.out_shape)


@lower_module.register
def _lower_identity(_module: nn.Identity, lowering: Lowering) -> Nodes:
    return lowering.nodes


@lower_module.register
def _lower_flatten(module: nn.Flatten, lowering: Lowering) -> Nodes:
    if module.start_dim != 1 or module.end_dim not in {-1, lowering.nodes.ndim}:
        raise UnsupportedError(f"{lowering.name} must flatten everything but the batch (start_dim=1, end_dim=-1)")
    return lowering.nodes.ravel()


@lower_module.register
def _lower_nearest_upsample(module: NearestUpsample, lowering: Lowering) -> Nodes:
    if lowering.nodes.ndim != 3:
        raise ShapeError(f"{lowering.name} enlarges images (C, H, W), but gets {lowering.nodes.shape}")
    return lowering.nodes.repeat(module.scale, axis=1).repeat(module.scale, axis=2)


@lower_module.register
def _lower_upsample(module: nn.Upsample, lowering: Lowering) -> Nodes:
    if module.mode != "nearest":
        raise UnsupportedError(
            f"{lowering.name} is an Upsample of mode {module.mode!r}, which mixes pixels into values that are not Boolean; "
            "only mode 'nearest' is a circuit (gatewright.NearestUpsample)"
        )
    scale = module.scale_factor
    if isinstance(scale, tuple) or scale is None or not float(scale).is_integer():
        raise UnsupportedError(f"{lowering.name} needs one whole scale_factor to be a circuit, got {scale!r}")
    return _lower_nearest_upsample(NearestUpsample(int(scale)), lowering)


@lower_module.register
def _lower_group_sum(module: GroupSum, lowering: Lowering) -> Nodes:
    if lowering.nodes.ndim != 1:
        shape = lowering.nodes.shape
        raise ShapeError(f"{lowering.name}: GroupSum expects a flat input, got {shape}; put Flatten before it")
    return _group(module, lowering, places=())


@lower_module.register
def _lower_pixel_group_sum(module: PixelGroupSum, lowering: Lowering) -> Nodes:
    if lowering.nodes.ndim != 3:
        raise ShapeError(f"{lowering.name}: PixelGroupSum expects images (C, H, W), got {lowering.nodes.shape}")
    return _group(module, lowering, places=lowering.nodes.shape[1:])


def _group(module: GroupSum, lowering: Lowering, places: tuple[int, ...]) -> Nodes:
    """Count equal groups of the leading axis, at each place."""
    bits = len(lowering.nodes)
    classes = np.repeat(np.arange(module.classes), module.group_size(bits))
    place = np.arange(math.prod(places))
    lowering.head = Head(
        group=(classes[:, None] + module.classes * place).ravel(),
        offset=np.zeros(module.classes * len(place), np.int64),
        tau=module.temperature(bits),
        class_names=lowering.class_names,
        places=places,
    )
    return lowering.nodes


@lower_module.register
def _lower_weighted_sum(module: WeightedSum, lowering: Lowering) -> Nodes:
    outputs, group = _weighed(module, lowering)
    lowering.head = Head(group=group, offset=module.offsets(), tau=module.tau, class_names=lowering.class_names)
    return outputs


@lower_module.register
def _lower_number_sum(module: NumberSum, lowering: Lowering) -> Nodes:
    outputs, group = _weighed(module, lowering)
    lowering.head = Head(group=group, offset=np.zeros(1, np.int64), number=(module.base(), 1 / module.tau))
    return outputs


def _weighed(module: WeightedSum, lowering: Lowering) -> tuple[Nodes, Nodes]:
    """Outputs and their groups: a bit of weight w is counted abs(w) times, inverted if w is negative."""
    nodes = lowering.nodes
    if nodes.shape != (module.features,):
        raise ShapeError(f"{lowering.name}: {module} expects ({module.features},), got {nodes.shape}")
    weight = module.whole().astype(np.int64)
    negative = (weight < 0).any(0)
    inverse = np.zeros_like(nodes)
    inverse[negative] = lowering.builder.append(Gate.NOT_A, nodes[negative], nodes[negative])
    group, feature = weight.nonzero()
    copies = np.abs(weight[group, feature])
    outputs = np.repeat(np.where(weight[group, feature] < 0, inverse[feature], nodes[feature]), copies)
    return outputs, np.repeat(group, copies)
