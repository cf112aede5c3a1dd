"""The paper's connection learning: adaptive resampling of candidates (arXiv 2602.05830, section 3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from gatewright.errors import OptionError
from gatewright.learning.convergence import Convergence
from gatewright.learning.optimizer_state import reset_moments
from gatewright.learning.reduction import Reduce, alone
from gatewright.learning.state import MOST_STEPS, counts, entries, real, whole
from gatewright.nn import Candidates, logic_layers
from gatewright.nn.candidates import place_of, strong_logit
from gatewright.runtime.ranges import COUNT, COUNT_OR_NONE


class AdaptiveResampling:
    """Redraw candidates of neurons whose entropy has settled; call `step()` after `optimizer.step()`.

    For every neuron of every unfrozen layer: h is the normalised entropy of its candidates' probabilities, and the neuron
    has converged when h stayed within `tolerance` of its exponential average for `patience` steps in a row. Then

    - if its best candidate has probability over `strong`, that candidate is kept with logit log(9 (K - 1)) (probability
      0.9); the other logits become 0 and their gates and operands are redrawn;
    - if the best probability is under `weak`, all candidates are redrawn, logits from N(0, 1).

    In both cases the optimizer's moments of the neuron are reset and its average starts anew.

    Example:
        >>> import gatewright as gw
        >>> import torch
        >>> model = torch.nn.Sequential(gw.LogicDense(50, 20), gw.GroupSum(2))
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        >>> connections = gw.AdaptiveResampling(model, optimizer, patience=3)
        >>> for _ in range(4):
        ...     connections.step()  # after each optimizer.step(); nothing changes here, so entropies settle
        >>> connections.statistics["weak_redraws"][0] > 0  # no candidate was likely
        True

    Args:
        model: Any module that contains logic layers.
        optimizer: The optimizer of their logits.
        patience: Steps in a row.
        decay: Weight of the past in the average.
        tolerance: How near h must stay.
        strong: See above.
        weak: See above.
        every: Steps between redraws: 1 in the paper. Neurons that settle in between wait; on a GPU, a redraw makes the host
            wait for the device, which costs more.
        stop_step: No redraws from this step on (the last third of training, in the paper); None for never.
        generator: Source of randomness; None for torch's default generator.
        reduce: Averages over the processes that train together, if there are several.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        *,
        patience: int = 100,
        decay: float = 0.99,
        tolerance: float = 5e-4,
        strong: float = 0.95,
        weak: float = 0.4,
        every: int = 1,
        stop_step: int | None = None,
        generator: torch.Generator | None = None,
        reduce: Reduce = alone,
    ) -> None:
        if not 0 <= weak <= strong <= 1:
            raise OptionError(f"expected 0 <= weak <= strong <= 1, got weak = {weak} and strong = {strong}")
        if stop_step is not None:
            COUNT_OR_NONE.whole("stop_step", stop_step)
        self.every = COUNT.whole("every", every)
        self.layers = [layer.candidates for layer in logic_layers(model)]
        self.optimizer = optimizer
        self.strong, self.weak, self.stop_step, self.generator = strong, weak, stop_step, generator
        self.reduce = reduce
        self.trackers = [
            Convergence(c.n_neurons, patience=patience, decay=decay, tolerance=tolerance) for c in self.layers
        ]
        self.steps = 0
        device = self.layers[0].logits.device if self.layers else torch.device("cpu")
        self.entropy = torch.ones(len(self.layers), device=device)
        self.strong_redraws = [0] * len(self.layers)
        self.weak_redraws = [0] * len(self.layers)

    def step(self) -> None:
        """Update the averages, and redraw neurons that have settled."""
        self.observe()
        self.decide()

    @torch.no_grad()
    def observe(self) -> None:
        """Take the entropies of all neurons of unfrozen layers."""
        if not self.observing:
            return
        entropy = {i: candidates.entropy() for i, candidates in enumerate(self.layers) if not candidates.frozen}
        self.reduce(list(entropy.values()))
        for i, h in entropy.items():
            self.entropy[i].copy_(h.mean())
            self.trackers[i].update(h)

    @torch.no_grad()
    def decide(self) -> None:
        """End the step: redraw the neurons that have settled, every `every` steps."""
        active = self.observing
        self.steps += 1
        if not active or self.steps % self.every:
            return
        for i, (candidates, tracker) in enumerate(zip(self.layers, self.trackers, strict=True)):
            if candidates.frozen:
                continue
            settled = tracker.settled
            if not bool(settled.any()):
                continue
            top = candidates.probabilities().amax(1)
            strong, weak = settled & (top > self.strong), settled & (top < self.weak)
            self._redraw_others(candidates, strong)
            self._redraw_all(candidates, weak)
            touched = strong | weak
            tracker.restart(touched)
            reset_moments(self.optimizer, candidates.logits, touched[:, None].expand_as(candidates.logits))
            self.strong_redraws[i] += int(strong.sum())
            self.weak_redraws[i] += int(weak.sum())

    @property
    def observing(self) -> bool:
        """Whether `observe` does anything at this step."""
        return self.stop_step is None or self.steps < self.stop_step

    def _redraw_others(self, candidates: Candidates, where: Tensor) -> None:
        neuron = where.nonzero().squeeze(1)
        keep = candidates.best()[neuron]
        redraw = torch.ones(len(neuron), candidates.n_candidates, dtype=torch.bool, device=where.device)
        redraw[torch.arange(len(neuron), device=where.device), keep] = False
        candidates.logits[neuron] = torch.where(redraw, 0.0, strong_logit(candidates.n_candidates))
        slot = redraw.nonzero()
        redraw_slots(candidates, neuron[slot[:, 0]], slot[:, 1], self.generator)

    def _redraw_all(self, candidates: Candidates, where: Tensor) -> None:
        neuron = where.nonzero().squeeze(1)
        k, place = candidates.n_candidates, place_of(self.generator)
        logits = torch.randn(len(neuron), k, generator=self.generator, device=place)
        candidates.logits[neuron] = logits.to(where.device)
        slots = torch.arange(k, device=where.device).repeat(len(neuron))
        redraw_slots(candidates, neuron.repeat_interleave(k), slots, self.generator)

    def remove(self) -> None:
        """Do nothing: nothing was attached to the layers."""

    @property
    def statistics(self) -> dict[str, list[float] | list[int]]:
        """Per layer: mean entropy at the last step, strong and weak redraws so far."""
        return {
            "entropy": self.entropy.tolist(),
            "strong_redraws": list(self.strong_redraws),
            "weak_redraws": list(self.weak_redraws),
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that `load_state_dict` needs to resume to the same bits (the generator is the caller's to save)."""
        return {
            "steps": self.steps,
            **{name: list(values) for name, values in self.statistics.items()},
            "trackers": [tracker.state_dict() for tracker in self.trackers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        layers = len(self.layers)
        self.steps = whole(state, "steps", 0, MOST_STEPS)
        self.entropy.copy_(torch.tensor([real({"entropy": h}, "entropy") for h in entries(state, "entropy", layers)]))
        self.strong_redraws = counts(state, "strong_redraws", layers)
        self.weak_redraws = counts(state, "weak_redraws", layers)
        for tracker, saved in zip(self.trackers, entries(state, "trackers", layers), strict=True):
            tracker.load_state_dict(saved)


def redraw_slots(candidates: Candidates, neuron: Tensor, slot: Tensor, generator: torch.Generator | None) -> None:
    """Draw new gates and operands for candidates `slot[i]` of neurons `neuron[i]`, both int64 [n]."""
    candidates.gate[neuron, slot] = candidates.draw_gates((len(neuron),), generator)
    candidates.a[neuron, slot], candidates.b[neuron, slot] = candidates.draw_operands(
        candidates.pool_start[neuron], generator
    )
