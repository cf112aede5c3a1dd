"""Prove that two circuits are equal, or find an input on which they differ.

Circuits without heads are equal if their outputs are, one by one; circuits with heads if they count the same for every
class. Where both have the same encoder, "every input" means every input that the encoder can make; where the encoders
differ, every raw sample; without encoders, all Boolean inputs.
"""

from __future__ import annotations

import importlib.util
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from gatewright.circuit.aig import to_aig, write_aig
from gatewright.circuit.arithmetic import with_encoder_gates
from gatewright.circuit.builder import Builder, side_by_side
from gatewright.circuit.circuit import Circuit, Encoder
from gatewright.circuit.evaluate import counts, evaluate
from gatewright.circuit.packed import BoolArray
from gatewright.circuit.proof.heads import count_circuits, equalities
from gatewright.circuit.proof.sat import Sweeper
from gatewright.circuit.simplify.rules import encoder_relations
from gatewright.errors import MissingExtraError, ShapeError, VerificationError, install_command, unknown_name
from gatewright.features import FEATURE_BITS, is_signed
from gatewright.gates import Gate
from gatewright.runtime.abc import find_abc, run_abc

_ENGINES = ("auto", "abc", "sat")
_SIMULATED = 1024
_Answer = tuple[bool | None, BoolArray | None]


@dataclass(frozen=True)
class Proof:
    """Whether two circuits are equal.

    Attributes:
        equal: True if proven, False if a counter-example was found, None if time ran out.
        method: What decided: "simulation", "structure" (both are one AND-inverter graph), "abc" or "sat".
        seconds: Wall-clock time.
        detail: In words, what was compared and how.
        counterexample: bool [n_inputs] of the first circuit, an input on which the circuits were evaluated and differ;
            or None.
        sample: The counter-example as a raw sample [*encoder.shape] if the circuits have encoders; otherwise None.
    """

    equal: bool | None
    method: str
    seconds: float
    detail: str
    counterexample: BoolArray | None = None
    sample: npt.NDArray[Any] | None = None


def prove(
    a: Circuit, b: Circuit, *, engine: Literal["auto", "abc", "sat"] = "auto", timeout: float = 600.0, seed: int = 0
) -> Proof:
    """Prove two circuits equal, or find an input on which they differ.

    Args:
        a: A circuit.
        b: Another circuit, for the same inputs, with as many outputs (with heads: classes).
        engine: "abc" for ABC, "sat" for the built-in SAT sweeping through python-sat; "auto" takes ABC if it is installed.
        timeout: Seconds after which to give up; the result then has `equal=None`.
        seed: Seed of the random simulation that comes first.

    Returns:
        The proof. A counter-example has always been evaluated on both circuits before it is reported.

    Raises:
        ShapeError: The circuits have different numbers of inputs, outputs or classes, so equality makes no sense.
        MissingExtraError: No engine is installed and the question needs one.

    Example:
        >>> from gatewright.circuit import Circuit, prove
        >>> xor = Circuit(n_inputs=2, gate=[6], a=[0], b=[1], outputs=[2])
        >>> or_not_and = Circuit(n_inputs=2, gate=[7, 14, 1], a=[0, 0, 2], b=[1, 1, 3], outputs=[4])
        >>> prove(xor, or_not_and).equal
        True
        >>> prove(xor, xor.replace(gate=[7])).counterexample.tolist()  # OR differs if both are true
        [True, True]
    """
    start = time.monotonic()
    if engine not in _ENGINES:
        raise unknown_name("engine", engine, _ENGINES)
    question = _Question.of(a, b)
    a, b = question.a, question.b
    patterns = evaluate(question.inputs, _random_patterns(question.inputs.n_inputs, seed))
    differing = _first_difference(a, b, patterns)

    def answer(equal: bool | None, method: str, how: str, bits: BoolArray | None = None) -> Proof:
        shown, sample = (None, None) if bits is None else question.shown(bits)
        return Proof(equal, method, time.monotonic() - start, f"{question.scope}; {how}", shown, sample)

    if differing is not None:
        return answer(False, "simulation", f"{_SIMULATED} random inputs", differing)
    method, how = "", ""
    for how, left, right in _goals(a, b, patterns):
        remaining = timeout - (time.monotonic() - start)
        equal, free, method = _decide(question, left, right, engine, remaining)
        if equal:
            return answer(True, method, how)
        if free is not None:
            bits = evaluate(question.inputs, free[None])
            if _first_difference(a, b, bits) is not None:
                return answer(False, method, how, bits[0])
            # Otherwise the guessed correspondence of outputs was wrong, and says nothing about the counts.
    return answer(None, method, f"{how}; gave up after {timeout:g} s")


def can_prove() -> bool:
    """Whether an engine for proofs is installed: ABC or python-sat."""
    return find_abc() is not None or importlib.util.find_spec("pysat") is not None


def _goals(a: Circuit, b: Circuit, patterns: BoolArray) -> Iterator[tuple[str, Circuit, Circuit]]:
    """What to prove, in words and as circuits without heads; if the first is not proven, the next."""
    if a.head is None:
        yield "outputs one by one", a, b
        return
    matched = equalities(a, b, patterns)
    if matched is not None:
        yield f"{matched[0].n_outputs} equalities of outputs that imply equal counts", *matched
    yield "counts by adders", *count_circuits(a, b)


def require_equal(a: Circuit, b: Circuit, **options: Any) -> Proof:
    """As `prove`, but raise an error unless the circuits are proven equal.

    Raises:
        VerificationError: The circuits differ (the message has the counter-example), or time ran out.
    """
    return require(prove(a, b, **options))


def require(proof: Proof) -> Proof:
    """Return a proof of equality; raise an error for any other.

    Raises:
        VerificationError: As `require_equal`.
    """
    if proof.equal:
        return proof
    if proof.equal is None:
        raise VerificationError(f"could not be proven equal within the time ({proof.detail}): allow a longer timeout")
    shown = proof.counterexample if proof.sample is None else proof.sample
    text = np.array2string(np.asarray(shown).astype(np.asarray(shown).dtype), threshold=64, separator=",")
    raise VerificationError(f"the circuits differ ({proof.detail}) on the input {text}")


@dataclass(frozen=True)
class _Question:
    """Two circuits over the same Boolean inputs, and a circuit whose outputs are the inputs that can occur."""

    a: Circuit
    b: Circuit
    inputs: Circuit
    scope: str
    encoder: Encoder | None
    raw: bool

    @classmethod
    def of(cls, a: Circuit, b: Circuit) -> _Question:
        if (a.head is None) != (b.head is None):
            raise ShapeError("one circuit has a head and the other none: compare with head (or without) on both sides")
        if a.head is not None and b.head is not None:
            if a.head.n_classes != b.head.n_classes:
                raise ShapeError(f"the circuits have {a.head.n_classes} and {b.head.n_classes} classes")
            if a.head.places != b.head.places:
                raise ShapeError(f"the circuits decide for places of shape {a.head.places} and {b.head.places}")
            if a.head.number != b.head.number:
                given = [f"a number, {h.formula}" if h.number else "a class" for h in (a.head, b.head)]
                raise ShapeError(f"the circuits make of their counts {given[0]} and {given[1]}")
        elif a.n_outputs != b.n_outputs:
            raise ShapeError(f"the circuits have {a.n_outputs} and {b.n_outputs} outputs")
        one, two = a.encoder, b.encoder
        if one is not None and two is not None and not _same_encoder(one, two):
            if one.n_features != two.n_features or one.dtype != two.dtype:
                taken = f"{one.n_features} {one.dtype} and {two.n_features} {two.dtype}"
                raise ShapeError(f"the circuits take {taken} features")
            a, b = with_encoder_gates(a), with_encoder_gates(b)
            return cls(a, b, Builder(a.n_inputs).build(np.arange(a.n_inputs)), "for every raw sample", one, raw=True)
        if a.n_inputs != b.n_inputs:
            raise ShapeError(f"the circuits have {a.n_inputs} and {b.n_inputs} inputs")
        if one is not None and two is not None:
            return cls(a, b, possible_inputs(one), "for every input that the encoder can make", one, raw=False)
        return cls(a, b, Builder(a.n_inputs).build(np.arange(a.n_inputs)), "for every Boolean input", None, raw=False)

    def shown(self, bits: BoolArray) -> tuple[BoolArray, npt.NDArray[Any] | None]:
        """A counter-example as Boolean inputs of the first circuit, and as a raw sample if there is an encoder."""
        if self.encoder is None:
            return bits, None
        if not self.raw:
            return bits, sample_of(self.encoder, bits)
        sample = sample_of_raw(self.encoder, bits)
        return sample.reshape(-1).astype(np.float64)[self.encoder.feature] >= self.encoder.threshold, sample


def _same_encoder(one: Encoder, two: Encoder) -> bool:
    return (
        one.dtype == two.dtype
        and one.n_features == two.n_features
        and np.array_equal(one.feature, two.feature)
        and np.array_equal(one.threshold, two.threshold)
    )


def possible_inputs(encoder: Encoder) -> Circuit:
    """A circuit whose outputs, over all of its free inputs, run through exactly the bits that an encoder can make.

    The bits of a feature form a chain: each is the AND of the one with the next lower threshold and a free input.
    """
    literal, feature, rank = encoder_relations(encoder)
    builder = Builder(encoder.n_bits)
    node = np.full(encoder.n_bits, -1, np.int64)
    first = np.flatnonzero(literal == np.arange(2, 2 * encoder.n_bits + 2, 2))
    order = first[np.lexsort((rank[first], feature[first]))]
    starts = np.flatnonzero(np.diff(feature[order], prepend=-1))
    place = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    for step in range(int(place.max(initial=-1)) + 1):
        members = np.flatnonzero(place == step)
        bits = order[members]
        node[bits] = bits if step == 0 else builder.append(Gate.AND, node[order[members - 1]], bits)
    constant = literal < 2
    outputs = node[np.where(constant, 0, literal // 2 - 1)] if encoder.n_bits else node
    for value in (False, True):
        if (literal == int(value)).any():
            outputs = np.where(literal == int(value), builder.constant(value), outputs)
    return builder.build(outputs)


def sample_of(encoder: Encoder, bits: BoolArray) -> npt.NDArray[Any]:
    """A raw sample [*shape] that the encoder turns into these bits, bool [bits]; they must be possible."""
    met, missed = np.full(encoder.n_features, -np.inf), np.full(encoder.n_features, np.inf)
    np.maximum.at(met, encoder.feature[bits], encoder.threshold[bits])
    np.minimum.at(missed, encoder.feature[~bits], encoder.threshold[~bits])
    # The threshold last met; where none is, just below the first one missed; a feature without bits is 0.
    with np.errstate(over="ignore"):  # below the least finite number is -inf
        single = np.nextafter(missed.astype(np.float32), np.float32(-np.inf)).astype(np.float64)
    below = np.where(encoder.is_float, single, missed - 1)
    value = np.where(np.isfinite(met), met, np.where(np.isfinite(missed), np.minimum(below, 0), 0))
    return np.clip(value, encoder.lowest, encoder.highest).astype(encoder.dtype).reshape(encoder.shape)


def sample_of_raw(encoder: Encoder, bits: BoolArray) -> npt.NDArray[Any]:
    """A raw sample [*shape] from the bits of its features, as `with_encoder_gates` takes them."""
    if encoder.types:
        return _typed_sample(encoder, bits)
    if encoder.dtype == "bool":
        return bits.reshape(encoder.shape)
    packed = np.packbits(bits.reshape(encoder.n_features, FEATURE_BITS[encoder.dtype]), axis=1, bitorder="little")
    raw = packed.reshape(-1).view(np.dtype(encoder.dtype).newbyteorder("<"))
    values = raw.astype(encoder.dtype).reshape(encoder.shape)
    # The order of patterns continues beyond infinity, with patterns that are no numbers: they behave like infinity.
    if encoder.dtype == "float32":
        sign = np.where(bits.reshape(-1, 32)[:, 31], -np.inf, np.inf).reshape(encoder.shape)
        values = np.where(np.isnan(values), sign, values).astype(np.float32)
    return values


def _typed_sample(encoder: Encoder, bits: BoolArray) -> npt.NDArray[Any]:
    values = np.empty(encoder.n_features)
    for i, (kind, first, width) in enumerate(zip(encoder.types, encoder.first_bits, encoder.widths, strict=True)):
        number = sum(1 << int(at) for at in np.flatnonzero(bits[first : first + width]))
        if kind == "float32":
            single = float(np.uint32(number).view(np.float32))
            values[i] = single if single == single else math.copysign(math.inf, -1 if number >> 31 else 1)  # noqa: PLR0124
        else:
            values[i] = number - (1 << int(width)) if is_signed(kind) and number >> int(width) - 1 else number
    return values.astype(encoder.dtype).reshape(encoder.shape)


def _random_patterns(n_inputs: int, seed: int) -> BoolArray:
    """Random inputs of all densities, with all false and all true among them."""
    rng = np.random.default_rng(seed)
    density = np.concatenate([[0.0, 1.0], rng.random(_SIMULATED // 2 - 2), np.full(_SIMULATED // 2, 0.5)])
    result: BoolArray = rng.random((_SIMULATED, n_inputs)) < density[:, None]
    return result


def _first_difference(a: Circuit, b: Circuit, bits: BoolArray) -> BoolArray | None:
    run: Callable[[Circuit, BoolArray], npt.NDArray[Any]] = evaluate if a.head is None else counts
    unequal = (run(a, bits) != run(b, bits)).reshape(len(bits), -1)
    differing = np.flatnonzero(unequal.any(axis=1))
    return bits[differing[0]] if len(differing) else None


def _decide(
    question: _Question, left: Circuit, right: Circuit, engine: str, timeout: float
) -> tuple[bool | None, BoolArray | None, str]:
    """Whether two circuits without heads have equal outputs for all possible inputs."""
    one, two = (_on_possible_inputs(question.inputs, circuit) for circuit in (left, right))
    deadline = time.monotonic() + timeout
    if engine == "abc" or (engine == "auto" and find_abc() is not None):
        return (*_decide_by_abc(one, two, deadline), "abc")
    joint = to_aig(side_by_side(one, two))
    pairs = np.unique(joint.outputs.reshape(2, -1), axis=1)
    pairs = pairs[:, pairs[0] != pairs[1]]
    if not pairs.size:
        return True, None, "structure"
    if importlib.util.find_spec("pysat") is None:
        raise MissingExtraError(
            f"neither ABC nor python-sat is installed, and proofs need one: {install_command('prove')}"
        )
    with closing(Sweeper(joint, deadline)) as sweeper:
        return (*sweeper.equal(pairs.T.tolist()), "sat")


def _on_possible_inputs(inputs: Circuit, circuit: Circuit) -> Circuit:
    """The circuit on the outputs of another, which are the inputs that can occur."""
    builder = Builder(inputs.n_inputs)
    possible = builder.include(inputs, np.arange(inputs.n_inputs))[inputs.outputs]
    return builder.build(builder.include(circuit, possible)[circuit.outputs])


def _decide_by_abc(left: Circuit, right: Circuit, deadline: float) -> _Answer:
    if left.n_outputs == 0:
        return True, None
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        (folder / "a.aig").write_bytes(write_aig(left))
        (folder / "b.aig").write_bytes(write_aig(right))
        said = run_abc("&r a.aig; &cec -y b.aig", folder, deadline - time.monotonic())
        if said is None or "Networks are equivalent" in said:
            return (None if said is None else True), None
        # That checker names no input where they differ; this one does.
        said = run_abc("miter a.aig b.aig; iprove; write_cex cex", folder, deadline - time.monotonic())
        if said is not None and "UNSATISFIABLE" in said:
            return True, None
        found = folder / "cex"
        if said is None or "SATISFIABLE" not in said or not found.exists():
            return None, None
        bits = np.array([c == "1" for c in found.read_text().strip() if c in "01"], np.bool_)
        return False, bits[: left.n_inputs]
