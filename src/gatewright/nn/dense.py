"""`LogicDense`: a layer of logic gates that read any of its inputs."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from gatewright.errors import OptionError, ShapeError
from gatewright.nn.candidates import Candidates
from gatewright.nn.functional import Geometry
from gatewright.nn.layers import LogicLayer
from gatewright.runtime.ranges import WHOLE


class LogicDense(LogicLayer):
    """A layer of two-input gates, each of which learns its gate and its two inputs.

    Args:
        in_features: Number of inputs.
        out_features: Number of neurons.
        inputs: How many inputs a neuron may read: 0 (all), or n, a divisor of `in_features` (the n neighbouring ones of
            group `m mod (in_features / n)` for neuron m). Layers with 2, and half as many neurons as inputs, form trees.
        candidates: Candidates K per neuron (arXiv 2602.05830, section 3; 16 there).
        relaxation: "soft" or "hard".
        gradients: "int8" or "float", see `LogicLayer`.
        init: "gaussian" (logits from N(0, 1)) or "residual" (neurons start as wires).
        gates: Gate ids that may be drawn; None for all 16.
        generator: Source of randomness; None for torch's default generator, the one that `torch.manual_seed` seeds.

    >>> import torch
    >>> from gatewright import LogicDense
    >>> layer = LogicDense(8, 3, candidates=4, relaxation="hard")
    >>> layer
    LogicDense(8, 3, candidates=4, relaxation='hard')
    >>> layer(torch.ones(5, 8)).shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        inputs: int = 0,
        candidates: int = 16,
        relaxation: str = "soft",
        gradients: str = "int8",
        init: str = "gaussian",
        gates: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        for name, value in {"in_features": in_features, "out_features": out_features, "inputs": inputs}.items():
            WHOLE.whole(name, value)
        if in_features < 1 or out_features < 1:
            raise OptionError(f"LogicDense needs positive sizes, got {in_features} -> {out_features}")
        read = in_features if inputs == 0 else inputs
        if read < 0 or in_features % read or out_features % (in_features // read):
            raise OptionError(
                f"inputs must be 0, or divide in_features = {in_features} into groups that divide out_features = "
                f"{out_features}, got {inputs}"
            )
        pool = torch.arange(out_features) % (in_features // read) * read
        owned = Candidates(out_features, candidates, pool, read, init=init, gates=gates, generator=generator)
        super().__init__(owned, relaxation, gradients)
        self.in_features, self.out_features, self.inputs = in_features, out_features, read
        self.register_buffer("_origin", torch.zeros(1, dtype=torch.int32), persistent=False)

    def geometry(self, in_shape: tuple[int, ...]) -> Geometry:
        """See `LogicLayer.geometry`."""
        if in_shape != (self.in_features,):
            hint = "; put torch.nn.Flatten() before it" if len(in_shape) > 1 else ""
            raise ShapeError(f"{self} expects (N, {self.in_features}), got (N, {', '.join(map(str, in_shape))}){hint}")
        return Geometry(in_shape, (self.out_features,), 0, self._origin)  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        """Sizes, for repr."""
        limited = f", inputs={self.inputs}" if self.inputs < self.in_features else ""
        return f"{self.in_features}, {self.out_features}{limited}, candidates={self.candidates.n_candidates}"
