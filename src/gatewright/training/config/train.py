"""The section `train`: the run itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gatewright.runtime.schema import Section
from gatewright.training.config.values import Count, Seed

SMALL_STEP = 1 << 23
"""Candidate-samples of a step (about 2 ms on one core) below which one thread is used."""


class TrainOptions(Section):
    """The run itself.

    Attributes:
        steps: Optimizer steps.
        batch: Samples per step.
        eval_every: Steps between evaluations on the validation split; null for 20 evaluations over the run.
        checkpoint_every: Steps between checkpoints; null for one with every evaluation.
        log_every: Steps between lines of training metrics.
        seed: Of the run's one random generator.
        device: `auto` takes CUDA if available.
        precision: Type of the activations of soft layers; sums, weights and the optimizer are float32 in either case.
        graph: On CUDA, whether steps are recorded and repeated as CUDA graphs.
        threads: Of the CPU; null for one thread where a step is so little work that waiting for others costs more
            than they do, and for torch's own number otherwise.
        keep: `best` keeps the weights of the best hard validation accuracy (the latest among equals), `last` the final
            ones.
    """

    steps: Count
    batch: Count = 128
    eval_every: Count | None = None
    checkpoint_every: Count | None = None
    log_every: Count = 50
    seed: Seed = 0
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    precision: Literal["float32", "bfloat16"] = "float32"
    graph: bool = True
    threads: Count | None = None
    keep: Literal["best", "last"] = "best"

    @property
    def evaluation_interval(self) -> int:
        """Steps between evaluations."""
        return self.eval_every or max(1, self.steps // 20)

    @property
    def checkpoint_interval(self) -> int:
        """Steps between checkpoints."""
        return self.checkpoint_every or self.evaluation_interval

    def thread_count(self, candidates: int) -> int:
        """CPU threads to train with: as given, or by rule from the work of a step, in candidates per sample."""
        import torch

        if self.threads is not None:
            return self.threads
        return 1 if candidates * self.batch < SMALL_STEP else torch.get_num_threads()
