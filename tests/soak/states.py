"""Hostile circuits, models and checkpoints: safetensors files with other trees and arrays, their checksums right again."""

from __future__ import annotations

import hashlib
import json
import lzma
import struct
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from gatewright.circuit import io
from gatewright.runs.run import train
from soak.harness import ROOT, scratch
from soak.mutator import Rng, dumps, mutate_bytes, mutate_tree, one
from support.circuits import random_circuit

Content = tuple[bytes, bytes | None]
"""A hostile file, and what it must be read as if it is read at all (None: anything)."""

_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "BF16": "bfloat16",
    "F32": "float32",
    "F64": "float64",
}


def _unframed(raw: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def _framed(header: Any, data: bytes) -> bytes:
    text = dumps(header).encode("utf-8", "surrogatepass")
    return len(text).to_bytes(8, "little") + text + data


def _mutated_arrays(rng: Rng, header: dict[str, Any], data: bytes) -> bytes:
    """Numbers in the arrays replaced by hostile ones."""
    out = bytearray(data)
    arrays = [entry for name, entry in header.items() if name != "__metadata__" and entry["data_offsets"][1] > 0]
    for _ in range(int(rng.integers(1, 4))):
        entry = one(rng, arrays)
        start, end = entry["data_offsets"]
        width = {"U8": 1, "I8": 1, "BOOL": 1, "I16": 2, "I32": 4, "F32": 4}.get(entry["dtype"], 8)
        if end - start < width:
            continue
        at = start + int(rng.integers((end - start) // width)) * width
        whole = int(one(rng, (-1, 0, 1, 15, 16, 100, 1 << 20, 2**31 - 1, -(2**31), 2**40, -(2**63)))) % 256**width
        number = float(one(rng, (np.nan, np.inf, -np.inf, 1e30, 1e300, -0.5, 2.0**63)))
        with np.errstate(over="ignore"):
            real = np.float32(number).tobytes() if width == 4 else struct.pack("<d", number)
        out[at : at + width] = real if entry["dtype"].startswith("F") else whole.to_bytes(width, "little")
    return bytes(out)


def _rehash_circuit(header: dict[str, Any], inner: Any, data: bytes) -> None:
    """Checksums of a circuit file as docs of `circuit.io` state them, wherever the content still has the form for it."""
    try:
        for name, entry in header.items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                about = f"{_DTYPES[entry['dtype']]} {tuple(entry['shape'])} ".encode()
                inner["sha256"][name] = hashlib.sha256(about + data[start:end]).hexdigest()
        text = dumps(inner["circuit"], sort_keys=True)
        inner["sha256"]["circuit"] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    except (KeyError, TypeError, ValueError, AttributeError):
        pass


def hostile_circuit(rng: Rng) -> Content:
    """A `.gw` file with another tree, array or frame, mostly with right checksums."""
    raw = one(rng, circuit_files())
    if rng.random() < 0.25:
        return mutate_bytes(rng, raw), raw
    header, data = _unframed(raw)
    inner = json.loads(header["__metadata__"]["gatewright"])
    how = rng.random()
    if how < 0.5:
        inner["circuit"] = mutate_tree(rng, inner["circuit"])
    elif how < 0.6:
        inner = mutate_tree(rng, inner)
    elif how < 0.9:
        data = _mutated_arrays(rng, header, data)
    _rehash_circuit(header, inner, data)
    header["__metadata__"]["gatewright"] = dumps(inner, sort_keys=True)
    return _framed(header if how < 0.9 else mutate_tree(rng, header), data), None


def hostile_xz(rng: Rng) -> Content:
    """A packed circuit: damaged inside, damaged outside, or a bomb."""
    how = rng.random()
    if how < 0.002:
        return bomb(), None
    if how < 0.6:
        content, original = hostile_circuit(rng)
        return lzma.compress(content, preset=0), original
    original = one(rng, circuit_files())
    return mutate_bytes(rng, lzma.compress(original, preset=0)), original


@cache
def bomb() -> bytes:
    """A few hundred kilobytes of xz that unpack to a gigabyte."""
    packer = lzma.LZMACompressor(preset=0)
    parts = [packer.compress(b"\0" * (1 << 26)) for _ in range(16)]
    return b"".join(parts) + packer.flush()


def hostile_state(rng: Rng, kind: str) -> Content:
    """A state file with another tree, tensor or frame, mostly with right checksums."""
    raw = one(rng, state_files()[kind])
    if rng.random() < 0.3:  # files of version 0.1 have no checksum of their header
        return mutate_bytes(rng, raw), raw if raw is state_files()[kind][0] else None
    header, data = _unframed(raw)
    about = header["__metadata__"]
    how = rng.random()
    if how < 0.6:
        about["state"] = dumps(mutate_tree(rng, json.loads(about["state"])))
    elif how < 0.9:
        data = _mutated_arrays(rng, header, data)
    sums = json.loads(about["checksums"])
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    for name, entry in tensors.items():
        start, end = entry["data_offsets"]
        sums[name] = zlib.crc32(data[start:end]) if end > start else 0
    about["checksums"] = dumps(sums if how < 0.95 else mutate_tree(rng, sums))
    if "sha256" in about:
        forms = {name: [_DTYPES[entry["dtype"]], entry["shape"]] for name, entry in tensors.items()}
        text = json.dumps([[about[key] for key in ("kind", "state", "checksums")], forms], sort_keys=True)
        about["sha256"] = hashlib.sha256(text.encode()).hexdigest()
    return _framed(header if how < 0.9 else mutate_tree(rng, header), data), None


@cache
def circuit_files() -> list[bytes]:
    """Good circuits: with and without encoder, head, names and places."""
    plain = {"n_inputs": 6, "n_gates": 20, "n_outputs": 6}
    circuits = [random_circuit(seed, **plain, dtype=dtype) for seed, dtype in enumerate(("uint8", "float32", "int32"))]
    circuits += [random_circuit(7, **plain, head=False), random_circuit(8, **plain, encoder=False, classes=3)]
    named = random_circuit(9, **plain, classes=2)
    head, encoder = replace(named.head, class_names=("a", "b")), replace(named.encoder, feature_names=("x", "y", "z"))
    circuits.append(named.replace(head=head, encoder=encoder))
    placed = random_circuit(10, **plain, classes=4)
    circuits.append(placed.replace(head=replace(placed.head, places=(2, 1))))
    files = []
    for circuit in circuits:
        io.save_circuit(circuit, scratch() / "good.gw")
        files.append((scratch() / "good.gw").read_bytes())
    return files


CONFIG = """
data: {name: digits, encoder: {thresholds: 1, low: 0, high: 16}}
model: {relaxation: hard, candidates: 2, layers: [{type: flatten}, {type: dense, width: 30, repeat: 2}]}
connections: {kind: guided, every: 2, trials: 1}
train: {steps: 6, batch: 16, eval_every: 3, checkpoint_every: 2, log_every: 3, seed: 5, threads: 1}
"""


@cache
def run_folders() -> tuple[Path, Path]:
    """Folders of a finished run and of one stopped in the middle, by this version."""
    (scratch() / "tiny.yaml").write_text(CONFIG)
    finished, stopped = scratch() / "finished", scratch() / "stopped"
    train(scratch() / "tiny.yaml", out=finished)
    steps: list[int] = []
    train(scratch() / "tiny.yaml", out=stopped, watch=lambda step, _: steps.append(step), stop=lambda: len(steps) > 3)
    return finished, stopped


@cache
def state_files() -> dict[str, list[bytes]]:
    """Good model files and checkpoints, of this version and of 0.1."""
    finished, stopped = run_folders()
    old = ROOT / "tests" / "data_files"
    models = [finished / "model.safetensors", old / "run-0.1-finished" / "model.safetensors"]
    return {
        "model": [path.read_bytes() for path in models],
        "checkpoint": [(stopped / "checkpoint.safetensors").read_bytes()],
    }
