"""From a trained run to a simplified circuit that is proven and checked."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch

from gatewright.circuit import Circuit, PassRecord, Proof, require_equal, simplify
from gatewright.confusion import Confusion
from gatewright.data import Split
from gatewright.engine import Engine
from gatewright.errors import UnsupportedError, VerificationError
from gatewright.training.evaluate import predict
from gatewright.training.feed import EVALUATION_BATCH
from gatewright.training.run import TrainedRun, lower_run


@dataclass(frozen=True)
class Compiled:
    """A run's circuit, and why it may be trusted.

    Attributes:
        circuit: Simplified; the proof and the check are noted in its metadata.
        raw: Gate for gate as the network has it.
        records: What each pass of the simplification did.
        proof: That `raw` and `circuit` are equal for every input; None if it was not wanted.
        samples: Samples on which the circuit's counts equal the network's.
        confusion: On these samples, which class was taken for which; the same for both.
        seconds: Wall-clock time of the stages lower, simplify, prove, check.
    """

    circuit: Circuit
    raw: Circuit
    records: list[PassRecord]
    proof: Proof | None
    samples: int
    confusion: Confusion
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def accuracy(self) -> float:
        """On the samples checked, 0 to 1; the same for circuit and network."""
        return self.confusion.accuracy


def compile_run(run: TrainedRun, test: Split, *, proof: bool = True, timeout: float = 600.0) -> Compiled:
    """Lower, simplify, prove the simplification, and check the result against the network on the whole test split.

    Args:
        run: A finished run.
        test: The split to check on, all of it.
        proof: Whether to prove; it needs the extra `prove`.
        timeout: Seconds that the proof may take.

    Raises:
        VerificationError: Circuit and network differ (the message shows where), or the proof ran out of time.
        MissingExtraError: No engine for proofs is installed.
    """
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[stage] = round(now - clock, 3)
        clock = now

    raw = lower_run(run)
    lap("lower")
    circuit, records = simplify(raw)
    lap("simplify")
    proven = require_equal(raw, circuit, timeout=timeout) if proof else None
    lap("prove")
    confusion = check_circuit(circuit, run.model, test)
    lap("check")
    notes = {
        "proof": "none" if proven is None else proven.method,
        "checked_samples": str(len(test)),
        "test_accuracy": f"{confusion.accuracy:.6f}",
    }
    circuit = circuit.replace(metadata={**circuit.metadata, **notes})
    return Compiled(circuit, raw, records, proven, len(test), confusion, seconds)


@torch.no_grad()
def check_circuit(circuit: Circuit, model: torch.nn.Module, split: Split) -> Confusion:
    """Compare a circuit's counts and classes with the discretized network's, sample by sample.

    Args:
        circuit: With encoder and head.
        model: From raw features to scores; evaluated on the CPU.
        split: Raw samples and labels.

    Returns:
        What both decided, against the labels.

    Raises:
        VerificationError: They differ; the message names the first sample and shows both counts.
    """
    if circuit.head is None:
        raise UnsupportedError("the circuit has no head, so it has no counts to compare with the network's")
    engine = Engine(circuit)
    counts, classes = engine.counts(split.x), engine.predict(split.x)
    model.eval()
    parts = torch.from_numpy(split.x).split(EVALUATION_BATCH)
    scores = torch.cat([model(part) for part in parts])
    expected = np.rint(scores.movedim(1, -1).double().numpy() * circuit.head.tau).astype(np.int64)
    chosen = predict(scores).numpy()
    apart = (expected != counts).any(axis=-1) | (chosen != classes)
    wrong = apart.reshape(len(split), -1).any(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        raise VerificationError(
            f"the circuit differs from the network on {int(wrong.sum())} of {len(split)} samples; on sample {first} its "
            f"counts are {counts[first].tolist()} (class {classes[first]}), the network's {expected[first].tolist()} "
            f"(class {chosen[first]})"
        )
    return Confusion.of(split.y, classes, circuit.head.n_classes)
