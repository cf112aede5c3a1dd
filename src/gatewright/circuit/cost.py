"""What a circuit costs, in two-input gates: the logic alone, and with encoder and head."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewright.circuit.aig import write_aig
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
        total_ops: Logic ops of everything: encoder comparators on the bits of the raw features, the gates, popcount and
            argmax, simplified together.
        encoder_ops: The encoder's part: logic ops of the comparators that are used, simplified alone.
        head_ops: The head's part: what `total_ops` has beyond `logic_ops` and `encoder_ops`.
        depth: Logic levels of the gates alone: logic ops on the longest path from an input to an output.
        total_depth: Logic levels of everything.
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
    """Count what a circuit costs. It is simplified first, so the figures do not depend on whether it already was.

    Example:
        >>> from gatewright.circuit import Circuit, cost
        >>> adder = Circuit(n_inputs=3, gate=[6, 6, 1, 1, 7], a=[0, 3, 0, 3, 5], b=[1, 2, 1, 2, 6], outputs=[4, 7])
        >>> figures = cost(adder)
        >>> figures.logic_ops, figures.depth
        (5, 3)
    """
    core = simplify(circuit)
    whole = core if core.head is None else with_head_gates(core)
    used = used_inputs(core)
    encoder_ops = 0
    if whole.encoder is not None:
        comparators = core.replace(gate=_EMPTY, a=_EMPTY, b=_EMPTY, outputs=used, head=None)
        encoder_ops = _logic_ops(simplify(with_encoder_gates(comparators)))
        # First with the encoder's relations between bits, which its gates hide from the local rules.
        whole = with_encoder_gates(simplify(whole))
    whole = simplify(whole)
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
    """Count the six-input lookup tables that ABC maps the circuit's gates to, without encoder and head.

    This is the mapped count, before any placement. An inversion at an output counts as part of its table.

    Raises:
        MissingExtraError: ABC is not installed.
        ToolError: ABC failed or took too long.
    """
    core = simplify(circuit)
    return map_aig(write_aig(core), 6, timeout=timeout)[0] if core.n_outputs else 0


def map_aig(aig: bytes, k: int, *, rewrite: bool = False, timeout: float = 600.0) -> tuple[int, str]:
    """Map an AND-inverter graph to lookup tables through ABC.

    Args:
        aig: A binary AIGER file with at least one output (see `gatewright.circuit.aig`).
        k: Maximum number of inputs of a table.
        rewrite: Whether ABC first rewrites the graph (`&dc2`).
        timeout: Seconds for ABC.

    Returns:
        The number of tables, and the mapped netlist as BLIF, which has an inverter or buffer where several outputs read
        one table. (A table whose function does not depend on all inputs that ABC chose is smaller in the BLIF.)

    Raises:
        MissingExtraError: ABC is not installed.
        ToolError: ABC failed or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="gatewright-") as name:
        folder = Path(name)
        (folder / "in.aig").write_bytes(aig)
        passes = "&dc2; " if rewrite else ""
        printed = run_abc(f"&r in.aig; {passes}&if -K {k}; &ps; &put -o; write_blif out.blif", folder, timeout)
        if printed is None:
            raise ToolError(f"ABC did not map the gates to tables within {timeout:g} s: allow a longer timeout")
        blif = (folder / "out.blif").read_text(encoding="utf-8")
    found = re.search(r"lut\s*=\s*(\d+)", re.sub(r"\x1b\[[0-9;]*m", "", printed))
    if found is None:
        raise ToolError(f"ABC printed no number of lookup tables: {printed.strip()[-300:]}")
    return int(found[1]), blif


def used_inputs(circuit: Circuit) -> npt.NDArray[np.int64]:
    """The inputs that a gate reads or that are outputs themselves, ascending; int64."""
    read = np.concatenate([circuit.a[USES_A[circuit.gate]], circuit.b[USES_B[circuit.gate]], circuit.outputs])
    return np.unique(read[read < circuit.n_inputs]).astype(np.int64)


def _logic_ops(circuit: Circuit) -> int:
    return int(np.count_nonzero(IS_LOGIC[circuit.gate]))


def _depth(circuit: Circuit) -> int:
    return int(logic_levels(circuit)[circuit.outputs].max(initial=0))
