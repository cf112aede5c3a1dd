"""Logic levels: how many logic gates lie on the longest way from an input to each node."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from gatewright.circuit.circuit import Circuit
from gatewright.gates import IS_LOGIC, USES_A, USES_B


@njit(cache=True, nogil=True)
def _levels(
    n_inputs: int,
    gate: npt.NDArray[np.uint8],
    a: npt.NDArray[np.int32],
    b: npt.NDArray[np.int32],
    step: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:
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


def logic_levels(circuit: Circuit) -> npt.NDArray[np.int32]:
    """Level of every node in logic gates: wires, inverters and constants take no level of their own.

    Returns:
        int32 [n_nodes]; inputs are at level 0.
    """
    levels: npt.NDArray[np.int32] = _levels(
        circuit.n_inputs, circuit.gate, circuit.a, circuit.b, IS_LOGIC.astype(np.int32)
    )
    return levels


def evaluation_levels(circuit: Circuit) -> npt.NDArray[np.int32]:
    """Level of every node if every gate of any kind takes one level: nodes of one level do not depend on each other.

    Returns:
        int32 [n_nodes]; inputs are at level 0, constant gates at level 1.
    """
    levels: npt.NDArray[np.int32] = _levels(circuit.n_inputs, circuit.gate, circuit.a, circuit.b, np.ones(16, np.int32))
    return levels
