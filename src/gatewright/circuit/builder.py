"""Build a circuit from arrays of gates."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gatewright.circuit.circuit import Circuit, Encoder
from gatewright.gates import Gate

Int32Array = npt.NDArray[np.int32]


class Builder:
    """Gates in topological order, appended in arrays.

    Attributes:
        n_inputs: Number of Boolean inputs.
    """

    def __init__(self, n_inputs: int) -> None:
        self.n_inputs = n_inputs
        self._parts: list[tuple[npt.NDArray[np.uint8], Int32Array, Int32Array]] = []
        self._n_nodes = n_inputs
        self._constants: dict[bool, int] = {}

    def append(self, gate: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike) -> Int32Array:
        """Append gates that do not read each other.

        Args:
            gate: Gate ids; gate, a and b broadcast against each other. The operands of constants are ignored.
            a: Node ids of the first operands.
            b: Node ids of the second operands.

        Returns:
            int32, of the broadcast shape: the new nodes.
        """
        gates, first, second = np.broadcast_arrays(np.asarray(gate, np.uint8), np.asarray(a), np.asarray(b))
        self._parts.append((gates.ravel(), first.ravel().astype(np.int32), second.ravel().astype(np.int32)))
        nodes = np.arange(self._n_nodes, self._n_nodes + gates.size, dtype=np.int32).reshape(gates.shape)
        self._n_nodes += gates.size
        return nodes

    def include(self, circuit: Circuit, inputs: npt.NDArray[Any]) -> Int32Array:
        """Append all gates of a circuit.

        Args:
            circuit: The circuit.
            inputs: int [circuit.n_inputs], nodes that take the place of its inputs.

        Returns:
            int32 [circuit.n_nodes]: the node here of each node there.
        """
        start = self._n_nodes - circuit.n_inputs
        nodes = np.arange(start, start + circuit.n_nodes, dtype=np.int32)
        nodes[: circuit.n_inputs] = inputs
        self.append(circuit.gate, nodes[circuit.a], nodes[circuit.b])
        return nodes

    def constant(self, value: bool) -> int:
        """The node of a constant; every call returns the same one."""
        if value not in self._constants:
            self._constants[value] = int(self.append(Gate.TRUE if value else Gate.FALSE, 0, 0))
        return self._constants[value]

    def build(self, outputs: npt.ArrayLike, **fields: Any) -> Circuit:
        """Make the circuit with these output nodes and other fields of `Circuit` (encoder, head, metadata)."""
        empty = (np.zeros(0, np.uint8), np.zeros(0, np.int32), np.zeros(0, np.int32))
        gate, a, b = (np.concatenate(part) for part in zip(empty, *self._parts, strict=True))
        # By contract a constant's operands are 0: those that it was appended with may be any nodes.
        constant = (gate == Gate.FALSE) | (gate == Gate.TRUE)
        a[constant] = b[constant] = 0
        return Circuit(self.n_inputs, gate, a, b, np.asarray(outputs, np.int32), **fields)


def side_by_side(one: Circuit, two: Circuit, encoder: Encoder | None = None) -> Circuit:
    """Both circuits on the same inputs, the outputs of the second after those of the first; heads are left out."""
    builder = Builder(one.n_inputs)
    inputs = np.arange(one.n_inputs)
    outputs = np.concatenate([builder.include(circuit, inputs)[circuit.outputs] for circuit in (one, two)])
    return builder.build(outputs, encoder=encoder)
