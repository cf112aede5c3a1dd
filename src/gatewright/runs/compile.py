"""From a trained run to a simplified circuit that is proven and checked."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from gatewright.card import Pruned
from gatewright.circuit import Circuit, PassRecord, Proof, require_equal, simplify
from gatewright.data import Dataset, Split
from gatewright.engine import Engine
from gatewright.errors import OptionError, UnsupportedError, VerificationError
from gatewright.nn import NumberSum
from gatewright.runs.confusion import Confusion
from gatewright.runs.fit import Fit
from gatewright.runs.prune import prune
from gatewright.runs.run import TrainedRun, lower_run
from gatewright.training.batches import EVALUATION_BATCH
from gatewright.training.objective import predict


@dataclass(frozen=True)
class Compiled:
    """A run's circuit, and what it was checked by.

    Attributes:
        circuit: Simplified, and pruned if that was wanted; proof, check and pruning are noted in its metadata.
        raw: Gate for gate as the network has it.
        records: What each pass of the simplification did.
        proof: That `raw` and the simplified circuit, before any pruning, are equal for every input; None without a
            proof.
        samples: Samples on which the counts of the simplified circuit and of the network are equal.
        judged: The circuit's decisions on these samples, or how near its numbers are.
        pruned: Which of the network's gates were removed; None if none were.
        seconds: Wall-clock time of the stages lower, simplify, prove, check, prune.
    """

    circuit: Circuit
    raw: Circuit
    records: list[PassRecord]
    proof: Proof | None
    samples: int
    judged: Confusion | Fit
    pruned: Pruned | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def figure(self) -> str:
        """What `accuracy` is: `accuracy`, or `R^2` of numbers."""
        return self.judged.figure

    @property
    def accuracy(self) -> float:
        """Of the circuit on the test split, 0 to 1 (R^2 of numbers); without pruning the same as the network's."""
        return self.judged.merit

    @property
    def confusion(self) -> Confusion:
        """The circuit's decisions.

        Raises:
            UnsupportedError: It gives numbers.
        """
        if isinstance(self.judged, Fit):
            raise UnsupportedError("the circuit gives numbers, so there are no classes that it confuses")
        return self.judged


def compile_run(
    run: TrainedRun, dataset: Dataset, *, proof: bool = True, prune_too: bool | None = None, timeout: float = 600.0
) -> Compiled:
    """Lower, simplify, prove the simplification, and check the result against the network on the full test split.

    Args:
        run: A finished run.
        dataset: What it was trained on; the check takes its full test split.
        proof: Whether to prove; it needs the extra `prove`.
        prune_too: Whether to remove, after proof and check, what training samples do not need; None for `circuit.prune`.
        timeout: Seconds that the proof may take.

    Raises:
        VerificationError: Circuit and network differ (the message shows where), or the proof ran out of time.
        OptionError: Pruning is wanted, but the network has learned from the validation split.
        MissingExtraError: No engine for proofs is installed.
    """
    seconds: dict[str, float] = {}
    clock = time.perf_counter()

    def lap(stage: str) -> None:
        nonlocal clock
        now = time.perf_counter()
        seconds[stage] = round(now - clock, 3)
        clock = now

    test = dataset.test
    wanted = run.config.circuit.prune if prune_too is None else prune_too
    if wanted and run.config.data.validation == "none":
        raise OptionError(
            "pruning is judged on validation, but the network has learned from it (data.validation: none)"
        )
    if wanted and dataset.numbers:
        raise OptionError("pruning is judged by right classes, but the network gives numbers; do not prune it")
    raw = lower_run(run)
    lap("lower")
    circuit, records = simplify(raw, return_records=True)
    lap("simplify")
    proven = require_equal(raw, circuit, timeout=timeout) if proof else None
    lap("prove")
    judged = check_circuit(circuit, run.model, test)
    lap("check")
    pruned = None
    if wanted:
        circuit, pruned = prune(circuit, dataset.train, dataset.validation, test)
        judged = Confusion.of(test.y, Engine(circuit).predict(test.x), dataset.n_classes)
        lap("prune")
    compiled = Compiled(circuit, raw, records, proven, len(test), judged, pruned, seconds)
    notes = {
        "proof": "none" if proven is None else proven.method,
        "checked_samples": str(len(test)),
        "test_r2" if dataset.numbers else "test_accuracy": f"{compiled.accuracy:.6f}",
    }
    if pruned is not None:
        notes["pruned"] = f"lossy: not the network for every input (tolerance {pruned.tolerance})"
    return replace(compiled, circuit=circuit.replace(metadata={**circuit.metadata, **notes}))


@torch.no_grad()
def check_circuit(circuit: Circuit, model: torch.nn.Sequential, split: Split) -> Confusion | Fit:
    """Compare a circuit's counts and classes with the discretized network's on the CPU; return what both decide.

    Of numbers, counts are compared: the line that makes numbers of them is the circuit's alone.

    Raises:
        VerificationError: They differ; the message names the first sample and shows both counts.
    """
    if circuit.head is None:
        raise UnsupportedError("the circuit has no head, so it has no counts to compare with the network's")
    engine = Engine(circuit)
    counts, decided = engine.counts(split.x), engine.predict(split.x)
    model.eval()
    parts = torch.from_numpy(split.x).split(EVALUATION_BATCH)
    scores = torch.cat([model(part) for part in parts])
    if isinstance(head := model[-1], NumberSum):
        expected = np.rint((scores.double().numpy() - head.base()) * head.tau).astype(np.int64)
        chosen = decided
    else:
        expected = np.rint(scores.movedim(1, -1).double().numpy() * circuit.head.tau).astype(np.int64)
        chosen = predict(scores).numpy()
    apart = (expected != counts).any(axis=-1) | (chosen != decided)
    wrong = apart.reshape(len(split), -1).any(axis=1)
    if wrong.any():
        first = int(wrong.argmax())
        raise VerificationError(
            f"the circuit differs from the network on {int(wrong.sum())} of {len(split)} samples; on sample {first} its "
            f"counts are {counts[first].tolist()} (decided: {decided[first]}), the network's {expected[first].tolist()} "
            f"(decided: {chosen[first]})"
        )
    return Fit(split.y, decided) if circuit.head.number else Confusion.of(split.y, decided, circuit.head.n_classes)
