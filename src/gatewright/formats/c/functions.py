"""Gates in functions of straight-line code, short enough that compilers handle them in linear time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit
from gatewright.gates import USES_A, USES_B

Int32Array = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Functions:
    """Which function computes a gate, and which values functions hand to each other.

    Attributes:
        order: int32 [live gates], gates in the order of computation.
        starts: int32 [functions + 1], function i computes `order[starts[i]:starts[i + 1]]`.
        function: int32 [gates], the function that computes a gate, -1 for gates that no output needs.
        slot: int32 [gates], place in the scratch array of a value that a later function reads, otherwise -1.
        n_slots: Length of the scratch array.
    """

    order: Int32Array
    starts: Int32Array
    function: Int32Array
    slot: Int32Array
    n_slots: int


@numba.njit(cache=True)
def _depth_first(n_inputs: int, gate: Any, a: Any, b: Any, outputs: Any) -> Any:
    """Post-order from the outputs: a value is used soon after it is computed, so that it can stay in a register."""
    seen = np.zeros(len(gate), np.bool_)
    stack = np.empty(2 * len(gate) + 2, np.int32)
    order = np.empty(len(gate), np.int32)
    n = 0
    for j in range(len(outputs)):
        depth = 0
        if outputs[j] >= n_inputs:
            stack[0] = outputs[j] - n_inputs
            depth = 1
        while depth:
            i = stack[depth - 1]
            if seen[i]:
                depth -= 1
                continue
            ready = True
            for operand, used in ((b[i], USES_B[gate[i]]), (a[i], USES_A[gate[i]])):
                if used and operand >= n_inputs and not seen[operand - n_inputs]:
                    stack[depth] = operand - n_inputs
                    depth += 1
                    ready = False
            if ready:
                seen[i] = True
                order[n] = i
                n += 1
                depth -= 1
    return order[:n]


@numba.njit(cache=True)
def _share_slots(
    n_inputs: int, gate: Any, a: Any, b: Any, order: Any, function: Any, n_functions: int, slot: Any
) -> int:
    """Give each value that later functions read a slot, which is free again after its last reader."""
    last = np.full(len(gate), -1, np.int32)
    for i in order:
        for operand, used in ((a[i], USES_A[gate[i]]), (b[i], USES_B[gate[i]])):
            if used and operand >= n_inputs:
                last[operand - n_inputs] = max(last[operand - n_inputs], function[i])
    ending = np.full(n_functions, -1, np.int32)  # per function, a chain of the gates whose values end with it
    following = np.full(len(gate), -1, np.int32)
    free = np.empty(len(gate) + 1, np.int32)
    n_free = n_slots = current = 0
    for i in order:
        while current < function[i]:
            g = ending[current]
            while g >= 0:
                free[n_free] = slot[g]
                n_free += 1
                g = following[g]
            current += 1
        if last[i] > function[i]:
            if n_free:
                n_free -= 1
                slot[i] = free[n_free]
            else:
                slot[i] = n_slots
                n_slots += 1
            following[i] = ending[last[i]]
            ending[last[i]] = i
    return n_slots


def split_into_functions(circuit: Circuit, longest: int) -> Functions:
    """Order the live gates and split them into functions of at most `longest`."""
    netlist = circuit.n_inputs, circuit.gate, circuit.a, circuit.b
    order = _depth_first(*netlist, circuit.outputs)
    starts = np.append(np.arange(0, len(order), longest), len(order)).astype(np.int32)
    function, slot = np.full((2, circuit.n_gates), -1, np.int32)
    function[order] = np.arange(len(order)) // longest
    n_slots = _share_slots(*netlist, order, function, len(starts) - 1, slot)
    return Functions(order, starts, function, slot, n_slots)
