"""Logic levels: how many logic gates lie on the longest way from an input to each node."""

from __future__ import annotations

import numpy as np
from numba import njit

from gatewright.circuit.builder import Int32Array
from gatewright.circuit.circuit import Circuit
from gatewright.gates import IS_LOGIC, USES_A, USES_B, UInt8Array


@njit(cache=True, nogil=True)
def _levels(n_inputs: int, gate: UInt8Array, a: Int32Array, b: Int32Array, step: Int32Array) -> Int32Array:
    level = np.zeros(n_inputs + len(gate), np.int32)
    for i in range(len(gate)):
        g = gate[i]
        below = np.int32(0)
        if USES_A[g]:
            below = max(below, level[a[i]])
        if USES_B[g]:
            below = max(below, level[b[i]])
        level[n_inputs + i] = below + step[g]
    return level


def logic_levels(circuit: Circuit) -> Int32Array:
    """Level of every node in logic gates: wires, inverters and constants take no level of their own.

    Returns:
        int32 [n_nodes]; inputs are at level 0.
    """
    step = IS_LOGIC.astype(np.int32)
    levels: Int32Array = _levels(circuit.n_inputs, circuit.gate, circuit.a, circuit.b, step)
    return levels


def evaluation_levels(circuit: Circuit) -> Int32Array:
    """Level of every node if every gate of any kind takes one level: nodes of one level do not depend on each other.

    Returns:
        int32 [n_nodes]; inputs are at level 0, constant gates at level 1.
    """
    levels: Int32Array = _levels(circuit.n_inputs, circuit.gate, circuit.a, circuit.b, np.ones(16, np.int32))
    return levels
