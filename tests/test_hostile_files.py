"""Files that are made to do harm: every loader refuses them by name, in little memory and time."""

from __future__ import annotations

import hashlib
import json
import lzma
import subprocess
import sys
import time

import pytest

from gatewright import zoo
from gatewright.circuit import Circuit, io, load_circuit
from gatewright.data.idx import parse_idx
from gatewright.engine import Engine
from gatewright.engine.bulk import predict_file
from gatewright.errors import DataError, FormatError, GatewrightError, OptionError, shown, unknown_name
from gatewright.formats.aiger import from_aiger
from gatewright.runs.result import RunResult
from gatewright.runs.results import Results
from gatewright.runtime.documents import parse_json, reading
from gatewright.runtime.yaml_text import parse_yaml
from gatewright.training import load
from gatewright.training.metrics import read_lines

SHORT = 1500
"""Characters of a message."""

DEEP = "[" * 100_000
LONG = "9" * 5000
EXPLODING = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)

HOSTILE_JSON = (
    DEEP,
    LONG,
    "1e999",
    "-1e999",
    "NaN",
    "Infinity",
    '"\\ud800"',
    '{"\\udfff": 1}',
    '{"a": 1, "a": 1}',
    "",
    "{",
    "\0",
)


@pytest.mark.parametrize("text", HOSTILE_JSON)
def test_json(text):
    with pytest.raises(FormatError, match="it"):
        parse_json(text, "it")
    with pytest.raises(FormatError, match="it"):
        parse_json('{"a": [1, ' + text + "]}", "it")


def test_good_json_is_read():
    text = '{"a": [1, -2.5e3, "\\ud83d\\ude00", true, null, ""], "b": {}}'
    assert parse_json(text, "it") == json.loads(text)
    assert parse_json("[Infinity]", "it", infinite=True) == [float("inf")]
    with pytest.raises(FormatError, match="it at byte 13 is no UTF-8"):
        parse_json(b'"abc\xff"', "it", first=9)


HOSTILE_YAML = (
    DEEP,
    "{a: " * 400,
    f"a: {LONG}",
    "a: 0x" + "f" * 5000,
    "a: " + "1:" * 2000 + "1",
    EXPLODING,
    "a: &a [*a]",
    "&a {b: *a}",
    "a: !!python/object/apply:os.system [ls]",
    "a: !!binary x",
    "a: !!timestamp 2001-99-99",
    "a: 2001-99-99",
    "a: !!int x",
    "a: !!bool x",
    "a: !!float x",
    "a: !!set {x}",
    "? [a]\n: b",
    "? {a: b}\n: c",
    'a: "\\ud800"',
    "<<: 3",
    "a: 1\na: 2",
    "x" * 100_000,
    "%YAML 9.9\n---\na",
    "\t",
)


@pytest.mark.parametrize("text", HOSTILE_YAML)
def test_yaml(tmp_path, text):
    begin = time.process_time()
    with pytest.raises(FormatError, match="it"):
        parse_yaml(text, "it")
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(GatewrightError) as caught:
        load.load_file(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < SHORT
    assert time.process_time() - begin < 4


@pytest.mark.parametrize("value", [EXPLODING, "&a [*a]", LONG, "[" * 400, "!!bool x", "x" * 5000])
def test_overrides(value):
    with pytest.raises(OptionError) as caught:
        load.load_preset("digits", [f"train.steps={value}"])
    assert len(str(caught.value)) < SHORT


def test_good_yaml_is_read():
    assert parse_yaml("a: &x [1, 1e-3, .5, yes, ~, 'b']\nc: *x\nd: {<<: {e: 1}, f: 2}\n", "it") == {
        "a": [1, 1e-3, 0.5, True, None, "b"],
        "c": [1, 1e-3, 0.5, True, None, "b"],
        "d": {"e": 1, "f": 2},
    }


def test_many_problems_make_a_short_message(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("".join(f"{'k' * 300}{i}: [{', '.join(['x'] * 50)}]\n" for i in range(100)))
    with pytest.raises(OptionError, match=r"; and \d+ more") as caught:
        load.load_file(path)
    assert len(str(caught.value)) < 10_000


def test_messages_show_little():
    assert len(shown(["x" * 10_000] * 10_000)) <= 200
    assert shown(10**10_000) == "a int"
    assert len(str(unknown_name("preset", "x" * 100_000, ["a"]))) < 300


def test_the_last_resort_keeps_apart_what_is_no_damage(tmp_path):
    for given, expected in (
        (ZeroDivisionError("x"), FormatError),
        (RecursionError(), FormatError),
        (UnicodeDecodeError("utf-8", b"", 0, 1, "x"), FormatError),
        (FormatError("x"), FormatError),
        (OptionError("x"), OptionError),
        (PermissionError(1, "x"), PermissionError),
        (MemoryError(), MemoryError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ):
        with pytest.raises(expected) as caught, reading(tmp_path / "f"):
            raise given
        if expected is FormatError:
            assert str(tmp_path / "f") in str(caught.value)


def circuit_with(path, change, circuit=None):
    io.save_circuit(circuit or zoo.load_circuit("monks-1"), path)
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    about = json.loads(header["__metadata__"]["gatewright"])
    change(about["circuit"])
    about["sha256"]["circuit"] = hashlib.sha256(json.dumps(about["circuit"], sort_keys=True).encode()).hexdigest()
    header["__metadata__"]["gatewright"] = json.dumps(about, sort_keys=True)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])


def of_one_type(circuit):
    """The encoder of a circuit's header, without what its features say of themselves."""
    circuit["encoder"].pop("types")
    return circuit["encoder"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["head"].update(places=[2**62, 2**62]), "head"),
        (lambda c: c["head"].update(places=[2**32, 2**32]), "head"),
        (lambda c: c["head"].update(places=[0]), "positive sizes"),
        (lambda c: of_one_type(c).update(shape=[2**62, 2**62]), "encoder.shape has more than"),
        (lambda c: of_one_type(c).update(shape=[2**31]), "encoder.shape has more than"),
        (lambda c: of_one_type(c).update(shape=[2**27], feature_names=[]), "claims 1073741824 inputs"),
        (lambda c: c["encoder"].update(dtype="x" * 100_000), "encoder.dtype is"),
        (lambda c: c.update(n_inputs=10**4000), r"number of 4001 digits"),
        (lambda c: c.update(n_inputs=10**900), "circuit|nodes"),
        (lambda c: c["metadata"].update(x="\ud800"), "half a character"),
    ],
)
def test_circuits(tmp_path, change, message):
    path = tmp_path / "c.gw"
    circuit_with(path, change)
    with pytest.raises(FormatError, match=message) as caught:
        load_circuit(path)
    assert "c.gw" in str(caught.value)
    assert len(str(caught.value)) < SHORT


def test_inputs_that_a_number_alone_claims(tmp_path):
    path = tmp_path / "c.gw"
    circuit_with(path, lambda c: c.update(n_inputs=2**30), Circuit(2, [6], [0], [1], [2]))
    with pytest.raises(FormatError, match=r"c\.gw: it claims 1073741824 inputs for 2 gates, outputs and comparisons"):
        load_circuit(path)


@pytest.mark.parametrize(
    "header",
    [
        b"aig 1073741823 1073741823 0 1 0\n0\n",
        b"aig 1073741822 1073741822 0 0 0\n",
        b"aig " + b"9" * 5000 + b" 1 0 1 0\n0\n",
        b"aig 1 1 0 1 0\n" + b"1" * 5000 + b"\n",
        b"aig 1 1 0 1 0\n2\ni" + b"0" * 5000 + b" x\n",
    ],
)
def test_aiger(tmp_path, header):
    path = tmp_path / "x.aig"
    path.write_bytes(header)
    with pytest.raises(FormatError, match=r"x\.aig") as caught:
        from_aiger(path)
    assert len(str(caught.value)) < SHORT


BOMB = """
import resource, sys
from gatewright.circuit import load_circuit
from gatewright.errors import FormatError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load_circuit(sys.argv[1])
except FormatError as error:
    print(error)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_xz_bombs_take_little_memory(tmp_path):
    path = tmp_path / "bomb.gw.xz"
    packer = lzma.LZMACompressor(preset=0)
    path.write_bytes(b"".join(packer.compress(bytes(1 << 26)) for _ in range(4)) + packer.flush())
    done = subprocess.run([sys.executable, "-c", BOMB, path], capture_output=True, text=True, check=True)
    message, megabytes = done.stdout.splitlines()
    assert "unpacks to more than" in message
    assert int(megabytes) < 400
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    path.write_bytes(lzma.compress(b"x", filters=filters))
    with pytest.raises(FormatError, match="cannot be unpacked"):
        load_circuit(path)


def npy(text, *, content=b"\1" * 51):
    head = text.encode("utf-8", "surrogatepass")
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + content


@pytest.mark.parametrize(
    "raw",
    [
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 17), }"),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9223372036854775807, 17), }"),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 17), }"),
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3, 17.0), }"),
        npy("{'descr': '|u1', 'fortran_order': 2, 'shape': (3, 17), }"),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (3, 17), }"),
        npy("{'descr': 1, 'fortran_order': False, 'shape': None, }"),
        npy("(" * 3000),
        npy("-" * 3000 + "1"),
        npy("{" * 300),
        npy("9" * 5000),
        npy("'\\N{'"),
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04",
    ],
)
def test_npy(tmp_path, raw):
    path = tmp_path / "x.npy"
    path.write_bytes(raw)
    with pytest.raises(FormatError, match=r"x\.npy") as caught:
        predict_file(Engine(zoo.load_circuit("monks-1"), threads=1), path, tmp_path / "y.npy")
    assert len(str(caught.value)) < SHORT


def test_idx():
    sizes = b"\xff\xff\xff\xff" * 3
    with pytest.raises(DataError, match="asks for"):
        parse_idx(b"\0\0\x08\x03" + sizes, "x")
    with pytest.raises(DataError, match="x has"):
        parse_idx(b"\0\0\x08\x40" + b"\0\0\0\1" * 64 + b"1", "x")
    with pytest.raises(DataError, match="x has"):
        parse_idx(b"\0\0\x08\x04" + b"\0\1\0\0" * 4, "x")  # whose product is 0 in 64 bits
    with pytest.raises(DataError, match="x has"):
        parse_idx(b"\0\0\x08\x03" + b"\xff\xff\xff\xff" * 2 + bytes(4), "x")


WRONG = ("[]", "{}", '{"entries": {}}', '{"entries": [[]]}', '{"steps": 1}', "\xff")


@pytest.mark.parametrize("text", [*HOSTILE_JSON, *WRONG])
def test_cards_and_results(tmp_path, text):
    raw = text.encode("latin-1")
    for name in ("x.json", "result.json"):
        (tmp_path / name).write_bytes(raw)
    for read in (
        lambda: zoo.card("x", tmp_path),
        lambda: RunResult.load(tmp_path),
        lambda: Results(tmp_path / "x.json").rows(),
    ):
        with pytest.raises(FormatError, match="json") as caught:
            read()
        assert len(str(caught.value)) < SHORT


def test_metrics(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "lo')
    assert read_lines(path) == [{"step": 1}]
    path.write_text('{"step": 1}\n{"step": 2}')
    assert read_lines(path) == [{"step": 1}, {"step": 2}]
    # What follows a damaged line is not dropped without a word.
    for line in ("{", DEEP, "[]", '{"step": "1"}', "{}"):
        path.write_text('{"step": 1}\n' + line + '\n{"step": 3}\n')
        with pytest.raises(FormatError, match=r"metrics\.jsonl, line 2"):
            read_lines(path)


def test_names_that_no_file_has(tmp_path):
    for read in (load_circuit, from_aiger, load.load_file):
        with pytest.raises((GatewrightError, OSError)):
            read(tmp_path / ("n" * 300))
