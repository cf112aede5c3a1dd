"""`Candidates`: the one object that owns a layer's gates, operands and logits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gatewright.errors import FormatError, OptionError, ShapeError, unknown_name
from gatewright.gates import N_GATES, Gate
from gatewright.kernels import ops
from gatewright.runtime.ranges import COUNT

INITS: tuple[str, ...] = ("gaussian", "residual")


class Candidates(nn.Module):
    """K candidates (gate, a, b) and K logits for each of M neurons.

    Operands are ids in the layer's own terms (features, or taps of a convolution window). Neuron m may use the ids
    `pool_start[m] .. pool_start[m] + pool_size - 1`.

    Args:
        neurons: Number of neurons M.
        candidates: Candidates K of each.
        pool_start: int64 [M], first operand a neuron may use.
        pool_size: Number of operands it may use.
        init: "gaussian" or "residual", see `LogicDense`.
        gates: Gate ids that may be drawn; None for all 16.
        generator: Source of randomness; None for torch's default generator.
        operands: First and second operands, int32 [M, K]; None to draw them.

    Attributes:
        logits: Parameter float32 [M, K].
        gate: Buffer uint8 [M, K], gate ids.
        a: Buffer int32 [M, K], first operands.
        b: Buffer int32 [M, K], second operands.
        allowed_gates: int64 [G], gate ids that may be drawn.
    """

    logits: nn.Parameter
    gate: Tensor
    a: Tensor
    b: Tensor
    pool_start: Tensor
    allowed_gates: Tensor
    _frozen_flag: Tensor

    def __init__(
        self,
        neurons: int,
        candidates: int,
        pool_start: Tensor,
        pool_size: int,
        *,
        init: str = "gaussian",
        gates: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
        operands: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__()
        candidates = COUNT.whole("candidates", candidates)
        if init not in INITS:
            raise unknown_name("initialisation", str(init), INITS)
        allowed = list(range(N_GATES)) if gates is None else [int(g) for g in gates]
        if not allowed or min(allowed) < 0 or max(allowed) >= N_GATES:
            raise OptionError(f"gates must be a non-empty list of gate ids 0..{N_GATES - 1}, got {gates}")
        if len(set(allowed)) < len(allowed):
            raise OptionError(f"gates must name each gate once, got {gates}")
        if init == "residual" and Gate.A not in allowed:
            raise OptionError("residual initialisation starts neurons as wires (gate A), which gates does not allow")
        self.pool_size = int(pool_size)
        self.register_buffer("pool_start", pool_start.to(torch.int64), persistent=False)
        self.register_buffer("allowed_gates", torch.tensor(allowed), persistent=False)
        a, b = operands or covering_operands(self.pool_start, self.pool_size, candidates, generator)
        self.register_buffer("a", a)
        self.register_buffer("b", b)
        self.register_buffer("gate", self.draw_gates((neurons, candidates), generator))
        self.register_buffer("_frozen_flag", torch.zeros((), dtype=torch.bool))
        self.frozen = False
        if init == "gaussian":
            logits = torch.randn(neurons, candidates, generator=generator)
        else:
            # Residual initialisation (LogicTreeNet, section 3): neurons start as wires with probability 0.9.
            logits = torch.zeros(neurons, candidates)
            logits[:, 0] = strong_logit(candidates)
            self.gate[:, 0] = Gate.A
        self.logits = nn.Parameter(logits)

    @property
    def n_neurons(self) -> int:
        """Number of neurons M."""
        return self.logits.shape[0]

    @property
    def n_candidates(self) -> int:
        """Number of candidates K of each neuron."""
        return self.logits.shape[1]

    def best(self) -> Tensor:
        """int64 [M]: the candidate each neuron discretizes to (the first among equals)."""
        best: Tensor = ops.best(self.logits.detach())
        return best

    def probabilities(self) -> Tensor:
        """Float [M, K]: softmax of the logits, without gradient."""
        return torch.softmax(self.logits.detach(), 1)

    def entropy(self) -> Tensor:
        """Float [M]: entropy of the candidates' probabilities, divided by log K so that it lies in 0..1."""
        if self.n_candidates == 1:
            return torch.zeros(self.n_neurons, device=self.logits.device)
        logp = torch.log_softmax(self.logits.detach(), 1)
        return -(logp.exp() * logp).sum(1) / math.log(self.n_candidates)

    def draw_gates(self, size: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
        """Uint8 of this size: gate ids drawn uniformly from the allowed ones."""
        at = torch.randint(len(self.allowed_gates), size, generator=generator, device=place_of(generator))
        return self.allowed_gates[at.to(self.allowed_gates.device)].to(torch.uint8)

    def draw_operands(self, pool_start: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Draw two different operands for each entry of `pool_start` (int64, any shape); two int32 tensors of its shape."""
        size, place, kind = pool_start.shape, place_of(generator), torch.int32
        a = torch.randint(self.pool_size, size, generator=generator, device=place, dtype=kind)
        b = a
        if self.pool_size > 1:
            b = torch.randint(self.pool_size - 1, size, generator=generator, device=place, dtype=kind).add_(a).add_(1)
            b = torch.where(b < self.pool_size, b, b - self.pool_size)  # cheaper than a remainder
        start = pool_start.to(kind)
        return start + a.to(start.device), start + b.to(start.device)

    def freeze(self, frozen: bool = True) -> None:
        """Compute with the best candidates from now on, without gradient; or, if `frozen` is False, learn again."""
        self.frozen = frozen
        self._frozen_flag.fill_(frozen)
        self.logits.requires_grad_(not frozen)
        if frozen:
            self.logits.grad = None

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *args: Any, **kwargs: Any) -> None:
        for name in ("logits", "gate", "a", "b", "_frozen_flag"):
            given, own = state_dict.get(prefix + name), getattr(self, name)
            if not isinstance(given, Tensor):
                raise FormatError(f"the state has no entry {prefix + name!r}")
            if given.shape != own.shape or given.dtype != own.dtype:
                raise ShapeError(
                    f"entry {prefix + name!r} of the state is {given.dtype} {tuple(given.shape)}, "
                    f"but this layer has {own.dtype} {tuple(own.shape)}"
                )
        self._check_wiring(state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self.freeze(bool(state_dict[prefix + "_frozen_flag"]))

    def _check_wiring(self, state_dict: Mapping[str, Any], prefix: str) -> None:
        if not bool(torch.isfinite(state_dict[prefix + "logits"]).all()):
            raise FormatError(f"entry {prefix + 'logits'!r} of the state has numbers that are not finite")
        if int(state_dict[prefix + "gate"].max()) >= N_GATES:
            raise FormatError(f"entry {prefix + 'gate'!r} of the state has gate ids over {N_GATES - 1}")
        start = self.pool_start[:, None].to(state_dict[prefix + "a"].device)
        for name in ("a", "b"):
            operand = state_dict[prefix + name]
            if bool(((operand < start) | (operand >= start + self.pool_size)).any()):
                raise FormatError(f"entry {prefix + name!r} of the state has operands outside of the layer's inputs")


def place_of(generator: torch.Generator | None) -> torch.device:
    """Where a generator draws."""
    return torch.device("cpu") if generator is None else generator.device


def strong_logit(candidates: int) -> float:
    """The logit that gives one candidate probability 0.9 among others at 0: log(9 (K - 1))."""
    return math.log(9 * (candidates - 1)) if candidates > 1 else 0.0


def neurons_by_pool(pool_start: Tensor) -> tuple[Tensor, ...]:
    """Neurons that may use the same operands, pool by pool: int64 [M] -> int64 tensors, each in ascending order."""
    sizes = pool_start.unique(return_counts=True)[1]
    parts: tuple[Tensor, ...] = torch.argsort(pool_start, stable=True).split(sizes.tolist())
    return parts


def covering_operands(
    pool_start: Tensor, pool_size: int, candidates: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Random wiring that uses every input: shuffled copies of the pool dealt out to the slots.

    First operands of all neurons' first candidates come first, then second operands, then the next candidates, so even a
    network of wires sees every input if it has enough neurons. The two operands of a candidate differ.

    Returns:
        Operands a and b, int32 [M, K].
    """
    slots = torch.empty(candidates, 2, len(pool_start), dtype=torch.int64)
    for mine in neurons_by_pool(pool_start):
        wanted = candidates * 2 * len(mine)
        deals = [torch.randperm(pool_size, generator=generator) for _ in range(-(-wanted // pool_size))]
        slots[:, :, mine] = torch.cat(deals)[:wanted].view(candidates, 2, len(mine))
    a, b = slots[:, 0].T, slots[:, 1].T
    if pool_size > 1:
        b = torch.where(a == b, (b + 1) % pool_size, b)
    start = pool_start[:, None]
    return (start + a).to(torch.int32).contiguous(), (start + b).to(torch.int32).contiguous()
