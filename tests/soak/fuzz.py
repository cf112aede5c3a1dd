"""Hostile files for every loader: only gatewright's own errors may come out, within limits of memory and time.

Kinds: gw, gw-xz, state, model, checkpoint, aiger, aag, blif, verilog, yaml, override, npy, card, result, results, idx, cifar.

A file that was damaged, and not made hostile with its checksums recomputed, is either refused or read as it was.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import lzma
import os
import pickle
import shutil
import struct
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gatewright import zoo
from gatewright.circuit import Circuit, cost, io
from gatewright.data.cifar import parse_batch
from gatewright.data.idx import parse_idx
from gatewright.engine import Engine
from gatewright.engine.bulk import predict_file
from gatewright.errors import GatewrightError
from gatewright.formats import export
from gatewright.formats.blif import from_blif
from gatewright.runs.result import RunResult
from gatewright.runs.results import Results
from gatewright.runs.run import load_run, lower_run, train
from gatewright.training import load
from gatewright.training.checkpoint import load_state
from gatewright.verification import read as read_netlist
from soak.harness import MEMORY, Failure, doing, main, unexpected
from soak.mutator import Rng, dumps, mutate_bytes, mutate_text, mutate_tree, one, value
from support.circuits import random_circuit

ROOT = Path(__file__).parents[2]
FOLDER = Path(tempfile.mkdtemp(prefix="soak-", dir=MEMORY if MEMORY.is_dir() else None))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


@dataclass(frozen=True)
class Loader:
    """A loader and what it is given.

    Attributes:
        make: Hostile content, and the content that it must be read as if it is read at all (None: any).
        read: Reads the file; what it returns is compared.
        file: The file's name.
        share: How often, relative to the others; slow loaders get less.
    """

    make: Callable[[Rng], tuple[bytes, bytes | None]]
    read: Callable[[Path], Any]
    file: str
    share: float = 1.0


# --- safetensors: circuits and states


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
    names = {"U8": "uint8", "I32": "int32", "I64": "int64", "F64": "float64"}
    try:
        for name, entry in header.items():
            if name != "__metadata__":
                start, end = entry["data_offsets"]
                about = f"{names[entry['dtype']]} {tuple(entry['shape'])} ".encode()
                inner["sha256"][name] = hashlib.sha256(about + data[start:end]).hexdigest()
        text = dumps(inner["circuit"], sort_keys=True)
        inner["sha256"]["circuit"] = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    except (KeyError, TypeError, ValueError, AttributeError):
        pass


def hostile_circuit(rng: Rng) -> tuple[bytes, bytes | None]:
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


def hostile_xz(rng: Rng) -> tuple[bytes, bytes | None]:
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


def hostile_state(rng: Rng, kind: str) -> tuple[bytes, bytes | None]:
    """A state file with another tree, tensor or frame, mostly with right checksums."""
    raw = one(rng, state_files()[kind])
    if rng.random() < 0.3:
        return mutate_bytes(rng, raw), raw
    header, data = _unframed(raw)
    about = header["__metadata__"]
    how = rng.random()
    if how < 0.6:
        about["state"] = dumps(mutate_tree(rng, json.loads(about["state"])))
    elif how < 0.9:
        data = _mutated_arrays(rng, header, data)
    sums = json.loads(about["checksums"])
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            sums[name] = zlib.crc32(data[start:end]) if end > start else 0
    about["checksums"] = dumps(sums if how < 0.95 else mutate_tree(rng, sums))
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
        io.save_circuit(circuit, FOLDER / "good.gw")
        files.append((FOLDER / "good.gw").read_bytes())
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
    (FOLDER / "tiny.yaml").write_text(CONFIG)
    finished, stopped = FOLDER / "finished", FOLDER / "stopped"
    train(FOLDER / "tiny.yaml", out=finished)
    steps: list[int] = []
    train(FOLDER / "tiny.yaml", out=stopped, watch=lambda step, _: steps.append(step), stop=lambda: len(steps) > 3)
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


def read_circuit(path: Path) -> Circuit:
    """A circuit, and what `gatewright info` computes of it."""
    circuit = io.load_circuit(path)
    cost(circuit)
    return circuit


def read_run(path: Path) -> Circuit:
    """The circuit of a run whose model file was replaced; its network must run, too."""
    run = load_run(path.parent)
    shape = run.model[0].shape
    run.model(torch.zeros(1, *shape, dtype=getattr(torch, run.model[0].dtype)))
    return lower_run(run)


def resume(path: Path) -> None:
    """A training that resumes from a checkpoint that was replaced, for one step."""
    folder = path.parent
    good = {file.name: file.read_bytes() for file in run_folders()[1].iterdir()}
    for file in folder.iterdir():
        if file != path:
            file.unlink()
    for name, content in good.items():
        if name != path.name:
            (folder / name).write_bytes(content)
    train(folder / "config.yaml", out=folder, resume=True, stop=lambda: True)


# --- netlists


def _text(text: bytes | str) -> str:
    return text if isinstance(text, str) else text.decode()


@cache
def netlists(kind: str) -> list[bytes]:
    """Good netlists."""
    found = []
    for seed in range(4):
        circuit = random_circuit(seed, n_inputs=4 + seed, n_gates=12, n_outputs=3, head=False, encoder=False)
        options = {"pipeline": seed} if kind == "verilog" else {}
        found.append(export(circuit, kind, FOLDER / "good", **options)[0].read_bytes())
    return found


BLIF_WORDS = (
    *(".names a b", ".names", ".inputs a", ".outputs y", ".outputs", ".model", ".model other", ".end", ".latch a b 0"),
    *(".latch a b re c 3", ".subckt other a=b", ".gate and2 A=a B=b O=c", ".mlatch x", ".exdc", ".wire_load_slope 0.1"),
    *(".default_input_arrival 0 0", ".area 3", ".clock c", ".attr a b", ".param x 1", ".cname x", ".conn a b", "\\"),
    *("11 1", "-- 1", "1- 0", "01", "1", "0", "2 2", ".names y y\n1 1", ".names a b\n1 1\n.names b a\n1 1", "bits[0]"),
    ".names " + " ".join(f"bits[{i % 4}]" for i in range(3000)) + " wide\n" + "1" * 3000 + " 1",
)
VERILOG_WORDS = (
    *("always @* if (bits[0]) y = bits[1];", "assign", "wire", "reg", "1'bx", "1'bz", "initial", "posedge", "negedge"),
    *("clk", "input", "output", "inout", "module", "endmodule", '`include "/dev/zero"', "`define x x", "`x", "$finish"),
    *(
        "function",
        "generate for (genvar i=0;i<99999999;i=i+1) begin end endgenerate",
        "8'hff",
        "parameter",
        "4294967296",
    ),
    *("/*", "*/", "//", "(*", "*)", "case", "x[1000000000:0]", "**", "/", "{1000000{1'b1}}", "<<<", "?", "===", "tri"),
)
AAG = """aag 7 2 0 2 3
2
4
6
12
6 13 15
12 2 4
14 3 5
i0 x
i1 y
o0 s
o1 c
c
half adder
"""
AAG_WORDS = ("aag 1 1 0 1 0", "aig", "l0 q", "i9 x", "o0", "c", "0", "1", "-1", "2 2 2", "1073741823", "4294967296")


def hostile_aiger(rng: Rng) -> tuple[bytes, bytes | None]:
    """Binary AIGER with another header, other literals, differences or symbols."""
    raw = one(rng, netlists("aiger"))
    if rng.random() < 0.5:
        return mutate_bytes(rng, raw), None
    head, rest = raw.split(b"\n", 1)
    words = head.split(b" ")
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(words)))
        words[at] = one(rng, (b"0", b"1", b"2", b"7", b"1073741822", b"1073741823", b"4294967296", b"-1", b"9" * 5000))
    if rng.random() < 0.3:  # M is I + A again, so that the numbers are believed
        numbers = [int(word) if word.isdigit() and len(word) < 30 else 0 for word in words]
        words[1] = str(numbers[2] + numbers[5]).encode() if len(numbers) > 5 else words[1]
    return b" ".join(words) + b"\n" + (rest if rng.random() < 0.7 else mutate_bytes(rng, rest)), None


def of_text(texts: Callable[[], list[bytes]], words: Sequence[str]) -> Callable[[Rng], tuple[bytes, bytes | None]]:
    """Hostile texts made of good ones."""

    def make(rng: Rng) -> tuple[bytes, bytes | None]:
        text = one(rng, texts())
        if rng.random() < 0.1:
            return mutate_bytes(rng, text), None
        return mutate_text(rng, _text(text), words).encode("utf-8", "surrogatepass"), None

    return make


# --- configs, figures, data


@cache
def configs() -> list[bytes]:
    """Good configs: the smallest, and one that says everything."""
    return [
        CONFIG.encode(),
        b"extends: digits\n",
        (ROOT / "tests/data_files/run-0.1-finished/config.yaml").read_bytes(),
    ]


YAML_WORDS = (
    *("extends: digits", "extends: [a]", "extends: ../x", "!!python/object:os.system {}", "!!binary aGk=", "!!set {a}"),
    *(
        "&a [*a]",
        "*a",
        "<<: *b",
        "? [a]",
        "? {a: b}\n: c",
        "- - - a",
        "[" * 400,
        "{a: " * 400,
        "2001-01-01",
        "0x" + "f" * 4000,
    ),
    *(
        "1e400",
        ".nan",
        ".inf",
        "-.inf",
        "0o17",
        "1_000",
        "1:30",
        "~",
        "yes",
        "'",
        "|",
        ">",
        "%YAML 9.9",
        "---",
        "...",
        "\t",
    ),
    "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
    "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
    "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]",
    "a: &a {k: [1,2,3,4,5,6,7,8]}\ndata: {name: [*a,*a,*a,*a]}",
)
KEYS = (
    "train.steps",
    "train.seed",
    "data.name",
    "model.layers",
    "model.head",
    "optimizer.lr",
    "train",
    "x.y",
    "circuit.prune",
)


def hostile_override(rng: Rng) -> tuple[bytes, bytes | None]:
    """One `key=value`."""
    text = mutate_text(rng, f"{one(rng, KEYS)}={dumps(value(rng))}", YAML_WORDS, most=2)
    return text.encode("utf-8", "surrogatepass"), None


def hostile_array(rng: Rng) -> tuple[bytes, bytes | None]:
    """A `.npy` file with another header."""
    shapes = (
        "(3, 17)",
        "(0, 17)",
        "(1, 17)",
        "(1000000000000, 17)",
        "(-1, 17)",
        "()",
        "(17,)",
        "(3, 17.0)",
        "(3, [], 17)",
    )
    shapes += (
        "(9223372036854775807, 17)",
        "(4611686018427387904, 4)",
        "(3, 17, 0)",
        "'ab'",
        "None",
        "(True, 17)",
        "(1,) * 99",
    )
    descr = (
        "'|u1'",
        "'<f8'",
        "'>i4'",
        "'|O'",
        "'<U5'",
        "'|V17'",
        "'<M8[s]'",
        "[('a', '<i4')]",
        "'|b1'",
        "'<c16'",
        "'x'",
        "1",
    )
    text = f"{{'descr': {one(rng, descr)}, 'fortran_order': {one(rng, ('False', 'True', '2'))}, 'shape': {one(rng, shapes)}, }}"
    if rng.random() < 0.3:
        text = mutate_text(
            rng, text, ("'shape': ()", "{" * 300, "9" * 5000, "-" * 3000 + "1", "\\N{", "(" * 300), most=2
        )
    head = text.encode("utf-8", "surrogatepass")
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    version = one(rng, (b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x04\x00"))
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(head) % 65536)
    raw = b"\x93NUMPY" + version + length + head + b"\1" * int(one(rng, (51, 0, 17, 408, 50)))
    return (mutate_bytes(rng, raw) if rng.random() < 0.3 else raw), None


def hostile_json(rng: Rng, good: Any) -> tuple[bytes, bytes | None]:
    """A JSON file with another tree."""
    text = dumps(mutate_tree(rng, json.loads(json.dumps(good))))
    raw = text.encode("utf-8", "surrogatepass")
    return (mutate_bytes(rng, raw) if rng.random() < 0.2 else raw), None


@cache
def figures() -> dict[str, Any]:
    """Good cards, results of runs, and results of sweeps."""
    card = json.loads((zoo.zoo_folder() / "monks-1.json").read_text())
    result = json.loads((ROOT / "tests/data_files/run-0.1-finished/result.json").read_text())
    return {"card": card, "result": result, "results": {"entries": [card["measured"]] * 2, "rows": []}}


def hostile_idx(rng: Rng) -> tuple[bytes, bytes | None]:
    """An idx file with another header."""
    rank = int(one(rng, (1, 2, 3, 0, 70, 255)))
    sizes = [int(one(rng, (0, 1, 2, 5, 2**16, 2**31, 2**32 - 1))) for _ in range(rank)]
    raw = bytes((0, 0, 8, rank)) + struct.pack(f">{rank}I", *sizes) + bytes(int(one(rng, (0, 1, 10, 20))))
    return (mutate_bytes(rng, raw) if rng.random() < 0.5 else raw), None


@cache
def pickles() -> list[bytes]:
    """Batches as CIFAR-10 has them, in some protocols."""
    batch = {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 2], b"batch_label": b"x"}
    return [pickle.dumps(batch, protocol=protocol) for protocol in (0, 2, 4)]


def hostile_pickle(rng: Rng) -> tuple[bytes, bytes | None]:
    """A pickle with other opcodes."""
    bombs = (
        b"\x80\x04\x96" + struct.pack("<Q", 2**40),
        b"]" * 100_000 + b"a" * 99_999 + b".",
        b"cposix\nsystem\n(S'x'\ntR.",
    )
    bombs += (
        b"\x80\x04]\x94" + b"(h\x00h\x00h\x00e\x94" * 40 + b".",
        b"B\xff\xff\xff\x7f",
        b"r\xff\xff\xff\x7f",
        b"L" + b"9" * 5000 + b"L\n.",
    )
    bombs += (b"\x80\x02K\x01r\xff\xff\xff\x3f.", b"\x80\x04\x8d" + struct.pack("<Q", 2**62))
    if rng.random() < 0.1:
        return mutate_bytes(rng, one(rng, bombs), most=1), None
    return mutate_bytes(rng, one(rng, pickles())), None


@cache
def engine() -> Engine:
    """What classifies the samples of `.npy` files: 17 features of bytes."""
    return Engine(zoo.load_circuit("monks-1"), threads=1)


def read_text(path: Path) -> str:
    """The text of a file, undecodable bytes as surrogates, which a command line may contain."""
    return path.read_bytes().decode("utf-8", "surrogateescape")


LOADERS: dict[str, Loader] = {
    "gw": Loader(hostile_circuit, read_circuit, "x.gw", 4),
    "gw-xz": Loader(hostile_xz, read_circuit, "x.gw.xz", 1),
    "state": Loader(
        lambda rng: hostile_state(rng, "model"), lambda path: load_state(path, "model"), "x.safetensors", 3
    ),
    "model": Loader(lambda rng: hostile_state(rng, "model"), read_run, "model.safetensors", 0.4),
    "checkpoint": Loader(lambda rng: hostile_state(rng, "checkpoint"), resume, "checkpoint.safetensors", 0.05),
    "aiger": Loader(hostile_aiger, read_netlist, "x.aig", 4),
    "aag": Loader(of_text(lambda: [AAG.encode()], AAG_WORDS), read_netlist, "x.aag", 2),
    "blif": Loader(of_text(lambda: netlists("blif"), BLIF_WORDS), read_netlist, "x.blif", 3),
    "blif-registers": Loader(
        of_text(lambda: netlists("blif"), BLIF_WORDS), lambda path: from_blif(path, registers=True), "x.blif", 2
    ),
    "verilog": Loader(of_text(lambda: netlists("verilog"), VERILOG_WORDS), read_netlist, "x.v", 0.01),
    "yaml": Loader(of_text(configs, YAML_WORDS), load.load_file, "x.yaml", 0.5),
    "override": Loader(hostile_override, lambda path: load.load_preset("digits", [read_text(path)]), "x.txt", 0.5),
    "npy": Loader(hostile_array, lambda path: predict_file(engine(), path, FOLDER / "out.npy"), "x.npy", 1),
    "card": Loader(
        lambda rng: hostile_json(rng, figures()["card"]), lambda path: zoo.card("x", path.parent), "x.json", 2
    ),
    "result": Loader(
        lambda rng: hostile_json(rng, figures()["result"]), lambda path: RunResult.load(path.parent), "result.json", 2
    ),
    "results": Loader(
        lambda rng: hostile_json(rng, figures()["results"]), lambda path: Results(path).rows(), "x.json", 2
    ),
    "idx": Loader(hostile_idx, lambda path: parse_idx(path.read_bytes(), "x"), "x.idx", 3),
    "cifar": Loader(hostile_pickle, lambda path: parse_batch(path.read_bytes(), "x"), "x.pickle", 3),
}


def _same(one: Any, two: Any) -> bool:
    if type(one) is not type(two):
        return False
    if isinstance(one, Circuit):
        return one.same_as(two)
    if isinstance(one, torch.Tensor):
        return one.dtype == two.dtype and torch.equal(one, two)
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(_same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(_same, one, two))
    return one == two


def case(rng: Rng, only: Sequence[str]) -> str:
    """One hostile file for one loader."""
    names = [name for name in LOADERS if not only or name in only]
    shares = np.array([LOADERS[name].share for name in names])
    name = str(rng.choice(names, p=shares / shares.sum()))
    loader = LOADERS[name]
    content, original = loader.make(rng)
    folder = FOLDER / name
    folder.mkdir(exist_ok=True)
    path = folder / loader.file
    path.write_bytes(content)
    doing(name)
    try:
        with warnings.catch_warnings(action="error", category=RuntimeWarning):
            got = loader.read(path)
    except GatewrightError as error:
        if len(str(error)) > 2000:
            raise Failure(f"{name}: a message of over 2,000 characters", str(error)[:80]) from error
        return f"{name} refused"
    except OSError as error:
        if error.filename is None:
            raise unexpected(name, error) from error
        return f"{name} refused"
    except (Exception, RecursionError) as error:
        raise unexpected(name, error) from error
    if original is not None:
        path.write_bytes(original)
        if not _same(got, loader.read(path)):
            raise Failure(f"{name}: a damaged file was read as something else")
    return f"{name} read"


def warm(only: Sequence[str]) -> None:
    """Let each loader read a good file once, so that no case pays for imports and compilation."""
    rng = np.random.default_rng(0)
    torch.set_num_threads(1)
    if not only or "gw-xz" in only:
        bomb()
    for name in LOADERS:
        if not only or name in only:
            for _ in range(3):
                try:
                    case(rng, [name])
                except Failure:
                    continue


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    words = sys.argv[sys.argv.index("--only") + 1 :] if "--only" in sys.argv else []
    warm(words)
    sys.exit(main("fuzz", case, limits=True))
