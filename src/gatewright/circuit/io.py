"""The `.gw` file: a circuit as one safetensors file.

The arrays are tensors: `gate`, `a`, `b`, `outputs`; with an encoder `encoder.feature` and `encoder.threshold`; with a head
`head.group` and `head.offset`. Everything else is one JSON text in the safetensors metadata under the key `gatewright`:
format name, version, the plain fields, and a SHA-256 of every array and of the plain fields, so that a damaged file is
refused with the part that is damaged. Any safetensors reader can open the file; nothing in it is ever executed.

A file named `.gw.xz` is the same, compressed to about a quarter.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
from collections.abc import Mapping
from io import BytesIO
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
from pydantic import Field

from gatewright.circuit.circuit import Circuit, Encoder, Head, check_inputs
from gatewright.columns import Column
from gatewright.errors import FormatError, shown
from gatewright.runtime.documents import parse_json, reading, validated
from gatewright.runtime.files import content_of, write_atomically
from gatewright.runtime.schema import Section
from gatewright.runtime.tensors import read_frame

FORMAT: Literal["gatewright circuit"] = "gatewright circuit"
VERSION = 1
_KEY = "gatewright"
_XZ = b"\xfd7zXZ\x00"
_MOST_BYTES = 1 << 30  # about 60 million gates
# A few bytes of xz can unpack to far more than any circuit of theirs: 64 MiB, or 64 times as many are enough.
_MOST_BYTES_OF_SMALL, _MOST_RATIO = 1 << 26, 64
_MOST_UNPACKING = 1 << 27  # what xz takes for its strongest preset, twice
_DTYPES = {
    "gate": "uint8",
    "a": "int32",
    "b": "int32",
    "outputs": "int32",
    "encoder.feature": "int32",
    "encoder.threshold": "float64",
    "head.group": "int32",
    "head.offset": "int64",
}


class _ColumnFields(Section):
    name: str
    kind: str
    categories: list[str] = Field([])
    missing: bool = False


class _EncoderFields(Section):
    shape: list[int]
    dtype: str
    feature_names: list[str]
    types: list[str] = Field([])  # these two are not in files of arrays that are all of one type
    columns: list[_ColumnFields] = Field([])


class _HeadFields(Section):
    tau: float
    class_names: list[str]
    # pydantic copies them; not in the file if empty, as in files before heads had places and numbers
    places: list[int] = Field([])
    number: list[float] = Field([])


class _Fields(Section):
    n_inputs: int
    encoder: _EncoderFields | None
    head: _HeadFields | None
    metadata: dict[str, str]


class _Header(Section):
    format: Literal["gatewright circuit"]
    version: int
    circuit: _Fields
    sha256: dict[str, str]


def save_circuit(circuit: Circuit, path: str | os.PathLike[str]) -> None:
    """Write a circuit to a `.gw` file, atomically: at any moment the file is the old one or the complete new one.

    The same circuit always gives the same bytes.

    Args:
        circuit: The circuit.
        path: The file to write, made with its folders. It is compressed if the name ends with `.xz`.

    Raises:
        OSError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from gatewright.circuit import Circuit, load_circuit, save_circuit
        >>> circuit = Circuit(n_inputs=2, gate=[6], a=[0], b=[1], outputs=[2])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_circuit(circuit, Path(folder) / "xor.gw")
        ...     load_circuit(Path(folder) / "xor.gw").same_as(circuit)
        True
    """
    target = Path(path)
    arrays = {name: attrgetter(name)(circuit) for name in _stored(circuit)}
    fields = _Fields.model_validate(circuit, strict=False, from_attributes=True)
    digests = {name: _digest(array) for name, array in arrays.items()}
    digests["circuit"] = _text_digest(fields)
    header = _Header(format=FORMAT, version=VERSION, circuit=fields, sha256=digests)
    raw = safetensors.numpy.save(
        arrays, metadata={_KEY: json.dumps(header.model_dump(exclude_defaults=True), sort_keys=True)}
    )
    if target.suffix == ".xz":
        raw = lzma.compress(raw, preset=9)
    write_atomically(target, lambda temporary: temporary.write_bytes(raw))


def load_circuit(path: str | os.PathLike[str]) -> Circuit:
    """Read a circuit from a `.gw` file, compressed or not.

    Raises:
        FormatError: The file is truncated, damaged, of another format or version, or does not describe a circuit. The
            message names the file and the byte or field at fault.
        OSError: The file cannot be read.

    Example:
        >>> import tempfile
        >>> import gatewright as gw
        >>> with tempfile.NamedTemporaryFile(suffix=".gw") as file:
        ...     gw.load("monks-1").save(file.name)
        ...     gw.load_circuit(file.name).n_gates
        28
    """
    source = Path(path)
    with reading(source):
        return _read(_unpacked(content_of(source)))


def _read(raw: bytes) -> Circuit:
    header = _header(raw)
    try:
        arrays = safetensors.numpy.load(raw)
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise FormatError(f"its tensors cannot be read: {str(error)[:200]}") from error
    _check_arrays(arrays, header)
    fields = header.circuit
    encoder, head = None, None
    if fields.encoder is not None:
        plain = fields.encoder.model_dump()
        columns = [Column(**column) for column in plain.pop("columns")]
        encoder = Encoder(arrays["encoder.feature"], arrays["encoder.threshold"], **plain, columns=tuple(columns))
    parts = len(arrays["gate"]) + len(arrays["outputs"])
    if encoder is None:
        check_inputs(fields.n_inputs, parts)
    else:
        check_inputs(encoder.n_raw_bits, parts + encoder.n_bits)
    if fields.head is not None:
        head = Head(arrays["head.group"], arrays["head.offset"], **fields.head.model_dump())
    gate, a, b, outputs = (arrays[name] for name in ("gate", "a", "b", "outputs"))
    return Circuit(fields.n_inputs, gate, a, b, outputs, encoder, head, fields.metadata)


def _unpacked(raw: bytes) -> bytes:
    if not raw.startswith(_XZ):
        return raw
    most = min(_MOST_BYTES, max(_MOST_BYTES_OF_SMALL, _MOST_RATIO * len(raw)))
    try:
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_UNPACKING)
        content = unpacker.decompress(raw, most)
    except lzma.LZMAError as error:
        raise FormatError(f"damaged: its xz data cannot be unpacked ({error})") from error
    if not unpacker.eof:
        more = len(content) >= most
        raise FormatError(f"unpacks to more than {most} bytes" if more else "truncated: its xz data end too early")
    return content


def _stored(circuit: Circuit | _Fields) -> list[str]:
    """Names of the arrays in a file: those of the circuit, and of its encoder and head where it has them."""
    return [n for n in _DTYPES if "." not in n or getattr(circuit, n.partition(".")[0]) is not None]


def _digest(array: npt.NDArray[Any]) -> str:
    """SHA-256 of an array's type, shape and little-endian bytes."""
    digest = hashlib.sha256(f"{array.dtype.name} {array.shape} ".encode())
    digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def _text_digest(fields: _Fields) -> str:
    return hashlib.sha256(json.dumps(fields.model_dump(exclude_defaults=True), sort_keys=True).encode()).hexdigest()


def _header(raw: bytes) -> _Header:
    metadata = read_frame(BytesIO(raw), len(raw), "gatewright circuit")
    if _KEY not in metadata:
        raise FormatError(f"not a gatewright circuit: the safetensors metadata have no text {_KEY!r}")
    what = f"metadata {_KEY!r}"
    content = parse_json(metadata[_KEY], what)
    if isinstance(content, dict) and content.get("format") == FORMAT and content.get("version") != VERSION:
        version = shown(content.get("version"))
        raise FormatError(f"version is {version}, this gatewright reads version {VERSION}; upgrade gatewright")
    return validated(_Header, content, what)


def _check_arrays(arrays: Mapping[str, npt.NDArray[Any]], header: _Header) -> None:
    if header.sha256.get("circuit") != _text_digest(header.circuit):
        raise FormatError("the header's 'circuit' is damaged (its sha256 differs)")
    wanted = _stored(header.circuit)
    for name in wanted:
        if name not in arrays:
            raise FormatError(f"array {name!r} is missing")
        array = arrays[name]
        if array.dtype != np.dtype(_DTYPES[name]) or array.ndim != 1:
            raise FormatError(f"array {name!r} is {array.dtype}{list(array.shape)}, expected {_DTYPES[name]}[n]")
        if header.sha256.get(name) != _digest(array):
            raise FormatError(f"array {name!r} is damaged (its sha256 differs)")
    surplus = sorted(set(arrays) - set(wanted))
    if surplus:
        raise FormatError(f"array {shown(surplus[0])} does not belong to this circuit")
