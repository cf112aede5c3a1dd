"""The netlist: gates in topological order, with an encoder in front and a head behind.

Conventions, stated once and followed by every back end:

- **Nodes.** Node ids 0 .. n_inputs-1 are the Boolean inputs; node n_inputs + i is gate i. A gate's operands have smaller
  ids than the gate itself. Constant gates (ids 0 and 15) have no operands: theirs are stored as 0.
- **Features.** A sample is flattened in C order, so an image (C, H, W) has feature index `(c * H + y) * W + x`.
- **Input bits.** Boolean input i is `features[encoder.feature[i]] >= encoder.threshold[i]`.
- **Packing.** Where samples are packed into words, sample s is bit `s % 64` (least significant first) of word `s // 64`.
- **Outputs.** Output j is the value of node `outputs[j]`; the same node may be listed more than once.
- **Head.** `count[k] = offset[k] + number of true outputs j with group[j] == k`; the score of class k is `count[k] / tau`.
- **Numbers.** A head may give a number in the place of classes: `base + scale * count[0]` in float64, of its one count.
- **Places.** A head may decide for several places (the pixels of an image), each with the same classes. Its groups are then
  numbered `place * classes + class`, places in C order, and counts, scores and classes have the places' shape after the
  sample's axis: [n, *places, classes] and [n, *places].
- **Ties.** The predicted class is the *lowest* class among those with the greatest count.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from types import MappingProxyType
from typing import Any, Self

import numpy as np

from gatewright.circuit.encoder import Encoder
from gatewright.circuit.parts import Array, Parts, as_stored, as_texts
from gatewright.errors import FormatError, OptionError, shown
from gatewright.gates import IS_LOGIC, Gate
from gatewright.runtime.ranges import STORED_TEMPERATURE as TAU

# Constructors take any integer arrays and convert them exactly; what is stored has the dtype the docstrings state.

__all__ = ["Circuit", "Encoder", "Head", "check_inputs"]

_MOST_NODES = (1 << 31) - 1
"""Node ids and features are int32."""

_MOST_OFFSET = 1 << 62
"""Counts are int64."""

_MOST_COUNT, _MOST_SCALE = 1 << 29, float(np.finfo(np.float32).max)
"""Of heads of numbers: the product of such a count and a float32 has at most 53 binary digits."""

_MOST_SILENT_INPUTS, _SILENT_INPUTS = 1 << 24, 16
"""Inputs of a file that says nothing of each: so many, or so many for each gate and output."""


def check_inputs(n_inputs: int, parts: int) -> None:
    """Refuse a file in which a number alone claims inputs, more of them than gates and outputs could make sense of.

    Args:
        n_inputs: The number; of raw features, their bits.
        parts: Gates, outputs, and inputs of which the file does say something.

    Raises:
        FormatError: It would take memory that the file does not account for.
    """
    if n_inputs > max(_MOST_SILENT_INPUTS, _SILENT_INPUTS * parts):
        raise FormatError(
            f"it claims {shown(n_inputs)} inputs for {parts} gates, outputs and comparisons: it is damaged, or made to harm"
        )


@dataclass(frozen=True, eq=False)
class Head(Parts):
    """Bits to scores: a popcount per class, then argmax with ties to the lowest class (group sum).

    Attributes:
        group: int32 [outputs], the group each output counts for: its class, or `place * classes + class`.
        offset: int64 [groups], added to each group's count (outputs that are always true end up here).
        tau: Temperature; scores are counts divided by it. It never changes the predicted class.
        class_names: One name per class, or empty.
        places: Shape of the places that are decided for, each on its own: (height, width) for the pixels of an image; ()
            for one decision per sample.
        number: (base, scale) of a head that gives a number, `base + scale * count`, in the place of a class; () for
            classes. Such a head has one group, whose count is 0 or more and less than 2^29, and the scale has no more
            digits than a float32 holds: so the product is exact in float64, only the sum is rounded, and every
            processor gets the same bits.

    Example:
        >>> from gatewright.circuit import Head
        >>> Head(group=[0, 0, 1, 1], offset=[0, 0], class_names=("small", "large"))
        Head(outputs=4, classes=2, tau=1)
    """

    group: Array
    offset: Array
    tau: float = 1.0
    class_names: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    number: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        self._set(
            group=as_stored(self.group, np.int32, "head.group"),
            offset=as_stored(self.offset, np.int64, "head.offset"),
            class_names=as_texts(self.class_names, "head.class_names"),
            places=tuple(int(n) for n in self.places),
            number=tuple(float(n) for n in self.number),
        )
        if min(self.places, default=1) < 1:
            raise FormatError(f"head.places must be positive sizes, got {shown(self.places)}")
        if self.n_classes < 1:
            raise FormatError("a head needs at least one class")
        if self.n_groups % self.n_places:
            raise FormatError(
                f"head.offset has {self.n_groups} groups, which do not divide into places {shown(self.places)}"
            )
        if len(self.group) and not 0 <= self.group.min() <= self.group.max() < self.n_groups:
            raise FormatError(f"head.group must lie in 0..{self.n_groups - 1}")
        if len(self.offset) and not -_MOST_OFFSET < self.offset.min() <= self.offset.max() < _MOST_OFFSET:
            raise FormatError(
                f"head.offset must lie between -{_MOST_OFFSET} and {_MOST_OFFSET}, so that counts have room"
            )
        if not TAU.low <= self.tau <= TAU.high:
            raise FormatError(f"head.tau must be a positive number from {TAU.low:g} to {TAU.high:g}, got {self.tau}")
        if self.class_names and len(self.class_names) != self.n_classes:
            raise FormatError(f"{len(self.class_names)} class names for {self.n_classes} classes")
        if self.number:
            self._check_number()

    def _check_number(self) -> None:
        if len(self.number) != 2 or not all(math.isfinite(n) for n in self.number):
            raise FormatError(f"head.number is {shown(self.number)}, expected two finite numbers, base and scale")
        scale = self.number[1]
        if scale == 0 or abs(scale) > _MOST_SCALE or float(np.float32(scale)) != scale:
            raise FormatError(f"head.number has scale {scale!r}, expected a number other than 0 that a float32 holds")
        if self.n_groups != 1 or self.places or self.class_names:
            raise FormatError(
                f"a head of numbers has one count, without places and class names, got {self.n_groups} groups, places "
                f"{shown(self.places)} and {len(self.class_names)} names"
            )
        if not 0 <= int(self.offset[0]) < _MOST_COUNT - len(self.group):
            raise FormatError(
                f"head.offset is {int(self.offset[0])}, but a head of numbers counts from 0 to below {_MOST_COUNT}"
            )

    def __repr__(self) -> str:
        places = f", places={self.places}" if self.places else ""
        if self.number:
            return f"Head(outputs={len(self.group)}, number={self.formula})"
        return f"Head(outputs={len(self.group)}, classes={self.n_classes}, tau={self.tau:g}{places})"

    @property
    def n_groups(self) -> int:
        """Number of counts: classes, or classes at each place."""
        return len(self.offset)

    @property
    def n_places(self) -> int:
        """Number of decisions per sample."""
        return math.prod(self.places)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.offset) // self.n_places

    @property
    def formula(self) -> str:
        """How a head of numbers makes its number from its count, in words."""
        base, scale = self.number
        return f"{base:g} + {scale:g} * count"

    def numbers(self, counts: Array) -> Array:
        """Numbers float64 [n] from counts [n, 1], of a head of numbers."""
        base, scale = self.number
        return np.asarray(base + scale * counts[:, 0].astype(np.float64), np.float64)

    def by_place(self, groups: Array) -> Array:
        """Numbers [n, groups] as [n, *places, classes]."""
        return groups.reshape(len(groups), *self.places, self.n_classes)


@dataclass(frozen=True, eq=False)
class Circuit(Parts):
    """A netlist of two-input gates. Immutable: simplification and `replace` return new circuits.

    Attributes:
        n_inputs: Number of Boolean inputs.
        gate: uint8 [gates], gate ids (see `gatewright.gates`).
        a: int32 [gates], node id of the first operand.
        b: int32 [gates], node id of the second operand.
        outputs: int32 [outputs], node ids.
        encoder: How raw features become the inputs, or None if the inputs are the interface.
        head: How the outputs become scores, or None if the outputs are the interface.
        metadata: Free text about the circuit (data set, seed, accuracy, ...), string to string.

    Raises:
        FormatError: The arrays do not describe a circuit; the message names the field and the first bad entry.

    Example:
        >>> from gatewright.circuit import Circuit
        >>> Circuit(n_inputs=3, gate=[6, 6], a=[0, 3], b=[1, 2], outputs=[4])  # x0 XOR x1 XOR x2
        Circuit(inputs=3, gates=2, outputs=1)
    """

    n_inputs: int
    gate: Array
    a: Array
    b: Array
    outputs: Array
    encoder: Encoder | None = None
    head: Head | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._set(
            n_inputs=int(self.n_inputs),
            gate=as_stored(self.gate, np.uint8, "gate"),
            **{name: as_stored(getattr(self, name), np.int32, name) for name in ("a", "b", "outputs")},
            metadata=MappingProxyType({str(k): str(v) for k, v in self.metadata.items()}),
        )
        as_texts([*self.metadata, *self.metadata.values()], "metadata")
        if self.n_inputs < 0:
            raise FormatError(f"n_inputs must not be negative, got {self.n_inputs}")
        if self.n_nodes > _MOST_NODES:
            raise FormatError(
                f"{shown(self.n_inputs)} inputs and {self.n_gates} gates are more than {_MOST_NODES} nodes"
            )
        if not len(self.gate) == len(self.a) == len(self.b):
            raise FormatError(f"gate, a and b differ in length: {len(self.gate)}, {len(self.a)}, {len(self.b)}")
        if len(self.gate) and self.gate.max() > Gate.TRUE:
            i = int(np.argmax(self.gate > Gate.TRUE))
            raise FormatError(f"gate[{i}] is {self.gate[i]}, expected 0..15")
        own = np.arange(self.n_inputs, self.n_nodes)
        constant = (self.gate == Gate.FALSE) | (self.gate == Gate.TRUE)
        for name in ("a", "b"):
            operand = getattr(self, name)
            bad = np.where(constant, operand != 0, (operand < 0) | (operand >= own))
            if bad.any():
                i = int(np.argmax(bad))
                rule = "0, as the gate is a constant" if constant[i] else f"a node before it (0..{own[i] - 1})"
                raise FormatError(f"{name}[{i}] is {operand[i]}, expected {rule}")
        bad = (self.outputs < 0) | (self.outputs >= self.n_nodes)
        if bad.any():
            i = int(np.argmax(bad))
            raise FormatError(f"outputs[{i}] is {self.outputs[i]}, expected a node (0..{self.n_nodes - 1})")
        if self.encoder is not None and self.encoder.n_bits != self.n_inputs:
            raise FormatError(
                f"the encoder makes {self.encoder.n_bits} bits but the circuit has {self.n_inputs} inputs"
            )
        if self.head is not None and len(self.head.group) != len(self.outputs):
            raise FormatError(f"the head groups {len(self.head.group)} outputs but there are {len(self.outputs)}")

    def __repr__(self) -> str:
        ends = "".join(f", {name}={end}" for name, end in (("encoder", self.encoder), ("head", self.head)) if end)
        return f"Circuit(inputs={self.n_inputs}, gates={self.n_gates}, outputs={self.n_outputs}{ends})"

    def _repr_html_(self) -> str:
        """A table for notebooks."""
        encoder, head = self.encoder, self.head
        classes = "" if head is None else f"{head.n_classes} classes{': ' * bool(head.class_names)}"
        rows = [
            ("inputs", f"{self.n_inputs:,}"),
            ("gates", f"{self.n_gates:,}, {np.count_nonzero(IS_LOGIC[self.gate]):,} of them of two operands"),
            ("outputs", f"{self.n_outputs:,}"),
            ("encoder", "none" if encoder is None else f"{encoder.dtype} features of shape {encoder.shape}"),
            (
                "head",
                "none" if head is None else head.formula if head.number else classes + ", ".join(head.class_names),
            ),
            *self.metadata.items(),
        ]
        cells = (f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
        return f"<table><caption>Circuit</caption>{''.join(cells)}</table>"

    @property
    def n_gates(self) -> int:
        """Number of gates, constants, wires and inverters included."""
        return len(self.gate)

    @property
    def n_nodes(self) -> int:
        """Number of inputs and gates together."""
        return self.n_inputs + len(self.gate)

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return len(self.outputs)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with some attributes changed, checked again."""
        unknown = set(changes) - set(self.__dataclass_fields__)
        if unknown:
            raise OptionError(f"a circuit has no attribute {min(unknown)!r}")
        return replace(self, **changes)

    def same_as(self, other: Circuit) -> bool:
        """Whether both are the same netlist, array for array (structure, not function: see `gatewright.verification`)."""
        return _same(self, other)


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, Parts) and isinstance(two, Parts):
        return all(_same(getattr(one, name), getattr(two, name)) for name in one.__dataclass_fields__)
    return np.array_equal(one, two) if isinstance(one, np.ndarray) else bool(one == two)
