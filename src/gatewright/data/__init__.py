"""Data sets, split the same way for everybody, and augmentation of images.

`load_dataset("mnist")` returns a `Dataset` with its train, validation and test parts; `names()` lists the data sets, and
`describe` says what one is without reading it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatewright.data.catalogue import describe, download_size, load_dataset, missing, names, register
from gatewright.data.dataset import SPLITS, Dataset, DatasetInfo, Reader, Split
from gatewright.data.splitting import Shares

__all__ = [
    "SPLITS",
    "Augment",
    "Dataset",
    "DatasetInfo",
    "Reader",
    "Shares",
    "Split",
    "describe",
    "download_size",
    "load_dataset",
    "missing",
    "names",
    "register",
]

if TYPE_CHECKING:
    from gatewright.data.augment import Augment
else:

    def __getattr__(name: str) -> Any:
        """Import `Augment` when it is first used: it needs torch, which takes seconds; listing and loading data do not."""
        if name != "Augment":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from gatewright.data.augment import Augment  # noqa: PLC0415

        return Augment
