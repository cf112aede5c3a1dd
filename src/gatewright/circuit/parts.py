"""What the parts of a circuit have in common: arrays and texts that are checked, and never change."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from gatewright.errors import FormatError, shown

Array = npt.NDArray[Any]


def as_stored(value: npt.ArrayLike, dtype: Any, name: str) -> Array:
    """Convert to a read-only array of one dimension and exactly this dtype, refusing any change of value."""
    given = np.asarray(value)
    if given.ndim != 1:
        raise FormatError(f"{name} must have 1 dimension, got shape {given.shape}")
    result = np.ascontiguousarray(given.astype(dtype))
    if given.dtype.kind == "f" and not np.all(np.isfinite(given)):
        raise FormatError(f"{name} contains NaN or infinity")
    if not np.array_equal(result, given):
        raise FormatError(f"{name} has values that {np.dtype(dtype).name} cannot hold (given dtype {given.dtype})")
    if result is value or result.base is not None:
        result = result.copy()
    result.setflags(write=False)
    return result


def as_texts(values: Iterable[str], name: str) -> tuple[str, ...]:
    """Names and remarks as a tuple; halves of characters, which no file can hold, are refused."""
    texts = tuple(values)
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise FormatError(f"{name} has {shown(text)}, which contains half a character and is no text") from error
    return texts


class Parts:
    """Pickled and copied through the constructor, which checks the arrays and makes them read-only."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def _set(self, **converted: Any) -> None:
        for name, value in converted.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        return type(self), tuple(dict(v) if isinstance(v, MappingProxyType) else v for v in values)
