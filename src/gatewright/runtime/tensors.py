"""The frame of safetensors files: a length, a JSON header, and bytes, checked before anything else reads the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, BinaryIO

from pydantic import Field

from gatewright.errors import FormatError
from gatewright.runtime.documents import parse_json, validated
from gatewright.runtime.schema import Section

_MOST_HEADER = 1 << 24
"""Bytes of JSON, whose values take more than twenty times as much memory."""

_Size = Annotated[int, Field(ge=0, lt=1 << 48)]


class _Tensor(Section):
    dtype: str
    shape: Annotated[list[_Size], Field(max_length=64)]
    data_offsets: Annotated[list[_Size], Field(min_length=2, max_length=2)]


def read_frame(file: BinaryIO, size: int, kind: str) -> Mapping[str, Any]:
    """Check length, header and the extent of the data; the checksums of what is in the tensors are the formats' own.

    Args:
        file: At its beginning.
        size: Its length.
        kind: What it should be, for messages.

    Returns:
        The file's metadata, texts by name.

    Raises:
        FormatError: The file is truncated, damaged, or of another format; the message names the byte.
    """
    if size < 8:
        raise FormatError(f"truncated: {size} bytes, and the header's length alone takes 8")
    first = file.read(8)
    length = int.from_bytes(first, "little")
    if length > _MOST_HEADER:
        raise FormatError(f"not a {kind}: it begins with {first!r}, expected the length of a header")
    if length > size - 8:
        what = f"truncated, or not a {kind}"
        raise FormatError(f"{what}: bytes 0-7 announce a header of {length} bytes, {size - 8} follow")
    header = parse_json(file.read(length), f"not a {kind}: the header", first=8)
    if not isinstance(header, dict):
        raise FormatError(f"not a {kind}: the header at byte 8 is no JSON object")
    metadata = header.pop("__metadata__", {})
    tensors = [
        validated(_Tensor, entry, f"the header at byte 8, tensor {str(name)[:80]!r}") for name, entry in header.items()
    ]
    end = 8 + length + max((tensor.data_offsets[1] for tensor in tensors), default=0)
    if end != size:
        cause = "truncated" if end > size else "damaged"
        raise FormatError(f"{cause}: the header announces data up to byte {end}, the file ends at byte {size}")
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise FormatError(f"not a {kind}: the metadata in its header are no texts")
    return metadata
