"""Deeper passes through ABC: kept only where they help, and only once they are proven."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from gatewright.circuit.aig import from_aiger, to_aiger
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.proof.prove import prove
from gatewright.circuit.simplify.record import PassRecord
from gatewright.circuit.simplify.rewrite import Rule, rewrite
from gatewright.errors import VerificationError
from gatewright.gates import IS_LOGIC
from gatewright.runtime.abc import run_abc

SCRIPTS = {"SAT sweeping": "&fraig -y", "rewriting": "&dc2"}
"""What ABC is asked to do, by the name of the pass."""


def deepen(circuit: Circuit, *, timeout: float = 60.0) -> tuple[Circuit, list[PassRecord]]:
    """Try each of ABC's passes on a simplified circuit.

    ABC counts ANDs, of which an XOR takes three, so what it returns is simplified again and compared in logic ops; a
    result that is not smaller, or that cannot be proven within the time, is dropped.

    Args:
        circuit: A simplified circuit.
        timeout: Seconds for each pass, and again for each proof.

    Returns:
        The smallest circuit found, and a record per pass; one that was of no use has the same gates before and after.

    Raises:
        MissingExtraError: There is no ABC.
        VerificationError: ABC returned something else than it was given.
    """
    records = []
    for name, script in SCRIPTS.items():
        start = time.perf_counter()
        better = _attempt(circuit, script, timeout)
        if better is not None:
            proof = prove(circuit, better, timeout=timeout)
            if proof.equal is False:
                raise VerificationError(f"ABC's {script!r} changed the circuit ({proof.detail}); please report this")
            if proof.equal is None:
                better = None
        after = circuit if better is None else better
        gone = circuit.n_gates - after.n_gates
        seconds = time.perf_counter() - start
        records.append(PassRecord(name, circuit.n_gates, after.n_gates, {name: gone} if gone else {}, seconds))
        circuit = after
    return circuit, records


def _attempt(circuit: Circuit, script: str, timeout: float) -> Circuit | None:
    """What ABC makes of a circuit, if that has fewer logic ops."""
    if not circuit.n_gates:
        return None
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        (folder / "in.aig").write_bytes(to_aiger(circuit))
        if run_abc(f"&r in.aig; {script}; &w out.aig", folder, timeout) is None:
            return None
        back = from_aiger((folder / "out.aig").read_bytes(), source=f"the result of ABC's {script!r}")
    back = circuit.replace(gate=back.gate, a=back.a, b=back.b, outputs=back.outputs)
    again, _ = rewrite(back, "sweep", Rule.ALL)
    return again if _logic_ops(again) < _logic_ops(circuit) else None


def _logic_ops(circuit: Circuit) -> int:
    return int(np.count_nonzero(IS_LOGIC[circuit.gate]))
