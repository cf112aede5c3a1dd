"""From a torch model to a circuit: the only bridge between the two.

Lowering is exact or refused: a module that is not known, or a shape that does not fit, raises `UnsupportedError` or
`ShapeError` with the module's name in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.errors import ShapeError, UnsupportedError
from gatewright.gates import Gate
from gatewright.nn.group_sum import GroupSum
from gatewright.nn.layers import LogicLayer
from gatewright.nn.pixel_group_sum import PixelGroupSum
from gatewright.nn.thermometer import Thermometer
from gatewright.nn.upsample import NearestUpsample
from gatewright.nn.weighted_sum import WeightedSum

Int64Array = npt.NDArray[np.int64]


class _Netlist:
    """Gates collected layer by layer."""

    def __init__(self, n_inputs: int) -> None:
        self.n_inputs = n_inputs
        self.n_gates = 0
        self.parts: list[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]] = []
        self._false: int | None = None

    def append(self, gate: npt.NDArray[np.uint8], a: Int64Array, b: Int64Array) -> Int64Array:
        """Add gates; returns their node ids."""
        constant = (gate == Gate.FALSE) | (gate == Gate.TRUE)
        self.parts.append((gate, np.where(constant, 0, a).astype(np.int32), np.where(constant, 0, b).astype(np.int32)))
        first = self.n_inputs + self.n_gates
        self.n_gates += len(gate)
        return np.arange(first, first + len(gate))

    def false(self) -> int:
        """Node id of a constant 0 (the padding of convolutions), made once."""
        if self._false is None:
            zero = np.zeros(1, np.int64)
            self._false = int(self.append(np.array([Gate.FALSE], np.uint8), zero, zero)[0])
        return self._false

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        if not self.parts:
            return {"gate": np.zeros(0, np.uint8), "a": np.zeros(0, np.int32), "b": np.zeros(0, np.int32)}
        gate, a, b = (np.concatenate(column) for column in zip(*self.parts, strict=True))
        return {"gate": gate, "a": a, "b": b}


def lower(
    model: nn.Module,
    in_shape: Sequence[int] | None = None,
    *,
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> Circuit:
    """Turn a discretized network into a circuit, gate for gate (nothing is simplified here).

    Args:
        model: A `torch.nn.Sequential` (nested or not) of logic layers, Flatten, `NearestUpsample` (or torch's Upsample of
            that mode), at most one leading `Thermometer` and at most one `GroupSum` or `PixelGroupSum` at the end.
        in_shape: Shape of one Boolean sample where the model has no Thermometer: (F,) or (C, H, W).
        class_names: Names of the classes, or empty.
        feature_names: Names of the raw features, or empty.
        metadata: Free text to keep with the circuit.

    Raises:
        UnsupportedError: A module cannot be turned into gates exactly.
        ShapeError: A module does not fit its input.
    """
    modules = list(_flat(model, ""))
    encoder: Encoder | None = None
    first = modules[0][1] if modules else None
    shape: tuple[int, ...]
    if isinstance(first, Thermometer):
        del modules[0]
        feature, threshold = first.feature.cpu().numpy(), first.threshold.cpu().numpy()
        encoder = Encoder(feature, threshold, first.shape, first.dtype, tuple(feature_names))
        shape = first.out_shape
    elif in_shape is None:
        raise ShapeError("a model without a Thermometer has no input shape of its own: pass in_shape=(F,) or (C, H, W)")
    else:
        shape = tuple(int(n) for n in in_shape)
    nodes: Int64Array = np.arange(int(np.prod(shape))).reshape(shape)
    netlist = _Netlist(nodes.size)
    head: Head | None = None
    for name, module in modules:
        if head is not None:
            raise UnsupportedError(f"{name} comes after the head; it must be the last module")
        if isinstance(module, LogicLayer):
            nodes = _lower_layer(module, nodes, netlist)
        elif isinstance(module, nn.Flatten):
            nodes = _flatten(name, module, nodes)
        elif isinstance(module, (NearestUpsample, nn.Upsample)):
            nodes = _upsample(name, module, nodes)
        elif isinstance(module, WeightedSum):
            head, nodes = _weighted_head(name, module, nodes, netlist, class_names)
        elif isinstance(module, GroupSum):
            head = _head(name, module, nodes, class_names)
        elif not isinstance(module, nn.Identity):
            raise UnsupportedError(
                f"{name} is a {type(module).__name__}, which is not an exact circuit; a model that is compiled may hold "
                "Thermometer, LogicDense, LogicConv2d, NearestUpsample, Flatten, Identity, GroupSum,"
                " PixelGroupSum and WeightedSum"
            )
    return Circuit(
        n_inputs=netlist.n_inputs,
        outputs=nodes.ravel(),
        encoder=encoder,
        head=head,
        metadata=metadata or {},
        **netlist.arrays(),
    )


def _flat(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    if isinstance(module, nn.Sequential):
        for child_name, child in module.named_children():
            yield from _flat(child, f"{name}.{child_name}" if name else child_name)
    else:
        yield f"module {name!r}" if name else "the model", module


def _lower_layer(layer: LogicLayer, nodes: Int64Array, netlist: _Netlist) -> Int64Array:
    geometry = layer.geometry(nodes.shape)
    if p := geometry.padding:
        nodes = np.pad(nodes, ((0, 0), (p, p), (p, p)), constant_values=netlist.false())
    rows = nodes.ravel()
    chosen = layer.wiring(geometry).pick(layer.candidates.best())
    gate, a, b = (t.cpu().numpy() for t in (chosen.gate, chosen.rows_a, chosen.rows_b))
    positions = geometry.positions.cpu().numpy()
    a_nodes = rows[a[:, None] + positions].ravel()
    b_nodes = rows[b[:, None] + positions].ravel()
    return netlist.append(np.repeat(gate, len(positions)), a_nodes, b_nodes).reshape(geometry.out_shape)


def _flatten(name: str, module: nn.Flatten, nodes: Int64Array) -> Int64Array:
    if module.start_dim != 1 or module.end_dim not in {-1, nodes.ndim}:
        raise UnsupportedError(f"{name} must flatten everything but the batch (start_dim=1, end_dim=-1)")
    return nodes.ravel()


def _upsample(name: str, module: NearestUpsample | nn.Upsample, nodes: Int64Array) -> Int64Array:
    if nodes.ndim != 3:
        raise ShapeError(f"{name} enlarges images (C, H, W), but gets {nodes.shape}")
    if isinstance(module, NearestUpsample):
        scale = module.scale
    else:
        if module.mode != "nearest":
            raise UnsupportedError(
                f"{name} is an Upsample of mode {module.mode!r}, which mixes pixels into values that are not Boolean; only "
                "mode 'nearest' is a circuit (gatewright.NearestUpsample)"
            )
        given = module.scale_factor
        if isinstance(given, tuple) or given is None or int(given) != given:
            raise UnsupportedError(f"{name} needs one whole scale_factor to be a circuit, got {given!r}")
        scale = int(given)
    return nodes.repeat(scale, axis=1).repeat(scale, axis=2)


def _head(name: str, module: GroupSum, nodes: Int64Array, class_names: Sequence[str]) -> Head:
    places: tuple[int, ...] = ()
    if isinstance(module, PixelGroupSum):
        if nodes.ndim != 3:
            raise ShapeError(f"{name}: PixelGroupSum expects images (C, H, W), got {nodes.shape}")
        places = nodes.shape[1:]
    elif nodes.ndim != 1:
        raise ShapeError(f"{name}: GroupSum expects a flat input, got {nodes.shape}; put Flatten before it")
    classes = np.repeat(np.arange(module.classes), module.group_size(len(nodes)))
    place = np.arange(int(np.prod(places)))
    return Head(
        group=(classes[:, None] + module.classes * place).ravel(),
        offset=np.zeros(module.classes * len(place), np.int64),
        tau=module.temperature(len(nodes)),
        class_names=tuple(class_names),
        places=places,
    )


def _weighted_head(
    name: str, module: WeightedSum, nodes: Int64Array, netlist: _Netlist, class_names: Sequence[str]
) -> tuple[Head, Int64Array]:
    """A bit of weight w is counted abs(w) times, inverted if w is negative."""
    if nodes.shape != (module.features,):
        raise ShapeError(f"{name}: {module} expects ({module.features},), got {nodes.shape}")
    weight = module.whole().astype(np.int64)
    negative = (weight < 0).any(0)
    inverse = np.zeros(len(nodes), np.int64)
    if negative.any():
        gate = np.full(negative.sum(), Gate.NOT_A, np.uint8)
        inverse[negative] = netlist.append(gate, nodes[negative], nodes[negative])
    group, feature = weight.nonzero()
    copies = np.abs(weight[group, feature])
    node = np.where(weight[group, feature] < 0, inverse[feature], nodes[feature])
    head = Head(
        group=np.repeat(group, copies),
        offset=module.offsets(),
        tau=module.tau,
        class_names=tuple(class_names),
    )
    return head, np.repeat(node, copies)
