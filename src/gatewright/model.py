"""`load` and `Model`: a trained network as one object that predicts, exports, counts, proves and saves."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit import Circuit, Cost, Proof, cost, load_circuit, prove, save_circuit, simplify
from gatewright.errors import OptionError
from gatewright.formats import READERS

if TYPE_CHECKING:
    from torch import nn

    from gatewright.card import Card
    from gatewright.engine import Engine

TIMEOUT = 600.0
"""Seconds that a proof may take by default."""


class Model:
    """A circuit with what people do with it. `gatewright.load` makes one.

    Everything is also available as a function of the circuit: `gatewright.Engine`, `export`, `cost`, `prove` and
    `save_circuit`.

    Example:
        >>> import gatewright as gw
        >>> model = gw.load("digits")
        >>> model
        Model('digits', uint8 (1, 8, 8) -> 10 classes, 2,990 gates)
        >>> images = gw.load_dataset("digits").test.x
        >>> model.predict(images[:5])
        array([0, 1, 2, 3, 4])

    Attributes:
        circuit: The circuit that predictions, exports and costs are of.
        network: The trained network gate for gate, before simplification, if the model comes from a run or a torch
            network; None if it comes from a file.
        name: Name in the zoo, of the run, or of the file; may be empty.
        card: The card of a circuit of the zoo, or None.
    """

    def __init__(
        self, circuit: Circuit, *, network: Circuit | None = None, name: str = "", card: Card | None = None
    ) -> None:
        self.circuit = circuit
        self.network = network
        self.name = name
        self.card = card

    @cached_property
    def engine(self) -> Engine:
        """The engine of the circuit on all cores, made when it is first used."""
        from gatewright.engine import Engine  # noqa: PLC0415 - compiles; only predictions need it

        return Engine(self.circuit)

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class; empty if the circuit has no head or its classes have no names."""
        return self.circuit.head.class_names if self.circuit.head else ()

    def predict(self, x: Any) -> npt.NDArray[Any]:
        """Classes int64 [n], or [n, *places] if the head decides for several places; numbers float64 [n] if it gives these.

        Args:
            x: Raw samples [n, *shape] of the circuit's feature type; see `Engine.predict`.

        Raises:
            ShapeError: `x` has another shape.
            DtypeError: `x` has a type that the feature type cannot hold.
            DataError: `x` contains NaN or missing values, or is a table with other columns.
            UnsupportedError: The circuit has no head.
        """
        return self.engine.predict(x)

    def predict_proba(self, x: Any) -> npt.NDArray[np.float32]:
        """Softmax of the scores, float32 [n, classes]; arguments and errors as for `predict`."""
        return self.engine.predict_proba(x)

    def scores(self, x: Any) -> npt.NDArray[np.float32]:
        """Scores float32 [n, classes], as the trained network gives them; arguments and errors as for `predict`."""
        return self.engine.scores(x)

    def export(self, format: str, directory: str | os.PathLike[str], **options: Any) -> list[Path]:  # noqa: A002
        """Write the circuit as source code or netlist; see `gatewright.export`.

        Args:
            format: "c", "verilog", "aiger", "blif" or "html".
            directory: Where to write.
            **options: Options of the format, for example `word=64`; `name` is by default that of the circuit.

        Returns:
            The files written.

        Raises:
            OptionError: The format or an option is unknown.
        """
        from gatewright.formats import export, options_of  # noqa: PLC0415 - only exports need the writers
        from gatewright.formats.names import own_name  # noqa: PLC0415

        if "name" in options_of(format):
            options.setdefault("name", own_name(self.circuit.metadata))
        return export(self.circuit, format, Path(directory), **options)

    def cost(self) -> Cost:
        """Count gates, with and without encoder and head; see `gatewright.cost`."""
        return cost(self.circuit)

    def prove(self, other: Any = None, *, timeout: float = TIMEOUT) -> Proof:
        """Prove that the circuit equals another network, by default the one it was made from.

        Args:
            other: A `Model`, what `load` takes, or a netlist file (see `gatewright.verify`). If the network behind it is
                known, the circuit is compared with that, gate for gate as trained. None for this model's own network.
            timeout: Seconds for the proof.

        Returns:
            The proof: `equal` is True, False (with a counter-example), or None if time ran out.

        Raises:
            OptionError: There is no other network, and this model comes from a file, which holds no network.
            ShapeError: The two have different interfaces.
            MissingExtraError: The proof needs an engine, and none is installed.
        """
        if isinstance(other, (str, os.PathLike)) and Path(other).suffix in READERS:
            from gatewright.verification import verify  # noqa: PLC0415 - only netlists need it

            return verify(self.circuit, Path(other), timeout=timeout)
        if other is not None:
            second = other if isinstance(other, Model) else load(other)
            return prove(second.network or second.circuit, self.circuit, timeout=timeout)
        if self.network is None:
            raise OptionError(
                "this model comes from a file, which holds a circuit but not the network it was made from; pass what to "
                'compare it with, for example model.prove("runs/mnist")'
            )
        return prove(self.network, self.circuit, timeout=timeout)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the circuit to a `.gw` file (compressed if its name ends with `.xz`) for `load`."""
        save_circuit(self.circuit, path)

    def __repr__(self) -> str:
        parts = [repr(self.name)] if self.name else []
        return f"Model({', '.join([*parts, self._interface(), f'{self.circuit.n_gates:,} gates'])})"

    def _interface(self) -> str:
        encoder, head = self.circuit.encoder, self.circuit.head
        into = f"{encoder.dtype} {encoder.shape}" if encoder else f"{self.circuit.n_inputs:,} bits"
        if head is None:
            return f"{into} -> {self.circuit.n_outputs:,} bits"
        if head.number:
            return f"{into} -> a number"
        places = f" at each of {head.places}" if head.places else ""
        return f"{into} -> {head.n_classes} classes{places}"

    def _repr_html_(self) -> str:
        rows = {"interface": self._interface(), "gates": f"{self.circuit.n_gates:,}"}
        if self.class_names:
            rows["classes"] = ", ".join(self.class_names)
        if self.card is not None:
            rows |= {"about": self.card.description, "test accuracy": f"{100 * self.card.measured.test:.2f} %"}
        rows |= self.circuit.metadata
        lines = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in rows.items())
        return f"<table><caption>{escape(self.name or 'Model')}</caption>{lines}</table>"


def load(
    source: str | os.PathLike[str] | Circuit | nn.Module,
    *,
    in_shape: Sequence[int] | None = None,
    class_names: Sequence[str] = (),
    feature_names: Sequence[str] = (),
) -> Model:
    """Load a trained network from wherever it is: the zoo, a file, the folder of a run, or torch.

    A text without a folder or suffix that names no file is a name in the zoo; write "./digits" for a folder `digits`.
    Files and circuits of the zoo load without torch. Runs and torch networks are lowered and simplified.

    Args:
        source: `"mnist-8k"`, `"mnist.gw"`, `Path("runs/mnist")`, a trained torch network, or a `Circuit`.
        in_shape: Of torch networks without a Thermometer: shape of one Boolean sample, (F,) or (C, H, W).
        class_names: Of torch networks: names of the classes.
        feature_names: Of torch networks: names of the raw features.

    Raises:
        OptionError: There is no circuit of this name, or options of torch networks are given for something else.
        FormatError: A file is damaged, or a folder holds no finished run.
        UnsupportedError: A module of the torch network is not an exact circuit.
        OSError: A file cannot be read.

    Example:
        >>> import gatewright as gw
        >>> model = gw.load("monks-1")
        >>> model.cost().logic_ops
        19
        >>> import torch
        >>> network = torch.nn.Sequential(gw.LogicDense(8, 20), gw.GroupSum(2))
        >>> gw.load(network, in_shape=(8,)).prove().equal
        True
    """
    torch = sys.modules.get("torch")  # a torch network cannot exist unless torch has been imported
    if torch is not None and isinstance(source, torch.nn.Module):
        from gatewright.lowering import lower  # noqa: PLC0415 - needs torch

        network = lower(source, in_shape, class_names=class_names, feature_names=feature_names)
        return Model(simplify(network), network=network)
    if in_shape is not None or class_names or feature_names:
        raise OptionError(
            "in_shape, class_names and feature_names describe torch networks; files, runs and circuits hold their own"
        )
    if isinstance(source, Circuit):
        return Model(source)
    if not isinstance(source, (str, os.PathLike)):
        raise OptionError(
            f"cannot load a {type(source).__name__}: expected a name in the zoo, a path, a torch network or a Circuit"
        )
    path = Path(source)
    if path.suffix in READERS:
        raise OptionError(
            f"{path} is named as a netlist, which holds gates alone, and this needs a circuit (.gw): compare the two by "
            f"`gatewright verify`, or make a circuit of it by `gatewright import` (gatewright.import_network)"
        )
    if source == path.name and path.suffix not in {".gw", ".xz"} and not path.is_file():
        from gatewright import zoo  # noqa: PLC0415 - cards need pydantic

        name = str(source)
        if name in zoo.names() or not path.is_dir():
            return Model(zoo.load_circuit(name), name=name, card=zoo.card(name))
    if path.is_dir():
        from gatewright.runs.run import load_run, lower_run  # noqa: PLC0415 - needs torch

        run = load_run(path)
        network = lower_run(run)
        return Model(simplify(network), network=network, name=run.name)
    return Model(load_circuit(path), name=path.name.removesuffix(".xz").removesuffix(".gw"))
