"""A circuit with its encoder and head as gates, for the formats that know nothing but gates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.arithmetic import FEATURE_BITS, argmax, feature_bits, with_encoder_gates
from gatewright.circuit.builder import Builder
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.evaluate import classify, counts, encode, evaluate
from gatewright.circuit.head_gates import class_counts
from gatewright.circuit.simplify import simplify
from gatewright.errors import FormatError, UnsupportedError


@dataclass(frozen=True, eq=False)
class Whole:
    """Gates only, and what its inputs and outputs mean.

    Attributes:
        source: The circuit it was made from.
        gates: Simplified circuit without encoder and head; its outputs are those of `outputs`, one after the other.
        input_name: "features" if the inputs are the bits of raw features, else "bits".
        feature_bits: Bits of one feature (1 for "bits"): bit i of feature f is input `f * feature_bits + i`.
        outputs: (name, width) of each output, least significant bit first: ("outputs", n) without a head, else
            ("class_index", bits) and, if asked for, ("scores", classes * score_bits).
        score_bits: Bits of one score, an unsigned number to which `score_base` is to be added; 0 without scores.
        score_base: The least offset of the head.
    """

    source: Circuit
    gates: Circuit
    input_name: str
    feature_bits: int
    outputs: tuple[tuple[str, int], ...]
    score_bits: int = 0
    score_base: int = 0

    def input_ports(self) -> list[str]:
        """Verilog's declaration of the input; none if there are no inputs."""
        return [f"input wire [{self.gates.n_inputs - 1}:0] {self.input_name}"] if self.gates.n_inputs else []

    def output_ports(self) -> list[str]:
        """Verilog's declarations of the outputs."""
        return [f"output wire [{width - 1}:0] {name}" for name, width in self.outputs]

    def expected(self, x: npt.NDArray[Any]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Inputs bool [n, inputs] and outputs bool [n, outputs] for samples, by the reference evaluation.

        Args:
            x: Raw features [n, *shape] if the encoder is among the gates, else Boolean inputs bool [n, n_inputs].
        """
        circuit = self.source
        raw = self.input_name == "features"
        bits = encode(circuit, x) if raw else np.asarray(x)
        if [name for name, _ in self.outputs] == ["outputs"]:
            out = evaluate(circuit, bits)
        else:
            out = _binary(classify(circuit, bits)[:, None], self.outputs[0][1])
            if self.score_bits:
                out = np.hstack([out, _binary(counts(circuit, bits) - self.score_base, self.score_bits)])
        if raw and circuit.encoder is not None:
            return feature_bits(circuit.encoder, np.asarray(x)), out
        return bits, out


def _binary(numbers: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.bool_]:
    """Bool [n, k * width] from int [n, k], least significant bit first."""
    bits = (numbers[:, :, None] >> np.arange(width) & 1).astype(np.bool_)
    return bits.reshape(len(numbers), -1)


def refuse_places(circuit: Circuit, target: str) -> None:
    """Refuse a head that decides for several places, which these exports do not write.

    Raises:
        UnsupportedError: It does.
    """
    if circuit.head is not None and circuit.head.places:
        raise UnsupportedError(
            f"the head decides for places of shape {circuit.head.places}, which the export to {target} does not write; "
            "export the gates alone (circuit.replace(head=None)) and count their outputs, or use gatewright.Engine"
        )


def make_whole(circuit: Circuit, *, encoder: bool, head: bool, scores: bool = False) -> Whole:
    """Turn encoder and head into gates and simplify everything together.

    Args:
        circuit: Any circuit.
        encoder: Whether its encoder, if it has one, becomes gates (else the Boolean inputs are the interface).
        head: Whether its head, if it has one, becomes gates (else the outputs are the interface).
        scores: Whether the counts of the classes become outputs beside the class.

    Raises:
        UnsupportedError: There would be no output at all, or offsets so large that counts exceed 62 bits.
    """
    source = circuit
    outputs: tuple[tuple[str, int], ...] = (("outputs", circuit.n_outputs),)
    score_bits = score_base = 0
    if head and circuit.head is not None:
        refuse_places(circuit, "gates")
        score_base = int(circuit.head.offset.min())
        offset = circuit.head.offset - score_base
        if int(offset.max()) + circuit.n_outputs >= 1 << 62:
            raise UnsupportedError("the head's offsets are too far apart for gates that count exactly")
        # First without the head, as gates no class counts are no longer seen once it is there.
        builder = Builder(circuit.n_inputs)
        nodes = builder.include(circuit, np.arange(circuit.n_inputs))
        sums = class_counts(builder, circuit, nodes, replace(circuit.head, offset=offset))
        index = argmax(builder, sums)
        outputs, result = (("class_index", len(index)),), list(index)
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
    width, input_name = 1, "bits"
    if encoder and circuit.encoder is not None:
        width, input_name = FEATURE_BITS[circuit.encoder.dtype], "features"
        # Simplified while the encoder is still known: relations between thresholds of a feature are lost in its gates.
        circuit = with_encoder_gates(simplify(circuit)[0])
    gates = simplify(circuit.replace(encoder=None))[0]
    return Whole(source, gates, input_name, width, outputs, score_bits, score_base)


def input_names(whole: Whole) -> list[str]:
    """`bits[i]` or `features[i]` for each input."""
    return [f"{whole.input_name}[{i}]" for i in range(whole.gates.n_inputs)]


def output_names(whole: Whole) -> list[str]:
    """`outputs[j]`, `class_index[j]`, `scores[j]` for each output."""
    return [f"{name}[{j}]" for name, width in whole.outputs for j in range(width)]


def like_original(circuit: Circuit, like: Circuit | None, source: str) -> Circuit:
    """Give a circuit that came back from another tool the encoder, head and metadata of the one that was exported.

    Raises:
        FormatError: It has other numbers of inputs or outputs than `like`.
    """
    if like is None:
        return circuit
    if (circuit.n_inputs, circuit.n_outputs) != (like.n_inputs, like.n_outputs):
        raise FormatError(
            f"{source} has {circuit.n_inputs} inputs and {circuit.n_outputs} outputs, "
            f"expected {like.n_inputs} and {like.n_outputs} as in the circuit it is said to be like"
        )
    return circuit.replace(encoder=like.encoder, head=like.head, metadata=like.metadata)
