"""Gates that their operands' gates make simpler."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.rewrite import Rule, rewrite


def absorption(circuit: Circuit) -> tuple[Circuit, PassRecord]:
    """Simplify every gate together with the gates of its operands.

    The function of a gate in terms of its operands' operands (up to four nodes) is read from the truth tables. Where it
    is a constant, one of the nodes, or one gate of two of them, it is expressed so: `x & (x | y)` is `x`, and
    `(x & ~y) | (~x & y)` is one XOR. What the gate read before may be dead afterwards.
    """
    return rewrite(circuit, "absorption", Rule.EQUAL | Rule.ABSORB)
