"""The sixteen two-input gates, from one table.

A gate's id is its truth table read as `f(0,0) f(0,1) f(1,0) f(1,1)`, most significant bit first: 1 is AND, 3 is A,
5 is B, 6 is XOR, 7 is OR, 14 is NAND, 15 is TRUE. This is the order of difflogic and of the papers after it. Everything
else in this module (truth tables, coefficients, rewrites) is computed from that one statement.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

UInt8Array = npt.NDArray[np.uint8]


class Gate(IntEnum):
    """A gate's id, by name. The id is the truth table.

    Example:
        >>> from gatewright import Gate
        >>> Gate.XOR, f"{Gate.XOR:04b}"  # f(0, 0), f(0, 1), f(1, 0), f(1, 1)
        (<Gate.XOR: 6>, '0110')
    """

    FALSE = 0
    AND = 1
    A_AND_NOT_B = 2
    A = 3
    NOT_A_AND_B = 4
    B = 5
    XOR = 6
    OR = 7
    NOR = 8
    XNOR = 9
    NOT_B = 10
    A_OR_NOT_B = 11
    NOT_A = 12
    NOT_A_OR_B = 13
    NAND = 14
    TRUE = 15


N_GATES = 16
WIRES: tuple[Gate, ...] = (Gate.A, Gate.NOT_A)
"""Gates that cost nothing in a circuit: an operand, or its inverse."""
GATE_NAMES: tuple[str, ...] = tuple(gate.name for gate in Gate)


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    array.setflags(write=False)
    return array


TRUTH: UInt8Array = _frozen(
    np.array([[[(g >> (3 - 2 * a - b)) & 1 for b in (0, 1)] for a in (0, 1)] for g in range(N_GATES)], dtype=np.uint8)
)
"""uint8 [16, 2, 2]: `TRUTH[gate, a, b]` is the gate's output."""

COEFFICIENTS: npt.NDArray[np.int8] = _frozen(
    np.stack(
        [
            TRUTH[:, 0, 0].astype(np.int8),
            TRUTH[:, 1, 0].astype(np.int8) - TRUTH[:, 0, 0],
            TRUTH[:, 0, 1].astype(np.int8) - TRUTH[:, 0, 0],
            TRUTH[:, 1, 1].astype(np.int8) - TRUTH[:, 1, 0] - TRUTH[:, 0, 1] + TRUTH[:, 0, 0],
        ],
        axis=1,
    ).astype(np.int8)
)
"""int8 [16, 4]: the multilinear extension `c0 + c1 a + c2 b + c3 a b` of each gate (difflogic, table 1)."""

USES_A: npt.NDArray[np.bool_] = _frozen(np.any(TRUTH[:, 0, :] != TRUTH[:, 1, :], axis=1))
"""bool [16]: whether the gate's output depends on its first operand."""

USES_B: npt.NDArray[np.bool_] = _frozen(np.any(TRUTH[:, :, 0] != TRUTH[:, :, 1], axis=1))
"""bool [16]: whether the gate's output depends on its second operand."""

IS_LOGIC: npt.NDArray[np.bool_] = _frozen(USES_A & USES_B)
"""bool [16]: the gates that count as a logic op: neither constants nor wires nor inverters."""

LOGIC: tuple[Gate, ...] = tuple(gate for gate in Gate if IS_LOGIC[gate])
"""The ten gates that count as a logic op."""


def _table_id(table: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Gate id of truth tables [..., 2, 2]."""
    bits = table.astype(np.uint8)
    value: npt.NDArray[np.uint8] = (
        8 * bits[..., 0, 0] + 4 * bits[..., 0, 1] + 2 * bits[..., 1, 0] + bits[..., 1, 1]
    ).astype(np.uint8)
    return value


NEGATE: UInt8Array = _frozen(_table_id(1 - TRUTH))
"""uint8 [16]: the gate whose output is the inverse."""

NEGATE_A: UInt8Array = _frozen(_table_id(TRUTH[:, ::-1, :]))
"""uint8 [16]: the gate that, given the inverse of operand a, computes the same function."""

NEGATE_B: UInt8Array = _frozen(_table_id(TRUTH[:, :, ::-1]))
"""uint8 [16]: the gate that, given the inverse of operand b, computes the same function."""

SWAP: UInt8Array = _frozen(_table_id(TRUTH.transpose(0, 2, 1)))
"""uint8 [16]: the gate that computes the same function with its operands exchanged."""

A_FALSE: UInt8Array = _frozen(_table_id(TRUTH[:, [0, 0], :]))
"""uint8 [16]: what a gate becomes when its first operand is FALSE: a function of the second."""

B_FALSE: UInt8Array = _frozen(_table_id(TRUTH[:, :, [0, 0]]))
"""uint8 [16]: what a gate becomes when its second operand is FALSE: a function of the first."""

EQUAL: UInt8Array = _frozen(_table_id(np.stack([TRUTH[:, [0, 1], [0, 1]]] * 2, axis=2)))
"""uint8 [16]: what a gate becomes when both operands are the same: a function of the first."""


def apply(gate: npt.ArrayLike, a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Compute gates on Booleans or on packed words.

    Args:
        gate: Gate ids, an int or an integer array that broadcasts against `a` and `b`.
        a: bool or unsigned integer array: the first operands (every bit of a word is one sample).
        b: The second operands, of the dtype of `a`.

    Returns:
        The outputs, in the dtype of `a`.
    """
    ids = np.asarray(gate)
    ones = np.array(True) if a.dtype == np.bool_ else np.array(np.iinfo(a.dtype).max, dtype=a.dtype)
    zero = np.zeros_like(ones)
    terms = ((8, ~a & ~b), (4, ~a & b), (2, a & ~b), (1, a & b))
    result = np.zeros(np.broadcast_shapes(ids.shape, a.shape, b.shape), dtype=a.dtype)
    for bit, minterm in terms:
        result |= minterm & np.where(ids & bit, ones, zero)
    return result
