"""Are two files the same network? Runs, circuits, AIGER, BLIF and Verilog, brought to one interface and proven."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gatewright.circuit import io
from gatewright.circuit.arithmetic import index_bits
from gatewright.circuit.builder import Builder
from gatewright.circuit.circuit import Circuit, Encoder
from gatewright.circuit.evaluate import encode, evaluate
from gatewright.circuit.proof.prove import Proof, prove, sample_of_raw
from gatewright.circuit.simplify import simplify
from gatewright.errors import ShapeError, VerificationError, unknown_name
from gatewright.features import FEATURE_BITS, feature_range
from gatewright.formats.aiger import from_aiger
from gatewright.formats.blif import from_blif
from gatewright.formats.gate_level import Whole, make_whole
from gatewright.formats.verilog.reader import from_verilog

NETLISTS = {".aig": from_aiger, ".blif": from_blif, ".v": from_verilog}
"""Readers of gates without encoder and head, by the suffix of the file."""

_SAMPLES = 1024
_BIT = re.compile(r"\\?(\w+)(?:\[(\d+)\])?\Z")


def read(path: str | Path) -> Circuit:
    """The circuit in a file or folder.

    Args:
        path: A run's folder, or a file with the suffix `.gw`, `.aig`, `.blif` or `.v`. What the last three call
            their ports is in the metadata.

    Raises:
        OptionError: The suffix is none of these.
        GatewrightError: What the reader of the format says.
    """
    path = Path(path)
    if path.is_dir():
        from gatewright.runs.run import load_run, lower_run  # noqa: PLC0415 - torch is needed for runs alone

        return lower_run(load_run(path))
    if path.suffix in NETLISTS:
        return NETLISTS[path.suffix](path)
    if path.suffix != ".gw":
        raise unknown_name("kind of file", path.suffix or path.name, [".gw", *NETLISTS])
    return io.load(path)


def verify(one: str | Path, two: str | Path, *, timeout: float = 600.0) -> Proof:
    """Prove that two files hold the same network, or find an input on which they differ.

    A netlist (AIGER, BLIF, Verilog) knows only gates. Against a run or circuit, its ports tell how much of that it
    contains: `bits` in or the bits of raw `features`, `outputs` out or `class_index`, perhaps with `scores`; without such
    names, their numbers tell. Two netlists are compared port by port, by name where both have the same names, else in
    order.

    Where a netlist contains encoder or head, the question is cut at the gates' outputs, as flat adders over other gates
    are hard to compare: the circuit is proven equal to its simplification, and the netlist to that with the same adders,
    comparisons and comparators that exports write. Those, which are the meaning of encoder and head
    in gates, are held against the reference evaluation on random samples.

    Args:
        one: See `read`.
        two: See `read`.
        timeout: Seconds for the proof.

    Raises:
        ShapeError: The interfaces do not fit.
        GatewrightError: What `read` and `prove` raise.
    """
    paths = Path(one), Path(two)
    a, b = (read(path) for path in paths)
    is_netlist = [path.suffix in NETLISTS and not path.is_dir() for path in paths]
    if all(is_netlist):
        return prove(a, _in_order_of(a, b), timeout=timeout)
    if not any(is_netlist):
        return prove(a, b, timeout=timeout)
    netlist, circuit = (a, b) if is_netlist[0] else (b, a)
    wanted, got, encoder, small = _aligned(circuit, netlist, str(paths[0] if is_netlist[0] else paths[1]))
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
    table: Mapping[str, str] = {}
    for key, text in circuit.metadata.items():
        if key.endswith(f".{kind}"):
            table = json.loads(text)
    return [table[str(i)] for i in range(count)] if len(table) == count else []


def _bits(names: Sequence[str]) -> dict[tuple[str, int], int]:
    """Position of each bit of a port: names like `bits[3]`; a port of one bit may lack its index."""
    found = [_BIT.match(name) for name in names]
    return {(match[1], int(match[2] or 0)): i for i, match in enumerate(found) if match}


def _in_order_of(a: Circuit, b: Circuit) -> Circuit:
    """Netlist b with the ports of netlist a."""
    order = []
    for kind in ("inputs", "outputs"):
        names, others = _names(a, kind), _names(b, kind)
        same = bool(names) and len(set(names)) == len(names) and set(names) == set(others)
        place = {name: i for i, name in enumerate(others)}
        size = b.n_inputs if kind == "inputs" else b.n_outputs
        order.append([place[name] for name in names] if same else list(range(size)))
    if len(order[0]) != a.n_inputs:
        return b  # `prove` explains
    inputs = np.empty(b.n_inputs, np.int64)
    inputs[order[0]] = np.arange(b.n_inputs)
    return _rewired(b, b.n_inputs, inputs, order[1])


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
        are the bits of raw features; what the first was made from if that is not the circuit itself.
    """
    encoder, head = circuit.encoder, circuit.head
    found, raw = _positions(netlist, circuit, source)
    ports = _bits(_names(netlist, "outputs"))
    width = index_bits(head.n_classes) if head is not None else -1
    scores = any(name == "scores" for name, _ in ports)
    classes = any(name == "class_index" for name, _ in ports) or (
        not ports and head is not None and netlist.n_outputs == width != circuit.n_outputs
    )
    if classes and head is None:
        raise ShapeError(f"{source} gives classes, but the circuit to compare it with has no head")
    if classes or raw:
        small, _ = simplify(circuit)
        whole = make_whole(small, encoder=raw, head=classes, scores=scores)
        _check(whole)
        wanted = whole.gates.replace(encoder=None if raw else encoder)
        names = [(name, j) for name, size in whole.outputs for j in range(size)]
        order = _output_order(ports, names, netlist, source)
        got = _rewired(netlist, wanted.n_inputs, found, order).replace(encoder=wanted.encoder)
        return wanted, got, encoder if raw else None, small
    like = circuit
    if netlist.n_outputs != circuit.n_outputs:
        like, _ = simplify(circuit)  # what the exported circuit was made from this one by, most likely
    if netlist.n_outputs != like.n_outputs:
        raise ShapeError(
            f"{source} has {netlist.n_outputs} outputs, expected {circuit.n_outputs} as in the circuit to compare it "
            f"with (or {like.n_outputs} as in that circuit simplified)"
        )
    order = _output_order(ports, [("outputs", j) for j in range(like.n_outputs)], netlist, source)
    got = _rewired(netlist, circuit.n_inputs, found, order)
    return circuit, got.replace(encoder=like.encoder, head=like.head), None, None


def _check(whole: Whole) -> None:
    """Hold encoder and head as gates against the reference evaluation on random samples."""
    rng, encoder = np.random.default_rng(0), whole.source.encoder
    if encoder is None:
        samples = rng.random((_SAMPLES, whole.source.n_inputs)) < 0.5
    else:
        lows, highs = np.zeros(encoder.n_features), np.zeros(encoder.n_features)
        np.minimum.at(lows, encoder.feature, encoder.threshold - 1)
        np.maximum.at(highs, encoder.feature, encoder.threshold + 1)
        values = lows + rng.random((_SAMPLES, encoder.n_features)) * (highs - lows)
        if encoder.dtype != "float32":
            values = np.clip(np.rint(values), *feature_range(encoder.dtype))
        samples = values.astype(encoder.dtype).reshape(_SAMPLES, *encoder.shape)
        samples = samples if whole.input_name == "features" else encode(whole.source, samples)
    inputs, outputs = whole.expected(samples)
    if not np.array_equal(evaluate(whole.gates, inputs), outputs):
        raise VerificationError("encoder and head as gates differ from the reference evaluation; please report this")


def _positions(netlist: Circuit, circuit: Circuit, source: str) -> tuple[np.ndarray, bool]:
    """Where each input of the netlist stands in the circuit's interface, and whether that is the bits of features."""
    encoder = circuit.encoder
    n_raw = encoder.n_features * FEATURE_BITS[encoder.dtype] if encoder is not None else -1
    ports = _bits(_names(netlist, "inputs"))
    raw = any(name == "features" for name, _ in ports) or (not ports and netlist.n_inputs == n_raw != circuit.n_inputs)
    name, size = ("features", n_raw) if raw else ("bits", circuit.n_inputs)
    if raw and encoder is None:
        raise ShapeError(f"{source} takes features, but the circuit to compare it with has no encoder")
    known = {index: at for (port, index), at in ports.items() if port == name}
    if len(known) == netlist.n_inputs and all(index < size for index in known):
        places = np.empty(netlist.n_inputs, np.int64)
        places[list(known.values())] = list(known)
        return places, raw
    if netlist.n_inputs != size:
        raise ShapeError(
            f"{source} has {netlist.n_inputs} inputs, expected {size} (its ports are not {name}[0] and so on)"
        )
    return np.arange(size), raw


def _output_order(
    ports: Mapping[tuple[str, int], int], names: Sequence[tuple[str, int]], netlist: Circuit, source: str
) -> list[int]:
    if netlist.n_outputs != len(names):
        raise ShapeError(f"{source} has {netlist.n_outputs} outputs, expected {len(names)} ({names[0][0]} and so on)")
    return [ports[name] for name in names] if all(name in ports for name in names) else list(range(len(names)))
