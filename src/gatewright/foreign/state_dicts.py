"""State dicts that hold a complete logic network: its tables and its wiring."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewright.circuit.builder import Builder
from gatewright.circuit.circuit import Circuit, Head
from gatewright.circuit.lookup import append_tables
from gatewright.errors import FormatError, GatewrightError, OptionError, UnsupportedError, shown
from gatewright.foreign.tensors import array
from gatewright.foreign.thermometers import encoder_of, thermometer_bits
from gatewright.runtime.files import read_bytes

Tensors = Mapping[str, npt.NDArray[Any]]

SAVE_CIRCUIT = 'gatewright.save_circuit(gatewright.import_network(model), "circuit.gw")'
"""The line that saves the circuit where the network is."""

SAVE_WIRING = (
    'torch.save({**model.state_dict(), **{f"{name}.indices": torch.stack(layer.indices) for name, layer in '
    'model.named_modules() if hasattr(layer, "indices")}}, "network.pt")'
)
"""The line that saves a network of difflogic with its wiring."""


def state_dict_circuit(
    path: str | Path,
    *,
    classes: int | None = None,
    tau: float = 1.0,
    inputs: int | None = None,
    thermometer: Any = None,
    shape: tuple[int, ...] = (),
    dtype: str = "float32",
    class_names: tuple[str, ...] = (),
    feature_names: tuple[str, ...] = (),
) -> Circuit:
    """A state dict as a circuit, if it holds tables and wiring: dense layers of torchlogix, CompactLogic and torch_dwn.

    The layers are read in order, each fed by the one before. A state dict says nothing of a group sum at the end, and
    nothing of a thermometer at the beginning, so the options do.

    Args:
        path: A file of `torch.save` (read with `weights_only=True`, so no code in it runs) or safetensors.
        classes: The k of the group sum at the end; None for outputs without a head.
        tau: The tau of the group sum.
        inputs: Number of inputs, if the first layer reads fewer of them than there are.
        thermometer: What makes bits of raw features: thresholds or a file of them, as in `gatewright.foreign.networks`.
        shape: Shape of one raw sample, if the thresholds do not say it.
        dtype: Type of the raw features, if there is a thermometer.
        class_names: Names of the classes, or empty.
        feature_names: Names of the raw features, or empty.

    Raises:
        UnsupportedError: Wiring or something else is not in the file; the message has the line that saves it.
        FormatError: The file is truncated, damaged or of another kind.
        OptionError: An option is out of range.
    """
    layers = _layers(_tensors(Path(path)), str(path))
    width, encoder = _width(layers[0]), None
    if thermometer is not None:
        encoder, (bits,) = encoder_of(*thermometer_bits(thermometer, shape), dtype, feature_names)
        if bits != (inputs or bits):
            raise OptionError(f"inputs is {inputs}, but the thermometer makes {bits} bits")
        inputs = bits
    elif shape or feature_names:
        raise OptionError(
            "shape and feature_names are of raw features, and nothing makes bits of them: give a thermometer"
        )
    if inputs is not None and inputs < width:
        raise OptionError(f"inputs is {inputs}, but the first layer of {path} reads {width}")
    builder = Builder(inputs or width)
    nodes: npt.NDArray[np.int32] = np.arange(builder.n_inputs, dtype=np.int32)
    for layer in layers:
        if layer.wiring.size and not 0 <= layer.wiring.min() <= layer.wiring.max() < len(nodes):
            raise FormatError(
                f"{path}: layer {layer.name!r} reads input {layer.wiring.max()} of {len(nodes)}; layers must stand in order"
            )
        nodes = append_tables(builder, nodes[layer.wiring], layer.tables)
    head = None
    if classes is not None:
        if classes < 1 or len(nodes) % classes:
            raise OptionError(f"classes is {classes}, which does not divide the {len(nodes)} outputs of {path}")
        head = Head(np.repeat(np.arange(classes), len(nodes) // classes), np.zeros(classes, int), tau, class_names)
    elif class_names:
        raise OptionError("class_names are given, but no classes: the k of the group sum")
    return builder.build(nodes, encoder=encoder, head=head, metadata={"imported": Path(path).name})


def _tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Tensors by name, in the file's order."""
    if path.suffix == ".safetensors":
        import safetensors.numpy  # noqa: PLC0415 - with the only files that need it

        tensors = safetensors.numpy.load(read_bytes(path))
        return dict(sorted(tensors.items(), key=lambda item: _place(item[0], str(path))))
    import torch  # noqa: PLC0415 - with the only files that need it

    raw = BytesIO(read_bytes(path))
    try:
        content = torch.load(raw, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UnsupportedError(
            f"{path} holds objects of Python beside tensors, or is damaged; reading such a file could run code, so it is "
            f"not read; save the circuit where the network is, with {SAVE_CIRCUIT}"
        ) from error
    except (OSError, EOFError, RuntimeError) as error:
        raise FormatError(f"{path} is truncated or damaged: {' '.join(str(error).split())[:200]}") from error
    while isinstance(content, dict) and isinstance(inner := content.get("state_dict", content.get("model")), dict):
        content = inner
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise FormatError(f"{path} holds no state dict, expected tensors by name")
    return {str(name): array(tensor) for name, tensor in content.items()}


def _place(name: str, source: str) -> tuple[int, ...]:
    """The place of a layer in safetensors, which keep no order: that of the numbers in its name, as in a Sequential."""
    numbers = [part for part in _split(name)[0].split(".") if part.isdigit()]
    if not numbers:
        raise UnsupportedError(
            f"{source}: {shown(name)} does not say which layer comes first; save the circuit where the network is, with "
            f"{SAVE_CIRCUIT}"
        )
    return tuple(map(int, numbers))


class _Layer(NamedTuple):
    """Name, tensors, wiring int64 [tables, inputs of a table] and tables bool [tables, entries] of a layer."""

    name: str
    tensors: Tensors
    wiring: npt.NDArray[np.int64]
    tables: npt.NDArray[np.bool_]


def _layers(tensors: Tensors, source: str) -> list[_Layer]:
    """The layers in order."""
    groups: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for name, tensor in tensors.items():
        prefix, leaf = _split(name)
        groups.setdefault(prefix, {})[leaf] = tensor
    layers = []
    for prefix, parts in groups.items():
        read = next((read for leaves, read in _KINDS if leaves <= set(parts) <= leaves | _OTHER), None)
        where = f"{source}: layer {prefix!r}"
        if read is None and set(parts) == {"weights"}:
            raise UnsupportedError(
                f"{where} has weights but no wiring: difflogic keeps that outside of the state dict; save both with "
                f"{SAVE_WIRING}"
            )
        if read is None:
            raise UnsupportedError(
                f"{where}: {', '.join(sorted(parts))[:200]} do not say what it computes; save the circuit where the "
                f"network is, with {SAVE_CIRCUIT}"
            )
        try:
            wiring, tables = read(parts, where)
            fits = wiring.ndim == 2 and tables.shape == (len(wiring), 1 << wiring.shape[1])
        except (IndexError, ValueError) as error:
            if isinstance(error, GatewrightError):
                raise
            fits = False
        if not fits:
            shapes = {name: tensor.shape for name, tensor in parts.items()}
            raise UnsupportedError(
                f"{where}: tensors of shapes {shown(shapes)} are no layer of two inputs and 16 gates, or of whole tables; "
                f"save the circuit where the network is, with {SAVE_CIRCUIT}"
            )
        layers.append(_Layer(prefix, parts, wiring, tables))
    if not layers:
        raise FormatError(f"{source} holds no tensors")
    return layers


def _split(name: str) -> tuple[str, str]:
    """The name of a layer, and that of a tensor in it."""
    for inner in ("connections.indices", "connections.weights", "mapping.weights"):
        if name == inner or name.endswith(f".{inner}"):
            return name[: -len(inner)].rstrip("."), inner
    prefix, _, leaf = name.rpartition(".")
    return prefix, leaf


def _rows(tensors: Tensors, name: str, where: str) -> npt.NDArray[np.float64]:
    values = np.asarray(tensors[name], np.float64)
    if not np.isfinite(values).all():
        raise UnsupportedError(f"{where} has {name} that are NaN or infinite; its tables are arbitrary")
    return values


def _likeliest(tensors: Tensors, name: str, where: str) -> npt.NDArray[np.int64]:
    """The greatest of 16 logits per neuron, the first of equals: a gate id."""
    weights = _rows(tensors, name, where)
    if weights.ndim != 2 or weights.shape[1] != 16:
        raise ValueError(weights.shape)
    return np.asarray(weights.argmax(1), np.int64)


def _gate_tables(gate: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    return (gate.astype(np.int64)[:, None] >> np.arange(4)[::-1] & 1).astype(np.bool_)


def _difflogic(tensors: Tensors, where: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    return tensors["indices"].astype(np.int64).T, _gate_tables(_likeliest(tensors, "weights", where))


def _compactlogic(tensors: Tensors, where: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    slot = tensors.get("w", _rows(tensors, "weights", where).argmax(1)).astype(np.uint8).astype(np.int64)
    rows = np.arange(len(slot))
    return tensors["indices"].astype(np.int64)[:, rows, slot].T, _gate_tables(tensors["gate_sequence"][rows, slot])


def _torchlogix(tensors: Tensors, where: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    wiring = tensors["connections.indices"].astype(np.int64)
    if "connections.weights" in tensors:
        chosen = _rows(tensors, "connections.weights", where).argmax(0)
        wiring = np.take_along_axis(wiring, chosen[None], 0)[0]
    return wiring.T, _gate_tables(_likeliest(tensors, "weight", where))


def _dwn(tensors: Tensors, where: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    luts = _rows(tensors, "luts", where)
    if "mapping.weights" in tensors:
        wiring = _rows(tensors, "mapping.weights", where).argmax(0).reshape(len(luts), -1)
    else:
        wiring = tensors["mapping"].astype(np.int64)
    return wiring[:, ::-1], luts > 0


def _width(layer: _Layer) -> int:
    """Inputs of a first layer: as many as its tensors say, or up to the last one that it reads."""
    if "mapping.weights" in layer.tensors:
        return len(layer.tensors["mapping.weights"])
    if "given_x_indices_of_y_start" in layer.tensors:
        return len(layer.tensors["given_x_indices_of_y_start"]) - 1
    return int(layer.wiring.max(initial=-1)) + 1


_KINDS: tuple[tuple[set[str], Callable[[Tensors, str], tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]]], ...] = (
    ({"weights", "indices", "gate_sequence"}, _compactlogic),
    ({"weights", "indices"}, _difflogic),
    ({"weight", "connections.indices"}, _torchlogix),
    ({"luts", "mapping"}, _dwn),
    ({"luts", "mapping.weights"}, _dwn),
)
"""Tensors by which a layer is known, and what reads them."""

_OTHER = {
    "w",
    "given_x_indices_of_y_start",
    "given_x_indices_of_y",
    "given_x_indices_of_gate",
    "_LUTLayer__dummy_mapping",
    "_export_lut_ids",
    "connections.weights",
}
"""Tensors that a layer may have beside them."""
