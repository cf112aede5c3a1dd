"""Whether compiled code is kept from an earlier process, so that a first wait can be explained."""

from __future__ import annotations

import os
from pathlib import Path


def is_compiled(folder: Path) -> bool:
    """Whether numba has kept compiled functions of the modules in a folder, or may keep them where this cannot look.

    Args:
        folder: Of a package. Numba keeps code beside it, in `NUMBA_CACHE_DIR` if that is set, or, where it may not write
            beside it, in the user's cache folder.
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    if named is None and not os.access(folder, os.W_OK):
        return True
    places = [folder / "__pycache__"] if named is None else Path(named).glob(f"{folder.name}_*")
    return any(next(place.rglob("*.nbi"), None) is not None for place in places)
