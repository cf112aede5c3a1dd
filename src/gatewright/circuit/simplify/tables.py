"""Lookup tables for rewriting, all computed from the truth tables of the sixteen gates.

A *literal* is `2 * node + negated`. During simplification node 0 is the constant FALSE, so literal 0 is FALSE and literal 1
TRUE; then come the inputs, then the gates.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gatewright.gates import TRUTH, UInt8Array


def _ids(table: npt.NDArray[np.uint8]) -> UInt8Array:
    """Gate ids of truth tables [16, 2, 2]."""
    ids: UInt8Array = (table.reshape(-1, 4) @ np.array([8, 4, 2, 1])).astype(np.uint8)
    ids.setflags(write=False)
    return ids


A_FALSE: UInt8Array = _ids(np.repeat(TRUTH[:, :1, :], 2, axis=1))
"""uint8 [16]: what a gate becomes when its first operand is FALSE: a function of the second."""

B_FALSE: UInt8Array = _ids(np.repeat(TRUTH[:, :, :1], 2, axis=2))
"""uint8 [16]: what a gate becomes when its second operand is FALSE: a function of the first."""

EQUAL: UInt8Array = _ids(np.repeat(TRUTH[:, [0, 1], [0, 1]][:, :, None], 2, axis=2))
"""uint8 [16]: what a gate becomes when both operands are the same: a function of the first."""
