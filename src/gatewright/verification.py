"""Equality of circuits and netlists (AIGER, BLIF, Verilog): brought to one interface, then proven or refuted."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gatewright.circuit import io
from gatewright.circuit.adders import ADDERS
from gatewright.circuit.arithmetic import index_bits
from gatewright.circuit.builder import Builder
from gatewright.circuit.circuit import Circuit, Encoder, Head
from gatewright.circuit.evaluate import encode, evaluate
from gatewright.circuit.proof.prove import Proof, prove, sample_of_raw
from gatewright.circuit.simplify import simplify
from gatewright.errors import OptionError, ShapeError, UnsupportedError, VerificationError, unknown_name
from gatewright.formats import READERS
from gatewright.formats.gate_level import GateLevel, to_gate_level
from gatewright.formats.second_reading import confirm

_SAMPLES = 1024
_INPUTS, _OUTPUTS = frozenset({"bits", "features"}), frozenset({"outputs", "class_index", "count", "scores"})
"""What exports call ports, unless the user chose other names."""

_BIT = re.compile(r"\\?(\w+)(?:\[(\d+)\])?\Z", re.ASCII)


def read(path: str | Path) -> Circuit:
    """The circuit in a file.

    Args:
        path: A circuit file (`.gw`), or a netlist with a suffix of `gatewright.formats.READERS`: `.aig`, `.aag`, `.blif`,
            `.v`. The names of a netlist's ports are in the circuit's metadata.

    Raises:
        OptionError: The suffix is none of these, or the path is a folder.
        GatewrightError: From the reader of the format.
    """
    path = Path(path)
    if path.is_dir():
        raise OptionError(
            f"{path} is a folder, expected a file; of a run, pass gatewright.runs.run.read_circuit({path})"
        )
    if path.suffix in READERS:
        return READERS[path.suffix](path)
    if path.suffix != ".gw":
        raise unknown_name("kind of file", path.suffix or path.name, [".gw", *READERS])
    return io.load_circuit(path)


def verify(one: Circuit | str | Path, two: Circuit | str | Path, *, timeout: float = 600.0) -> Proof:
    """Prove that two circuits or files hold the same network, or find an input on which they differ.

    A netlist (AIGER, BLIF, Verilog) has gates only. Compared with a circuit, the names of its ports say how much of the
    circuit it contains: inputs `bits`, or the bits of raw `features`; outputs `outputs`, or `class_index`, optionally with
    `scores`, or `count`. Without such names (as after `export --set ports=pix,cls`), the numbers of ports decide. Two
    netlists are compared port by port: by name if both have the same names, otherwise in order.

    Flat adders over different gates are hard to compare. So if a netlist contains encoder or head, there are two proofs:
    the circuit equals its simplification, and the netlist equals that simplification with the comparators, adders and
    comparisons that exports write. Random samples check these against the reference evaluation.

    Args:
        one: A circuit, or the path of a file as for `read`.
        two: Likewise.
        timeout: Seconds for the proof.

    Returns:
        The proof: `equal` is True, False (then with a counter-example), or None if time ran out.

    Raises:
        ShapeError: The interfaces do not fit, or it is not clear which ports belong together.
        UnsupportedError: A circuit has no outputs, or a file something that is not fully understood.
        VerificationError: ABC or yosys reads other inputs, outputs or latches from a file.
        GatewrightError: From `read` and `prove`.

    >>> import tempfile
    >>> from gatewright import Circuit, export, verify
    >>> xor = Circuit(2, gate=[6], a=[0], b=[1], outputs=[2])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = export(xor, "blif", folder)
    ...     verify(xor, path).equal
    True
    """
    a, b = (given if isinstance(given, Circuit) else read(given) for given in (one, two))
    is_netlist = [not isinstance(given, Circuit) and Path(given).suffix in READERS for given in (one, two)]
    remarks = []
    for given, circuit, foreign in zip((one, two), (a, b), is_netlist, strict=True):
        if circuit.n_outputs == 0 and circuit.head is None:
            what = "a circuit" if isinstance(given, Circuit) else str(given)
            raise UnsupportedError(f"{what} has no outputs, so there is nothing to compare")
        remarks += [confirm(str(given), circuit, timeout=timeout)] if foreign else []
    remarks += _differing_names(a, b)
    proof = _prove(a, b, (str(one), str(two)), is_netlist, timeout)
    return replace(proof, detail="; ".join([proof.detail, *filter(None, remarks)]))


def in_interface_of(like: Circuit, netlist: Circuit, source: str) -> Circuit:
    """A netlist with its ports in a circuit's order, by name where they have names, and the circuit's encoder and head.

    Args:
        like: The circuit, as it was exported without encoder and head.
        netlist: What a reader of `gatewright.formats.READERS` read.
        source: What messages call it.

    Raises:
        ShapeError: The netlist has other numbers of inputs or outputs, or it is not clear which ports are which.
    """
    found, raw = _positions(netlist, like, source)
    outputs = _names(netlist, "outputs")
    if raw or any(name.startswith(("class_index", "count")) for name in outputs):
        raise ShapeError(
            f"{source} contains the encoder or the head as gates, so it cannot get those of another circuit; import it "
            "without (no --like), or export the circuit again with encoder=false and head=false"
        )
    order = _output_order(_bits(outputs), [("outputs", j) for j in range(like.n_outputs)], netlist, source)
    gates = _rewired(netlist, like.n_inputs, found, order)
    return gates.replace(encoder=like.encoder, head=like.head)


def _prove(a: Circuit, b: Circuit, sources: tuple[str, str], is_netlist: Sequence[bool], timeout: float) -> Proof:
    """The proof for circuits, some of which are netlists."""
    if all(is_netlist):
        return prove(a, _in_order_of(a, b, sources), timeout=timeout)
    if not any(is_netlist):
        return prove(a, b, timeout=timeout)
    netlist, circuit, source = (a, b, sources[0]) if is_netlist[0] else (b, a, sources[1])
    wanted, got, encoder, small = _aligned(circuit, netlist, source)
    start = time.monotonic()
    core = prove(circuit, small, timeout=timeout) if small is not None else None
    if core is not None and not core.equal:
        return core
    left = timeout - (time.monotonic() - start)
    proof = prove(*((got, wanted) if is_netlist[0] else (wanted, got)), timeout=left)
    if core is not None:
        detail = f"its gates simplified: {core.detail} ({core.method}); with encoder and head as gates: {proof.detail}"
        proof = replace(proof, seconds=time.monotonic() - start, detail=detail)
    if encoder is not None and proof.counterexample is not None:
        proof = replace(proof, sample=sample_of_raw(encoder, proof.counterexample))
    return proof


def _names(circuit: Circuit, kind: str) -> list[str]:
    """Names of the inputs or outputs of a netlist, in order; empty if not all have one."""
    count = circuit.n_inputs if kind == "inputs" else circuit.n_outputs
    tables = [json.loads(text) for key, text in circuit.metadata.items() if key.endswith(f".{kind}")]
    table = tables[-1] if tables else {}
    return [table[str(i)] for i in range(count)] if len(table) == count else []


def _differing_names(a: Circuit, b: Circuit) -> list[str]:
    """Remarks on classes and features that have other names in one circuit than in the other: they do not count as equal.

    The proof compares by position.
    """
    remarks = []
    for kind, one, two in (
        ("class", a.head and a.head.class_names, b.head and b.head.class_names),
        ("feature", a.encoder and a.encoder.feature_names, b.encoder and b.encoder.feature_names),
    ):
        differing = [i for i, (x, y) in enumerate(zip(one or (), two or (), strict=False)) if x != y]
        if differing:
            i = differing[0]
            how = "stand in another order" if sorted(one or ()) == sorted(two or ()) else "differ"
            remarks.append(
                f"BUT {kind} names {how}: {kind} {i} is {(one or ())[i]!r} in the first and {(two or ())[i]!r} in the "
                f"second ({len(differing)} such), and the comparison is by position"
            )
    return remarks


def _bits(names: Sequence[str]) -> dict[tuple[str, int], int]:
    """Position of each bit of a port: names like `bits[3]`; the index of a port of one bit is optional."""
    found = [_BIT.match(name) for name in names]
    return {(match[1], int(match[2] or 0)): i for i, match in enumerate(found) if match}


def _called(ports: Mapping[tuple[str, int], int], name: str, n_bits: int) -> Mapping[tuple[str, int], int]:
    """The ports, where there is but one, with a name of the user's, under the name that exports give it."""
    names = {port for port, _ in ports}
    if len(names) == 1 and len(ports) == n_bits and not names & (_INPUTS | _OUTPUTS):
        return {(name, index): at for (_, index), at in ports.items()}
    return ports


def _in_order_of(a: Circuit, b: Circuit, sources: tuple[str, str]) -> Circuit:
    """Netlist b with the ports of netlist a.

    Raises:
        ShapeError: The names of ports neither agree nor allow comparison in order.
    """
    order = []
    for kind, size in (("inputs", b.n_inputs), ("outputs", b.n_outputs)):
        names, others = _names(a, kind), _names(b, kind)
        same = bool(names) and len(set(names)) == len(names) and set(names) == set(others)
        place = {name: i for i, name in enumerate(others)}
        moved = [name for i, name in enumerate(names) if place.get(name, i) != i]
        if not same and moved:
            raise ShapeError(
                f"it is not clear which {kind} of {sources[0]} and {sources[1]} belong together: {moved[0]!r} stands at "
                "another place, and other names stand in one file alone; give both files the same names"
            )
        order.append([place[name] for name in names] if same else list(range(size)))
    if len(order[0]) != a.n_inputs:
        return b  # `prove` explains
    return _rewired(b, b.n_inputs, np.argsort(order[0]), order[1])


def _rewired(circuit: Circuit, n_inputs: int, inputs: np.ndarray, outputs: Sequence[int]) -> Circuit:
    """The gates with each input at another place among `n_inputs`, and these of the outputs."""
    builder = Builder(n_inputs)
    nodes = builder.include(circuit, inputs)
    return builder.build(nodes[circuit.outputs[list(outputs)]])


def _aligned(
    circuit: Circuit, netlist: Circuit, source: str
) -> tuple[Circuit, Circuit, Encoder | None, Circuit | None]:
    """What the circuit should be in the netlist's interface, and the netlist in that of a circuit.

    Returns:
        (circuit, netlist, encoder, small): both as circuits that can be proven equal; the encoder if the inputs of both
        are the bits of raw features; the simplified circuit that the first was made from, or None if it is the circuit.
    """
    encoder, head = circuit.encoder, circuit.head
    found, raw = _positions(netlist, circuit, source)
    ports = _bits(_names(netlist, "outputs"))
    said = {name for name, _ in ports} & _OUTPUTS
    width = -1 if head is None else _result_bits(head)
    scores = "scores" in said
    classes = bool(said & {"class_index", "count"}) or (
        not said and head is not None and netlist.n_outputs == width != circuit.n_outputs
    )
    if classes and head is None:
        what = "a count" if "count" in said else "classes"
        raise ShapeError(f"{source} gives {what}, but the circuit to compare it with has no head")
    if classes or raw:
        small = simplify(circuit)
        expected = _like(netlist, small, encoder=raw, head=classes, scores=scores)
        _check(expected)
        wanted = expected.gates.replace(encoder=None if raw else encoder)
        names = [(name, j) for name, size in expected.outputs for j in range(size)]
        order = _output_order(_called(ports, expected.outputs[0][0], netlist.n_outputs), names, netlist, source)
        got = _rewired(netlist, wanted.n_inputs, found, order).replace(encoder=wanted.encoder)
        return wanted, got, encoder if raw else None, small
    like = circuit
    if netlist.n_outputs != circuit.n_outputs:
        like = simplify(circuit)  # most likely the circuit that was exported
    if netlist.n_outputs != like.n_outputs:
        raise ShapeError(
            f"{source} has {netlist.n_outputs} outputs, expected {circuit.n_outputs} as in the circuit to compare it "
            f"with (or {like.n_outputs} as in that circuit simplified)"
        )
    order = _output_order(
        _called(ports, "outputs", netlist.n_outputs), [("outputs", j) for j in range(like.n_outputs)], netlist, source
    )
    got = _rewired(netlist, circuit.n_inputs, found, order)
    return circuit, got.replace(encoder=like.encoder, head=like.head), None, None


def _result_bits(head: Head) -> int:
    """Bits of the result of a head: of the class, or of the count of a head of numbers."""
    if head.number:
        return max(1, (int(head.offset[0]) + len(head.group)).bit_length())
    return index_bits(head.n_classes)


def _like(netlist: Circuit, circuit: Circuit, **parts: bool) -> GateLevel:
    """The circuit as gates, with the adders that the netlist has most likely: adders of one kind are easy to compare."""
    kinds = [to_gate_level(circuit, **parts, adders=adders) for adders in (ADDERS if parts["head"] else ["ops"])]
    return min(kinds, key=lambda kind: abs(kind.gates.n_gates - simplify(netlist).n_gates))


def _check(gate_level: GateLevel) -> None:
    """Check encoder and head as gates against the reference evaluation on random samples."""
    rng, encoder = np.random.default_rng(0), gate_level.source.encoder
    if encoder is None:
        samples = rng.random((_SAMPLES, gate_level.source.n_inputs)) < 0.5
    else:
        lows, highs = np.zeros(encoder.n_features), np.zeros(encoder.n_features)
        np.minimum.at(lows, encoder.feature, encoder.threshold - 1)
        np.maximum.at(highs, encoder.feature, encoder.threshold + 1)
        values = lows + rng.random((_SAMPLES, encoder.n_features)) * (highs - lows)
        values = np.where(encoder.is_float, values, np.clip(np.rint(values), encoder.lowest, encoder.highest))
        samples = values.astype(encoder.dtype).reshape(_SAMPLES, *encoder.shape)
        samples = samples if gate_level.raw else encode(gate_level.source, samples)
    inputs, outputs = gate_level.expected(samples)
    if not np.array_equal(evaluate(gate_level.gates, inputs), outputs):
        raise VerificationError("encoder and head as gates differ from the reference evaluation; please report this")


def _positions(netlist: Circuit, circuit: Circuit, source: str) -> tuple[np.ndarray, bool]:
    """Place of each input of the netlist in the circuit's interface, and whether this is the bits of features."""
    encoder = circuit.encoder
    n_raw = encoder.n_raw_bits if encoder is not None else -1
    ports = _bits(_names(netlist, "inputs"))
    said = {name for name, _ in ports} & _INPUTS
    raw = "features" in said or (not said and netlist.n_inputs == n_raw != circuit.n_inputs)
    name, size = ("features", n_raw) if raw else ("bits", circuit.n_inputs)
    if raw and encoder is None:
        raise ShapeError(f"{source} takes features, but the circuit to compare it with has no encoder")
    known = {index: at for (port, index), at in _called(ports, name, netlist.n_inputs).items() if port == name}
    if len(known) == netlist.n_inputs and all(index < size for index in known):
        places = np.empty(netlist.n_inputs, np.int64)
        places[list(known.values())] = list(known)
        return places, raw
    if netlist.n_inputs != size:
        raise ShapeError(
            f"{source} has {netlist.n_inputs} inputs, expected {size} (its ports are not {name}[0] and so on)"
        )
    _check_order(known, name, source)
    return np.arange(size), raw


def _check_order(known: Mapping[int, int], port: str, source: str) -> None:
    """Refuse to compare in order if names of ports say another order.

    Raises:
        ShapeError: A bit stands at another place than its name says.
    """
    moved = next((index for index, at in known.items() if index != at), None)
    if moved is not None:
        raise ShapeError(
            f"{source}: {port}[{moved}] is port {known[moved]} of its kind, and other ports are not named {port}[0] "
            "and so on: it is not clear which belong together; name all of them or none"
        )


def _output_order(
    ports: Mapping[tuple[str, int], int], names: Sequence[tuple[str, int]], netlist: Circuit, source: str
) -> list[int]:
    if netlist.n_outputs != len(names):
        raise ShapeError(f"{source} has {netlist.n_outputs} outputs, expected {len(names)} ({names[0][0]} and so on)")
    if all(name in ports for name in names):
        return [ports[name] for name in names]
    for port in dict.fromkeys(port for port, _ in names):
        places = {
            index: ports[port, index] - names.index((port, 0))
            for name, index in names
            if (name, index) in ports and name == port
        }
        _check_order(places, port, source)
    return list(range(len(names)))
