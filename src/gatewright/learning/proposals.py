"""(+) Guided proposals: candidates replaced by the pairs and gates along which the loss descends most steeply.

The candidate sums S0, Sa, Sb, Sab of a pair (a, b) give d loss / d p of *all sixteen* gates on it. Written by minterm,

    W11 = Sab,  W10 = Sa - Sab,  W01 = Sb - Sab,  W00 = S0 - Sa - Sb + Sab,

a gate's slope is the sum of the W whose minterm it contains, so the best gate of the pair contains exactly the minterms
with negative W, and its slope is the sum of those. Trying a pair thus costs as much as one ordinary candidate, and finds
the best of sixteen gates; pairs that are candidates already cost nothing, because the backward pass has their sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gatewright.errors import FormatError, OptionError, shown
from gatewright.kernels import ops
from gatewright.kernels.reference import slopes
from gatewright.learning.optimizer_state import reset_moments
from gatewright.learning.reduction import Reduce, alone
from gatewright.learning.state import MOST_STEPS, counts, entries, entry, whole
from gatewright.nn import LogicLayer, logic_layers
from gatewright.nn.candidates import Candidates, place_of
from gatewright.nn.functional import Recorded, Recorder
from gatewright.runtime.ranges import COUNT, COUNT_OR_NONE, MARGIN


@dataclass
class _Trial:
    """Pairs on trial in one layer, and their sums so far: `a`, `b` int32 [M, T]; `sums` [M, T + K, 3]; `s0` [M]."""

    a: Tensor
    b: Tensor
    s0: Tensor
    sums: Tensor


class GuidedProposals:
    """Replace unlikely candidates by the best of random pairs; call `step()` after `optimizer.step()`.

    In rounds of `every` steps, each unfrozen layer draws `trials` pairs per neuron. Half of them keep an operand of the
    neuron's best candidate and draw the other one, the rest are new pairs. Their candidate sums are collected in the last
    `batches` steps of the round, and the pair and gate of steepest descent replaces the least likely candidate, with logit
    `best - margin` and optimizer moments reset, if it is steeper than the best candidate itself.

    Example:
        >>> import gatewright as gw
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = gw.LogicDense(50, 20, relaxation="hard", generator=generator)
        >>> model = torch.nn.Sequential(layer, gw.GroupSum(2))
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        >>> connections = gw.GuidedProposals(model, optimizer, every=2, generator=generator)
        >>> x = (torch.rand(64, 50, generator=generator) < 0.5).float()
        >>> for _ in range(2):
        ...     optimizer.zero_grad()
        ...     torch.nn.functional.cross_entropy(model(x), x[:, 7].long()).backward()
        ...     optimizer.step()
        ...     connections.step()
        >>> connections.statistics["proposed"][0] > 0  # candidates replaced, per layer
        True

    Args:
        model: Any module that contains logic layers.
        optimizer: The optimizer of their logits.
        every: Steps of a round.
        batches: Batches over which sums are collected. The best of many pairs on few samples is mostly noise: 32
            batches out of 40 steps help on CIFAR-10, and are level on MNIST (docs/connections.md).
        trials: Pairs on trial per neuron and round.
        replace: Candidates replaced per neuron and round, at most.
        margin: How far below the best logit a new candidate starts.
        share: Share of the neurons (drawn anew each round) that may replace a candidate. Below 1 the layers of a deep
            network do not all move at once, which helps where the temperature is too low (docs/connections.md).
        stop_step: No proposals from this step on; None for never.
        generator: Source of randomness; None for torch's default generator.
        reduce: Averages over the processes that train together, if there are several.
    """

    observing = False
    """Whether `observe` does anything."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        every: int = 10,
        batches: int = 2,
        trials: int = 16,
        replace: int = 1,
        margin: float = 0.3,
        share: float = 1.0,
        stop_step: int | None = None,
        generator: torch.Generator | None = None,
        reduce: Reduce = alone,
    ) -> None:
        for name, value in {"every": every, "batches": batches, "trials": trials, "replace": replace}.items():
            COUNT.whole(name, value)
        if batches > every:
            raise OptionError(f"expected batches <= every, got batches = {batches} and every = {every}")
        MARGIN.check("margin", margin)
        if stop_step is not None:
            COUNT_OR_NONE.whole("stop_step", stop_step)
        if not 0 < share <= 1:
            raise OptionError(f"share must lie in (0, 1], got {share}")
        self.layers = logic_layers(model)
        self.optimizer = optimizer
        self.share = share
        self.every, self.batches, self.trials, self.replace = every, batches, trials, replace
        self.margin, self.stop_step, self.generator = margin, stop_step, generator
        self.reduce = reduce
        self.steps = 0
        self.proposed = [0] * len(self.layers)
        self.trial: list[_Trial | None] = [None] * len(self.layers)
        self._handles: list[RemovableHandle] = []
        self._prepare()

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_handles": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy watches the layers that were copied with it."""
        vars(self).update(state)
        self._prepare()

    def step(self) -> None:
        """End the step: at the end of a round, replace candidates."""
        self.decide()

    def observe(self) -> None:
        """Do nothing: sums arrive from the backward pass, through the layers' recorders."""

    @torch.no_grad()
    def decide(self) -> None:
        """See `step`."""
        self.steps += 1
        if self.steps % self.every == 0:
            for i, layer in enumerate(self.layers):
                if self.trial[i] is not None and not layer.frozen:
                    self._replace(i, layer)
                self.trial[i] = None
        self._prepare()

    def remove(self) -> None:
        """Watch the layers no longer."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def _prepare(self) -> None:
        """Register or remove the layers' recorders for the next step; a round that was missed in part is left out."""
        self.remove()
        active = self.stop_step is None or self.steps < self.stop_step
        collected = self.steps % self.every - (self.every - self.batches)  # batches of this round so far
        self._handles = [
            layer.register_recorder(self._collector(i, layer))
            for i, layer in enumerate(self.layers)
            if active and not layer.frozen and (collected == 0 or (collected > 0 and self.trial[i] is not None))
        ]

    def _collector(self, i: int, layer: LogicLayer) -> Recorder:
        def collect(recorded: Recorded) -> None:
            trial = self.trial[i]
            if trial is None:
                trial = self.trial[i] = self._draw(layer, recorded)
            rows = (layer.operand_rows(operand, recorded.geometry) for operand in (trial.a, trial.b))
            sums = recorded.pair_sums(*rows)
            trial.s0 += recorded.s0
            trial.sums[:, : self.trials] += sums
            trial.sums[:, self.trials :] += recorded.sums

        return collect

    def _draw(self, layer: LogicLayer, recorded: Recorded) -> _Trial:
        c = layer.candidates
        a, b = c.draw_operands(c.pool_start[:, None].expand(-1, self.trials), self.generator)
        anchored = self.trials // 2
        at = c.best().unsqueeze(1)
        own = torch.cat([c.a.gather(1, at), c.b.gather(1, at)], 1)
        place = place_of(self.generator)
        side = torch.randint(2, (c.n_neurons, anchored), generator=self.generator, device=place).to(own.device)
        kept = own.gather(1, side)
        # Of two different operands one is not the kept one.
        b = torch.cat([torch.where(b[:, :anchored] == kept, a[:, :anchored], b[:, :anchored]), b[:, anchored:]], 1)
        a = torch.cat([kept, a[:, anchored:]], 1)
        sums = torch.zeros(c.n_neurons, self.trials + c.n_candidates, 3, device=c.a.device, dtype=recorded.sums.dtype)
        return _Trial(a, b, torch.zeros_like(recorded.s0), sums)

    def _replace(self, i: int, layer: LogicLayer) -> None:
        trial, c = self.trial[i], layer.candidates
        assert trial is not None  # noqa: S101 - the caller has checked
        self.reduce([trial.s0, trial.sums])
        rounds = min(self.replace, c.n_candidates - 1)
        pick, gate, slope = ops.steepest(trial.s0, trial.sums, c.allowed_gates, rounds)
        best = c.best().unsqueeze(1)
        own = trial.sums[:, self.trials :].take_along_dim(best.unsqueeze(2), 1)
        bar = slopes(c.gate.gather(1, best), trial.s0, own).squeeze(1)
        a, b = (_picked(*pairs, pick) for pairs in ((trial.a, c.a), (trial.b, c.b)))
        chance = torch.rand(c.n_neurons, generator=self.generator, device=place_of(self.generator))
        eligible = (chance < self.share).to(a.device)
        for r in range(rounds):
            # Only where it descends more steeply than what the neuron has.
            neuron = ((slope[:, r] < bar) & eligible).nonzero().squeeze(1)
            logits = c.logits[neuron]
            slot = logits.argmin(1)
            c.gate[neuron, slot] = gate[neuron, r]
            c.a[neuron, slot], c.b[neuron, slot] = a[neuron, r], b[neuron, r]
            c.logits[neuron, slot] = logits.amax(1) - self.margin
            reset_moments(self.optimizer, c.logits, (neuron, slot))
            self.proposed[i] += len(neuron)

    @property
    def statistics(self) -> dict[str, list[int]]:
        """Per layer: candidates replaced so far."""
        return {"proposed": list(self.proposed)}

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to resume to the same bits (the generator is the caller's to save)."""
        trials = [None if t is None else {k: v.clone() for k, v in vars(t).items()} for t in self.trial]
        self.reduce([t[name] for t in trials if t is not None for name in ("s0", "sums")])
        return {"steps": self.steps, "proposed": list(self.proposed), "trials": trials}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.steps = whole(state, "steps", 0, MOST_STEPS)
        self.proposed = counts(state, "proposed", len(self.layers))
        trials = entries(state, "trials", len(self.layers))
        self.trial = [self._checked(layer.candidates, t) for layer, t in zip(self.layers, trials, strict=True)]
        self._prepare()

    def _checked(self, candidates: Candidates, saved: Any) -> _Trial | None:
        """Pairs on trial from a file: kernels follow their operands without looking."""
        if saved is None:
            return None
        neurons, pairs = candidates.n_neurons, self.trials + candidates.n_candidates
        tried = (neurons, self.trials)
        shapes = {"a": tried, "b": tried, "s0": (neurons,), "sums": (neurons, pairs, 3)}
        parts: dict[str, Tensor] = {}
        for name, shape in shapes.items():
            part = entry(saved, name)
            fits = isinstance(part, Tensor) and part.shape == shape and part.is_floating_point() == (name[0] == "s")
            if not fits or (name[0] != "s" and part.dtype != torch.int32):
                raise FormatError(f"the pairs on trial have no {name!r} of shape {shape}, but {shown(part)}")
            parts[name] = part.clone()
        trial = _Trial(**parts)
        if not bool(torch.isfinite(trial.sums).all() and torch.isfinite(trial.s0).all()):
            raise FormatError("the pairs on trial have sums that are not finite")
        self._check_operands(candidates, trial)
        place = candidates.a.device  # a checkpoint is read to the CPU
        return _Trial(**{name: part.to(place) for name, part in parts.items()})

    def _check_operands(self, candidates: Candidates, trial: _Trial) -> None:
        start = candidates.pool_start[:, None].to(trial.a.device)
        for operand in (trial.a, trial.b):
            if bool(((operand < start) | (operand >= start + candidates.pool_size)).any()):
                raise FormatError("the pairs on trial have operands outside of the layer's inputs")


def _picked(tried: Tensor, own: Tensor, pick: Tensor) -> Tensor:
    """Operands int32 [M, C] of the picked pairs, of which those on trial [M, T] come before the candidates [M, K]."""
    n = tried.shape[1]
    return torch.where(pick < n, tried.gather(1, pick.clamp(max=n - 1)), own.gather(1, (pick - n).clamp(min=0)))
