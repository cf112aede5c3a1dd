"""Tensors of trained modules as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def array(tensor: Any) -> npt.NDArray[Any]:
    """A tensor on any device, with or without gradient, as an array."""
    return np.asarray(tensor.detach().cpu())
