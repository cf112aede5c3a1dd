"""(+) Gates that learn to be cheap: the expected cost of the circuit as a term of the loss.

A neuron whose candidates have probabilities p_k costs `sum_k p_k price(gate_k)` at each of its positions: nothing as a
wire, an inverter or a constant, one op as any other gate. d cost / d p_k is the price of the gate, so the term adds prices
to the candidates' slopes before the softmax's Jacobian and costs no time. Where the loss cannot tell candidates apart the
cheapest wins, so a wider network fits in the same circuit (docs/connections.md has the figures).

An expected cost in the loss is also reported in arXiv 2604.19334.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gatewright.errors import unknown_name
from gatewright.gates import IS_LOGIC, TRUTH
from gatewright.learning.state import MOST_STEPS, whole
from gatewright.nn import logic_layers
from gatewright.runtime.ranges import COST, COUNT_OR_NONE

_ODD = TRUTH.sum((1, 2)) % 2 == 1
"""bool [16]: AND and its like, as against XOR and XNOR; of the gates that count as a logic op."""

CURRENCIES: dict[str, tuple[float, ...]] = {
    "ops": tuple(1.0 * IS_LOGIC),
    "nand": tuple(IS_LOGIC * (4.0 - 2.0 * _ODD)),
}
"""What each gate costs: a two-input op; or NAND gates and inverters, about two for AND and its like and four for XOR."""

PER = 1000
"""Gates that `weight` is the price of: numbers near the loss are easier to read than millionths."""


class ExpectedCost:
    """Add `weight` times the network's expected cost, in thousands, to the loss; call `step()` after `optimizer.step()`.

    The weight rises from zero until step `ramp`, so that a network first learns what to compute, then how cheaply. The term
    is added in each backward pass, whatever the scale of the loss there; losses that are printed do not contain it. Layers
    whose candidates all cost the same (`gates: logic` with `currency="ops"`) are not moved by it. A model has one such
    object: a later one takes the place of an earlier one, and `remove()` ends its work.

    Example:
        >>> import gatewright as gw
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = gw.LogicDense(50, 200, relaxation="hard", generator=generator)
        >>> model = torch.nn.Sequential(layer, gw.GroupSum(2))
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        >>> cost = gw.learning.ExpectedCost(model, weight=10.0)
        >>> x = (torch.rand(64, 50, generator=generator) < 0.5).float()
        >>> for _ in range(50):
        ...     optimizer.zero_grad()
        ...     torch.nn.functional.cross_entropy(model(x), x[:, 7].long()).backward()
        ...     optimizer.step()
        ...     cost.step()
        >>> gw.cost(gw.lower(model, (50,))).logic_ops < 50  # of 200 neurons
        True

    Args:
        model: Any module that contains logic layers.
        weight: What a thousand gates add to the loss.
        currency: One of `CURRENCIES`.
        ramp: Step from which the weight is full; 0 for the first.
    """

    observing = False
    """Whether `observe` does anything."""

    def __init__(self, model: nn.Module, *, weight: float, currency: str = "ops", ramp: int = 0) -> None:
        COST.check("weight", weight)
        COUNT_OR_NONE.whole("ramp", ramp)
        if not isinstance(currency, str) or currency not in CURRENCIES:
            raise unknown_name("currency", str(currency), tuple(CURRENCIES))
        self.layers = logic_layers(model)
        self.weight, self.ramp = weight, ramp
        self.steps = 0
        place = self.layers[0].candidates.logits.device if self.layers else torch.device("cpu")
        self._full = torch.tensor(CURRENCIES[currency], device=place) * (weight / PER)
        self._price = torch.empty_like(self._full)
        self._attach()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy prices the layers that were copied with it."""
        vars(self).update(state)
        self._attach()

    def _attach(self) -> None:
        for layer in self.layers:
            layer.price = self._price
        self._set()

    def _set(self) -> None:
        """Write the prices of the next step, where recorded steps read them."""
        self._price.copy_(self._full * self._risen)

    @property
    def _risen(self) -> float:
        """Share of the full weight at the next step."""
        return min(1.0, self.steps / self.ramp) if self.ramp else 1.0

    def remove(self) -> None:
        """Let the layers learn without prices again."""
        for layer in self.layers:
            if layer.price is self._price:
                layer.price = None

    def step(self) -> None:
        """End the step."""
        self.decide()

    def observe(self) -> None:
        """Do nothing: the layers' backward passes read the prices."""

    @torch.no_grad()
    def decide(self) -> None:
        """See `step`."""
        self.steps += 1
        if self.steps <= self.ramp:
            self._set()

    @property
    def statistics(self) -> dict[str, float]:
        """The weight of the next step."""
        return {"weight": self.weight * self._risen}

    def state_dict(self) -> dict[str, Any]:
        """The number of steps: what gates cost now follows from it."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` gave."""
        self.steps = whole(state, "steps", 0, MOST_STEPS)
        self._set()
