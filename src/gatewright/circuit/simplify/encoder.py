"""What the encoder says about its bits."""

from __future__ import annotations

from gatewright.circuit.circuit import Circuit
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.rewrite import Rule, rewrite


def encoder(circuit: Circuit) -> tuple[Circuit, PassRecord]:
    """Use what the encoder guarantees; the circuit keeps its value on every input that the encoder can make.

    Bits of the same feature and threshold are one. Thresholds that no value of the feature's type reaches, or all do,
    are constants. Of two bits of one feature, the one with the higher threshold implies the other. The inputs
    themselves stay, some of them unused, so that the interface is the same.
    """
    return rewrite(circuit, "encoder", Rule.EQUAL | Rule.ABSORB | Rule.ENCODER)
