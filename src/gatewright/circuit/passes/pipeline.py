"""The passes together, to a fixed point."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.passes.record import PassRecord
from gatewright.circuit.passes.rewrite import Rule, rewrite


def simplify(circuit: Circuit, *, deep: bool = False, timeout: float = 60.0) -> tuple[Circuit, list[PassRecord]]:
    """Simplify a circuit without loss: same outputs (with a head, counts) for every input the encoder can make.

    All rules share one forward sweep, whose result is all but always final; it is repeated until nothing changes.

    Args:
        circuit: The circuit; it is not changed.
        deep: Whether to try ABC's rewriting and SAT sweeping afterwards, each result proven; it needs the extra `prove`.
        timeout: Seconds for each of the deeper passes.

    Returns:
        The simplified circuit, with the same inputs and encoder, and one record per sweep or pass.
    """
    records: list[PassRecord] = []
    while True:
        smaller, record = rewrite(circuit, "sweep", Rule.ALL)
        records.append(record)
        if smaller.same_as(circuit):
            break
        circuit = smaller
    if deep:
        # Proofs need the passes, so this cannot be imported before them.
        from gatewright.circuit.passes.deep import deepen  # noqa: PLC0415

        circuit, more = deepen(circuit, timeout=timeout)
        records += more
    return circuit, records
