"""Hostile netlists, configs, results, arrays and data."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from gatewright import zoo
from gatewright.formats import export
from soak.harness import ROOT, scratch
from soak.mutator import Rng, dumps, mutate_bytes, mutate_text, mutate_tree, one, value
from soak.states import CONFIG, Content
from support.circuits import random_circuit


def _text(text: bytes | str) -> str:
    return text if isinstance(text, str) else text.decode()


@cache
def netlists(kind: str) -> list[bytes]:
    """Good netlists."""
    found = []
    for seed in range(4):
        circuit = random_circuit(seed, n_inputs=4 + seed, n_gates=12, n_outputs=3, head=False, encoder=False)
        options = {"pipeline": seed} if kind == "verilog" else {}
        found.append(export(circuit, kind, scratch() / "good", **options)[0].read_bytes())
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


def hostile_aiger(rng: Rng) -> Content:
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


def of_text(texts: Callable[[], list[bytes]], words: Sequence[str]) -> Callable[[Rng], Content]:
    """Hostile texts made of good ones."""

    def make(rng: Rng) -> Content:
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
    (
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
        "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
        "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]"
    ),
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


def hostile_override(rng: Rng) -> Content:
    """One `key=value`."""
    text = mutate_text(rng, f"{one(rng, KEYS)}={dumps(value(rng))}", YAML_WORDS, most=2)
    return text.encode("utf-8", "surrogatepass"), None


def hostile_array(rng: Rng) -> Content:
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
    order = one(rng, ("False", "True", "2"))
    text = f"{{'descr': {one(rng, descr)}, 'fortran_order': {order}, 'shape': {one(rng, shapes)}, }}"
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


def hostile_json(rng: Rng, good: Any) -> Content:
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


def hostile_idx(rng: Rng) -> Content:
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


def hostile_pickle(rng: Rng) -> Content:
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
