"""Encoder, gates and head of a circuit, each as a circuit of its own."""

from __future__ import annotations

import numpy as np

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.cost import used_inputs
from gatewright.circuit.head_gates import head_alone


def parts_of(circuit: Circuit) -> dict[str, Circuit]:
    """The parts that a simplified circuit has, by name: "encoder", "logic", "head"; without those that have no outputs."""
    parts, none, used = {}, np.zeros(0, np.int32), used_inputs(circuit)
    if circuit.encoder is not None and len(used):
        parts["encoder"] = circuit.replace(gate=none, a=none, b=none, outputs=used, head=None)
    if circuit.n_outputs:
        parts["logic"] = circuit.replace(encoder=None, head=None)
    if circuit.head is not None:
        parts["head"] = head_alone(circuit)
    return parts
