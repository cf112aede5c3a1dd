"""What a circuit costs, in two-input gates: the logic alone, and with encoder and head."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewright.circuit.aig import to_aiger
from gatewright.circuit.arithmetic import with_encoder_gates
from gatewright.circuit.circuit import Circuit
from gatewright.circuit.head_gates import with_head_gates
from gatewright.circuit.levels import logic_levels
from gatewright.circuit.simplify import simplify
from gatewright.errors import ToolError
from gatewright.gates import GATE_NAMES, IS_LOGIC, USES_A, USES_B
from gatewright.runtime.abc import run_abc

_EMPTY = np.zeros(0, np.int32)


@dataclass(frozen=True)
class Cost:
    """What a circuit costs after lossless simplification. Operations are two-input gates.

    Attributes:
        logic_ops: Gates with two operands; constants, wires and inverters are free.
        total_ops: Logic ops of the whole: encoder comparators on the bits of the raw features, the gates, popcount and
            argmax, simplified together.
        encoder_ops: The encoder's part: logic ops of the comparators that are used, simplified alone.
        head_ops: The head's part: what `total_ops` has beyond `logic_ops` and `encoder_ops`.
        depth: Logic levels of the gates alone: logic ops on the longest way from an input to an output.
        total_depth: Logic levels of the whole.
        live_gates: Gates left, with the inverters and constants that outputs need.
        n_inputs_used: Boolean inputs that are read, which is the number of comparators.
        outputs: Outputs left.
        by_gate: Number of gates left by gate name.
    """

    logic_ops: int
    total_ops: int
    encoder_ops: int
    head_ops: int
    depth: int
    total_depth: int
    live_gates: int
    n_inputs_used: int
    outputs: int
    by_gate: Mapping[str, int]


def cost(circuit: Circuit) -> Cost:
    """Count what a circuit costs; it is simplified first, so the figures do not depend on whether it already was."""
    core, _ = simplify(circuit)
    whole = core
    if whole.head is not None:
        whole = with_head_gates(whole)
    used = used_inputs(core)
    encoder_ops = 0
    if whole.encoder is not None:
        comparators = core.replace(gate=_EMPTY, a=_EMPTY, b=_EMPTY, outputs=used, head=None)
        encoder_ops = _logic_ops(simplify(with_encoder_gates(comparators))[0])
        # First with the encoder's relations between bits, which its gates hide from the local rules.
        whole = with_encoder_gates(simplify(whole)[0])
    whole, _ = simplify(whole)
    logic_ops, total_ops = _logic_ops(core), _logic_ops(whole)
    numbers = np.bincount(core.gate, minlength=len(GATE_NAMES)).tolist()
    return Cost(
        logic_ops=logic_ops,
        total_ops=total_ops,
        encoder_ops=encoder_ops,
        head_ops=total_ops - logic_ops - encoder_ops,
        depth=_depth(core),
        total_depth=_depth(whole),
        live_gates=core.n_gates,
        n_inputs_used=len(used),
        outputs=core.n_outputs,
        by_gate={name: number for name, number in zip(GATE_NAMES, numbers, strict=True) if number},
    )


def lut6(circuit: Circuit, *, timeout: float = 600.0) -> int:
    """Six-input lookup tables that ABC maps the circuit's gates to; encoder and head are left out.

    This is the mapped count, before any placement. An inversion at an output counts as part of its table.

    Raises:
        MissingExtraError: There is no ABC.
        ToolError: ABC failed or took too long.
    """
    core, _ = simplify(circuit)
    if not core.n_outputs:
        return 0
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        (folder / "in.aig").write_bytes(to_aiger(core))
        said = run_abc("&r in.aig; &if -K 6; &ps", folder, timeout)
    if said is None:
        raise ToolError(f"ABC did not map {core.n_gates} gates within {timeout:g} s: allow a longer timeout")
    found = re.search(r"lut\s*=\s*(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", said))
    if found is None:
        raise ToolError(f"ABC printed no number of lookup tables: {said.strip()[-300:]}")
    return int(found[1])


def used_inputs(circuit: Circuit) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The inputs that a gate reads or that are outputs themselves, ascending; int64."""
    read = np.concatenate([circuit.a[USES_A[circuit.gate]], circuit.b[USES_B[circuit.gate]], circuit.outputs])
    return np.unique(read[read < circuit.n_inputs]).astype(np.int64)


def _logic_ops(circuit: Circuit) -> int:
    return int(np.count_nonzero(IS_LOGIC[circuit.gate]))


def _depth(circuit: Circuit) -> int:
    return int(logic_levels(circuit)[circuit.outputs].max(initial=0))
