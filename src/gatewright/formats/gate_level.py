"""Circuits at gate level, encoder and head included: for formats that know nothing but gates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.adders import ADDERS
from gatewright.circuit.arithmetic import argmax, feature_bits, with_encoder_gates
from gatewright.circuit.builder import Builder
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.evaluate import classify, counts, encode, evaluate
from gatewright.circuit.head_gates import class_counts
from gatewright.circuit.simplify import simplify
from gatewright.errors import FormatError, OptionError, UnsupportedError, unknown_name
from gatewright.features import FEATURE_BITS


@dataclass(frozen=True, eq=False)
class GateLevel:
    """A circuit as gates alone, and what its inputs and outputs mean.

    Attributes:
        source: The circuit it was made from.
        gates: Simplified circuit without encoder and head; its outputs are those of `outputs`, one port after the other.
        raw: Whether the inputs are the bits of raw features; otherwise they are the circuit's Boolean inputs.
        decides: Whether the first output is the class, or the count of a head of numbers; otherwise the only output is the
            circuit's outputs.
        input_name: Name of the input port: "features" or "bits", unless the user chose another.
        feature_bits: Bits of one feature (1 for Boolean inputs): bit i of feature f is input `f * feature_bits + i`;
            0 where features have types of their own: bit i is then input `source.encoder.first_bits[f] + i`.
        outputs: (name, width) of each output port, least significant bit first: ("outputs", n) without a head, otherwise
            ("class_index", bits) and, on request, ("scores", classes * score_bits), or ("count", bits) of a head of
            numbers, unless the user chose other names.
        score_bits: Bits of one score, an unsigned number to which `score_base` is to be added; 0 without scores.
        score_base: The least offset of the head.
    """

    source: Circuit
    gates: Circuit
    raw: bool
    decides: bool
    input_name: str
    feature_bits: int
    outputs: tuple[tuple[str, int], ...]
    score_bits: int = 0
    score_base: int = 0

    def with_ports(self, names: Sequence[str]) -> GateLevel:
        """The same with other names of the ports: that of the input (if there is one), then those of the outputs.

        Raises:
            OptionError: There are more or fewer names than ports.
        """
        given = [self.input_name] if self.gates.n_inputs else []
        given += [name for name, _ in self.outputs]
        if len(names) != len(given):
            raise OptionError(
                f"ports has {len(names)} names ({', '.join(names)}), expected {len(given)}: for {', '.join(given)}"
            )
        outputs = tuple((name, w) for name, (_, w) in zip(names[-len(self.outputs) :], self.outputs, strict=True))
        return replace(self, input_name=names[0] if self.gates.n_inputs else self.input_name, outputs=outputs)

    @property
    def input_names(self) -> list[str]:
        """`bits[i]` or `features[i]` for each input."""
        return [f"{self.input_name}[{i}]" for i in range(self.gates.n_inputs)]

    @property
    def output_names(self) -> list[str]:
        """`outputs[j]`, `class_index[j]`, `scores[j]` for each output."""
        return [f"{name}[{j}]" for name, width in self.outputs for j in range(width)]

    def input_ports(self) -> list[str]:
        """Verilog's declaration of the input; empty without inputs."""
        return [f"input wire [{self.gates.n_inputs - 1}:0] {self.input_name}"] if self.gates.n_inputs else []

    def output_ports(self) -> list[str]:
        """Verilog's declarations of the outputs."""
        return [f"output wire [{width - 1}:0] {name}" for name, width in self.outputs]

    def connections(self) -> list[str]:
        """Verilog's connections of all ports to wires of the same names."""
        inputs = [self.input_name] if self.gates.n_inputs else []
        return [f".{port}({port})" for port in [*(port for port, _ in self.outputs), *inputs]]

    @property
    def counts_one(self) -> bool:
        """Whether the output is the count of a head of numbers."""
        return self.decides and self.source.head is not None and bool(self.source.head.number)

    def expected(self, x: npt.NDArray[Any]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Inputs bool [n, inputs] and outputs bool [n, outputs] for samples, by the reference evaluation.

        Args:
            x: Raw features [n, *shape] if the encoder is among the gates, otherwise Boolean inputs bool [n, n_inputs].
        """
        circuit = self.source
        bits = encode(circuit, x) if self.raw else np.asarray(x)
        if not self.decides:
            out = evaluate(circuit, bits)
        elif self.counts_one:
            out = _binary(counts(circuit, bits), self.outputs[0][1])
        else:
            out = _binary(classify(circuit, bits)[:, None], self.outputs[0][1])
            if self.score_bits:
                out = np.hstack([out, _binary(counts(circuit, bits) - self.score_base, self.score_bits)])
        if self.raw and circuit.encoder is not None:
            return feature_bits(circuit.encoder, circuit.encoder.samples(x)), out
        return bits, out


def _binary(numbers: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.bool_]:
    """Bool [n, k * width] from int [n, k], least significant bit first."""
    bits = (numbers[:, :, None] >> np.arange(width) & 1).astype(np.bool_)
    return bits.reshape(len(numbers), -1)


def refuse_places(circuit: Circuit, target: str) -> None:
    """Refuse a head that decides at several places: the exports with heads write one decision per sample.

    Raises:
        UnsupportedError: The head has places.
    """
    if circuit.head is not None and circuit.head.places:
        raise UnsupportedError(
            f"the head decides for places of shape {circuit.head.places}, which the export to {target} does not write; "
            "export the gates alone (circuit.replace(head=None)) and count their outputs, or use gatewright.Engine"
        )


def to_gate_level(
    circuit: Circuit, *, encoder: bool, head: bool, scores: bool = False, adders: str = "ops"
) -> GateLevel:
    """Turn encoder and head into gates and simplify everything together.

    Args:
        circuit: Any circuit.
        encoder: Turn the encoder, if the circuit has one, into gates; without, the Boolean inputs are the interface.
        head: Turn the head, if the circuit has one, into gates; without, the outputs are the interface.
        scores: Make the counts of the classes outputs, after the class; not of a head of numbers.
        adders: One of `gatewright.circuit.adders.ADDERS`.

    Raises:
        OptionError: `adders` is unknown, or scores are wanted of a head of numbers.
        UnsupportedError: There would be no output, the head has places, or counts would exceed 62 bits.
    """
    if adders not in ADDERS:
        raise unknown_name("kind of adders", adders, ADDERS)
    source = circuit
    outputs: tuple[tuple[str, int], ...] = (("outputs", circuit.n_outputs),)
    score_bits = score_base = 0
    if head and circuit.head is not None:
        refuse_places(circuit, "gates")
        if scores and circuit.head.number:
            raise OptionError(
                "scores are counts of classes, but the head gives a number: its count is the output already"
            )
        counting = circuit.head
        if counting.number:  # constants and inverse pairs would make the count wider than it can become
            circuit = simplify(circuit)
            counting = circuit.head or counting
        score_base = 0 if counting.number else int(counting.offset.min())
        offset = counting.offset - score_base
        if int(offset.max()) + circuit.n_outputs >= 1 << 62:
            raise UnsupportedError("the head's offsets are too far apart for gates that count exactly")
        builder = Builder(circuit.n_inputs)
        nodes = builder.include(circuit, np.arange(circuit.n_inputs))
        sums = class_counts(builder, circuit, nodes, replace(counting, offset=offset), adders)
        if counting.number:
            name, index = "count", sums[0] or [builder.constant(value=False)]
        else:
            name, index = "class_index", argmax(builder, sums)
        outputs, result = ((name, len(index)),), list(index)
        if scores:
            score_bits = max(1, *(len(number) for number in sums))
            zero = builder.constant(value=False)
            for number in sums:
                result += [*number, *[zero] * (score_bits - len(number))]
            outputs += (("scores", score_bits * len(sums)),)
        circuit = builder.build(result, encoder=circuit.encoder, metadata=circuit.metadata)
    else:
        circuit = circuit.replace(head=None)
    if circuit.n_outputs == 0:
        raise UnsupportedError("the circuit has no outputs, so there is nothing to export")
    raw, width = False, 1
    if encoder and circuit.encoder is not None:
        raw, width = True, 0 if circuit.encoder.types else FEATURE_BITS[circuit.encoder.dtype]
        # Simplified while the encoder is still known: the gates hide relations between thresholds of a feature.
        circuit = with_encoder_gates(simplify(circuit))
    gates = simplify(circuit.replace(encoder=None))
    return GateLevel(
        source,
        gates,
        raw=raw,
        decides=head and source.head is not None,
        input_name="features" if raw else "bits",
        feature_bits=width,
        outputs=outputs,
        score_bits=score_bits,
        score_base=score_base,
    )


def with_interface(circuit: Circuit, like: Circuit | None, source: str) -> Circuit:
    """Give a circuit read from `source` the encoder, head and metadata of the circuit that was exported, if that is known.

    Raises:
        FormatError: The circuit has other numbers of inputs or outputs than `like`.
    """
    if like is None:
        return circuit
    if (circuit.n_inputs, circuit.n_outputs) != (like.n_inputs, like.n_outputs):
        raise FormatError(
            f"{source} has {circuit.n_inputs} inputs and {circuit.n_outputs} outputs, "
            f"expected {like.n_inputs} and {like.n_outputs} as in the circuit that `like` gives"
        )
    return circuit.replace(encoder=like.encoder, head=like.head, metadata=like.metadata)
