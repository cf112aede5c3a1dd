"""Data sets, split the same way for everybody, and augmentation of images.

`load_dataset("mnist")` returns a `Dataset` with its train, validation and test parts; `names()` lists the data sets, and
`describe` says what one is without reading it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewright.data.catalogue import describe, download_size, load_dataset, missing, names, register
from gatewright.data.dataset import SPLITS, Dataset, DatasetInfo, Reader, Split

if TYPE_CHECKING:
    from gatewright.data.augment.augment import Augment

__all__ = [
    "SPLITS",
    "Augment",
    "Dataset",
    "DatasetInfo",
    "Reader",
    "Split",
    "describe",
    "download_size",
    "load_dataset",
    "missing",
    "names",
    "register",
]


def __getattr__(name: str) -> Any:
    # Augment needs torch, which takes seconds to import; listing and loading data do not.
    if name == "Augment":
        from gatewright.data.augment.augment import Augment  # noqa: PLC0415

        return Augment
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
