"""The passes together, to a fixed point."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.rewrite import Rule, rewrite


def simplify(circuit: Circuit) -> tuple[Circuit, list[PassRecord]]:
    """Simplify a circuit without loss: same outputs (with a head, counts) for every input the encoder can make.

    All rules share one forward sweep, whose result is all but always final; it is repeated until nothing changes.

    Args:
        circuit: The circuit; it is not changed.

    Returns:
        The simplified circuit, with the same inputs and encoder, and one record per sweep.
    """
    records: list[PassRecord] = []
    while True:
        smaller, record = rewrite(circuit, "sweep", Rule.ALL)
        records.append(record)
        if smaller.same_as(circuit):
            break
        circuit = smaller
    return circuit, records
