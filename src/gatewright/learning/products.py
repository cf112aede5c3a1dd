"""(+) Guided proposals as matrix products: every input is tried, not a few random pairs.

With G the gradients of a layer's outputs and X its inputs over some batches, G X' holds the sum g x_i of every neuron
and input, and (G * x_a) X' the sum g x_a x_i of every input paired with an anchor a: an operand of the neuron's best
candidate, or one drawn at random, because some inputs (those of an XOR) show no slope until both are read. With S0 and Sa
these are the candidate sums of all pairs (a, i), and the best pair and gate follow as in `proposals.py`.

The products of [neurons, samples] by [samples, inputs] suit tensor cores: on a GPU they take TF32, whose rounding is far
below what separates good inputs from others. On a processor without tensor cores random pairs are faster.

A convolution's products are its weight gradient (positions count as samples), taken here as one batched product over
groups of channels that may read the same taps: unlike a library's weight gradient it is the same for dense layers and
any grouping, and adds in one order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gatewright.errors import FormatError, OptionError, shown
from gatewright.kernels import ops
from gatewright.kernels.reference import minterm_slopes
from gatewright.learning.proposals import GuidedProposals, _Trial
from gatewright.learning.state import entries, entry
from gatewright.nn import LogicLayer
from gatewright.nn.candidates import Candidates, neurons_by_pool, place_of
from gatewright.nn.functional import Geometry, Recorded, Recorder
from gatewright.runtime.ranges import COUNT

ANCHORS = 3
"""Both operands of the best candidate, and one at random."""

CHUNK = 1 << 26
"""Numbers in the largest intermediate tensor (256 MiB)."""


class _Held(NamedTuple):
    """What one backward pass left of a layer: sample shape, inputs (words or floats), gradients [M, P, N]."""

    in_shape: tuple[int, ...]
    x: Tensor
    grad: Tensor


class ProductProposals(GuidedProposals):
    """`GuidedProposals` that pairs a few anchors of each neuron with every input; same rounds, same replacement.

    Args:
        model: Any module that contains logic layers.
        optimizer: The optimizer of their logits.
        inputs: Inputs tried per round and neuron, at most: a new choice each round, shared by the neurons of a layer.
        chance: Probability with which a neuron may take an input that is tried, which keeps neurons different.
        **options: Those of `GuidedProposals` without `trials`.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        inputs: int = 1024,
        chance: float = 0.1,
        **options: Any,
    ) -> None:
        COUNT.whole("inputs", inputs)
        if not 0 < chance <= 1:
            raise OptionError(f"chance must lie in (0, 1], got {chance}")
        self.inputs, self.chance = inputs, chance
        super().__init__(model, optimizer, trials=ANCHORS, **options)
        self.held: list[list[_Held]] = [[] for _ in self.layers]
        self.groups = [_groups(layer.candidates.pool_start) for layer in self.layers]

    def _collector(self, i: int, layer: LogicLayer) -> Recorder:
        def collect(recorded: Recorded) -> None:
            c, trial = layer.candidates, self.trial[i]
            if trial is None:
                none = torch.zeros(c.n_neurons, ANCHORS, dtype=torch.int32, device=c.a.device)
                sums = recorded.sums.new_zeros(c.n_neurons, ANCHORS + c.n_candidates, 3)
                trial = self.trial[i] = _Trial(none, none.clone(), torch.zeros_like(recorded.s0), sums)
            trial.s0 += recorded.s0
            trial.sums[:, ANCHORS:] += recorded.sums
            # Copies: a graphed step's next repetition writes to the same memory.
            self.held[i].append(_Held(recorded.geometry.in_shape, recorded.x.clone(), recorded.gradient().clone()))

        return collect

    def _replace(self, i: int, layer: LogicLayer) -> None:
        trial, held = self.trial[i], self.held[i]
        assert trial is not None  # noqa: S101 - the caller has checked
        c = layer.candidates
        at = c.best().unsqueeze(1)
        drawn, _ = c.draw_operands(c.pool_start, self.generator)
        anchors = torch.cat([c.a.gather(1, at), c.b.gather(1, at), drawn.unsqueeze(1)], 1)
        place = place_of(self.generator)
        order = torch.randperm(c.pool_size, generator=self.generator, device=place)[: self.inputs].to(anchors.device)
        seed = torch.randint(2**31, (ANCHORS,), generator=self.generator, device=place).to(anchors.device)
        samples = max(h.grad.shape[1] * h.grad.shape[2] for h in held)
        for block in self.groups[i].split(max(1, CHUNK // (len(order) * samples))):
            for neurons in block.split(max(1, CHUNK // (len(block) * max(len(order), samples))), dim=1):
                for slot in range(ANCHORS):
                    self._try(i, layer, neurons, anchors[:, slot], order, slot, seed[slot])
        trial.a.copy_(anchors)
        self.held[i] = []
        super()._replace(i, layer)

    def _try(
        self, i: int, layer: LogicLayer, neurons: Tensor, anchor: Tensor, order: Tensor, slot: int, seed: Tensor
    ) -> None:
        """Find the best input beside one anchor: neurons int64 [groups, m], anchor [M], order [I] within the pool."""
        c, trial = layer.candidates, self.trial[i]
        assert trial is not None  # noqa: S101
        ids = c.pool_start[neurons[:, :1]] + order  # [groups, I]
        shape = (*neurons.shape, len(order))
        s0, sa = trial.s0.new_zeros(neurons.shape), trial.s0.new_zeros(neurons.shape)
        s1, s2 = trial.s0.new_zeros(shape), trial.s0.new_zeros(shape)
        for held in self.held[i]:
            geometry = layer.geometry(held.in_shape)
            inputs = _read(layer, geometry, held, ids).transpose(1, 2)
            grad = held.grad.flatten(1)[neurons].to(s0.dtype)
            anchored = grad * _read(layer, geometry, held, anchor[neurons])
            with tensor_cores():
                s1 += grad @ inputs
                s2 += anchored @ inputs
            s0 += grad.sum(-1)
            sa += anchored.sum(-1)
        self.reduce([s0, sa, s1, s2])
        sums = torch.stack([sa.unsqueeze(-1).expand(shape), s1, s2], -1)
        slope = minterm_slopes(s0.flatten(), sums.flatten(0, 1)).clamp(max=0).sum(-1).view(shape)
        barred = ~_chosen(neurons, order, seed, self.chance) | (ids.unsqueeze(1) == anchor[neurons].unsqueeze(-1))
        pick = slope.masked_fill(barred, torch.inf).argmin(-1, keepdim=True)
        trial.b[neurons, slot] = ids.unsqueeze(1).expand(shape).gather(-1, pick).squeeze(-1).to(torch.int32)
        at = pick.unsqueeze(-1).expand(*pick.shape, 3)
        # Where nothing was allowed the sums are zero, and zero is no descent.
        allowed = ~barred.all(-1, keepdim=True)
        trial.sums[neurons, slot] = sums.gather(2, at).squeeze(2) * allowed

    def state_dict(self) -> dict[str, Any]:
        """See `GuidedProposals.state_dict`.

        Within a round it holds samples: those of this process, if there are several.
        """
        held = [[{"in_shape": list(h.in_shape), "x": h.x, "grad": h.grad} for h in layer] for layer in self.held]
        return {**super().state_dict(), "held": held}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        super().load_state_dict(state)
        for i, (layer, held) in enumerate(zip(self.layers, entries(state, "held", len(self.layers)), strict=True)):
            self.held[i] = [_checked_held(layer, saved) for saved in held]

    def _check_operands(self, candidates: Candidates, trial: _Trial) -> None:
        """Nothing to check: operands are found at the end of a round, and until then are zeros."""


def _checked_held(layer: LogicLayer, saved: Any) -> _Held:
    """Samples and gradients of one step from a file."""
    shape, x, grad = (entry(saved, name) for name in ("in_shape", "x", "grad"))
    if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
        raise FormatError(f"held samples have the shape {shown(shape)}")
    geometry = layer.geometry(tuple(shape))
    if not (isinstance(x, Tensor) and isinstance(grad, Tensor) and x.ndim == 2 and grad.ndim == 3):
        raise FormatError(f"held samples are {shown(x)}, their gradients {shown(grad)}")
    columns = -(-grad.shape[2] // 64) if x.dtype == torch.int64 else grad.shape[2]
    sides = (layer.candidates.n_neurons, len(geometry.positions))
    sizes = [n + 2 * geometry.padding * (i > 0) for i, n in enumerate(shape)]  # padded, if it is an image
    if x.shape != (math.prod(sizes), columns) or grad.shape[:2] != sides or not grad.is_floating_point():
        raise FormatError(f"held samples are {tuple(x.shape)}, their gradients {tuple(grad.shape)}")
    place = layer.candidates.a.device
    return _Held(tuple(shape), x.to(place), grad.to(place))


def _chosen(neurons: Tensor, inputs: Tensor, seed: Tensor, chance: float) -> Tensor:
    """Which neurons [groups, m] may take which inputs [I]: bool [groups, m, I], by a hash.

    Unlike numbers drawn in a row, it does not depend on how the neurons are cut into chunks.
    """
    mixed = (neurons.unsqueeze(-1) * 0x9E3779B1 + inputs * 0x85EBCA6B + seed) & 0xFFFFFFFF
    for factor in (0x2C1B3C6D, 0x297A2D39):
        mixed = ((mixed ^ (mixed >> 15)) * factor) & 0xFFFFFFFF
    return (mixed >> 8) < int(chance * 2**24)


def _groups(pool_start: Tensor) -> Tensor:
    """Neurons that may read the same inputs: int64 [groups, neurons]; a short group repeats its last one."""
    parts = neurons_by_pool(pool_start.cpu())
    longest = max(map(len, parts))
    rows = [torch.cat([part, part[-1:].expand(longest - len(part))]) for part in parts]
    return torch.stack(rows).to(pool_start.device)


def _read(layer: LogicLayer, geometry: Geometry, held: _Held, operand: Tensor) -> Tensor:
    """Values of operands [groups, n] over positions and samples: float [groups, n, P * N]."""
    rows = layer.operand_rows(operand.to(torch.int32), geometry).to(torch.int64)
    at = (rows.flatten()[:, None] + geometry.positions.to(torch.int64)).flatten()
    x = held.x[at]
    if held.x.dtype == torch.int64:
        x = ops.unpack(x, held.grad.shape[2])
    return x.to(torch.float32).view(*operand.shape, -1)


@contextmanager
def tensor_cores() -> Iterator[None]:
    """Let float32 products on NVIDIA GPUs take TF32 within the context."""
    matmul = torch.backends.cuda.matmul
    name, fast = ("fp32_precision", "tf32") if hasattr(matmul, "fp32_precision") else ("allow_tf32", True)
    before = getattr(matmul, name)
    setattr(matmul, name, fast)
    try:
        yield
    finally:
        setattr(matmul, name, before)
