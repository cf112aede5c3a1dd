"""`LogicLayer`: what layers of logic gates share; each kind of layer is one file beside this one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from gatewright.errors import ShapeError, unknown_name
from gatewright.nn.candidates import Candidates
from gatewright.nn.eager import eager
from gatewright.nn.functional import Geometry, Recorder, Wiring, discrete_layer, hard_layer, soft_layer

RELAXATIONS: tuple[str, ...] = ("soft", "hard")
GRADIENTS: tuple[str, ...] = ("int8", "float")


class LogicLayer(nn.Module):
    """What dense, convolution and local layers share: candidates, a relaxation, and how they compute.

    In training mode a layer computes its relaxation; in eval mode, and once frozen, its discretized gates (use
    `gatewright.relaxed` to evaluate the relaxation instead).

    Attributes:
        candidates: Gates, operands and logits.
        relaxation: "soft" (the paper) or "hard" (straight-through).
        gradients: How gradients of the outputs travel with the hard relaxation on the CPU: "int8" (rounded stochastically,
            with a scale per neuron; half the time in large batches) or "float". Elsewhere they are always float.
        price: float [16], what each gate adds to the loss at each position; None for nothing. See `ExpectedCost`.
    """

    def __init__(self, candidates: Candidates, relaxation: str, gradients: str) -> None:
        super().__init__()
        if relaxation not in RELAXATIONS:
            raise unknown_name("relaxation", str(relaxation), RELAXATIONS)
        if gradients not in GRADIENTS:
            raise unknown_name("type of gradients", str(gradients), GRADIENTS)
        self.candidates = candidates
        self.relaxation = relaxation
        self.gradients = gradients
        self.relaxed_eval = False
        self.price: Tensor | None = None
        self._recorders: OrderedDict[int, Recorder] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        """Copies have no recorders and no price: those are of who watches and prices this very layer."""
        return {**vars(self), "_recorders": OrderedDict(), "price": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Layers pickled by earlier versions have no price."""
        super().__setstate__({"price": None, **state})  # type: ignore[no-untyped-call]

    @property
    def frozen(self) -> bool:
        """Whether the layer computes with its discretized gates for good."""
        return self.candidates.frozen

    def freeze(self) -> None:
        """Compute with the best candidates from now on, without gradient."""
        self.candidates.freeze()

    def register_recorder(self, function: Recorder) -> RemovableHandle:
        """Call a function in each backward pass of the relaxation with what connection learning needs (`Recorded`).

        Recorders are those of the forward pass: one that is registered or removed between a forward and its backward pass
        takes effect in the next step.

        Returns:
            A handle; `handle.remove()` removes the function, and so does leaving `with handle:`.
        """
        handle = RemovableHandle(self._recorders)
        self._recorders[handle.id] = function
        return handle

    @property
    def recorders(self) -> tuple[Recorder, ...]:
        """The registered functions, in the order of their registration."""
        return tuple(self._recorders.values())

    @contextmanager
    def divert_recorders(self, function: Recorder) -> Iterator[None]:
        """Call this function alone in place of the registered ones within the context."""
        before, self._recorders = self._recorders, OrderedDict({0: function})
        try:
            yield
        finally:
            self._recorders = before

    def geometry(self, in_shape: tuple[int, ...]) -> Geometry:
        """How the layer reads a sample of this shape."""
        raise NotImplementedError

    def operand_rows(self, operand: Tensor, geometry: Geometry) -> Tensor:
        """Operand ids (any shape) to rows of the padded input at position 0."""
        if geometry.taps is None:
            return operand
        # A tenth of the time of an index in brackets.
        return geometry.taps.index_select(0, operand.flatten()).view(operand.shape)

    def wiring(self, geometry: Geometry) -> Wiring:
        """The candidates as the kernels take them."""
        c = self.candidates
        return Wiring(self.operand_rows(c.a, geometry), self.operand_rows(c.b, geometry), c.gate)

    @eager
    def forward(self, x: Tensor) -> Tensor:
        """Compute the layer.

        Args:
            x: (N, ...) zeros and ones, or values in 0..1 with the soft relaxation.

        Returns:
            Float tensor (N, ...): a `BitTensor` of zeros and ones unless the relaxation is soft.

        Raises:
            ShapeError: The input does not fit the layer.
            DtypeError: Boolean gates got values other than 0 and 1.
        """
        if x.ndim < 2 or x.shape[0] == 0:
            raise ShapeError(f"{self} expects a batch (N, ...) of at least one sample, got shape {tuple(x.shape)}")
        geometry = self.geometry(tuple(x.shape[1:]))
        wiring = self.wiring(geometry)
        if self.frozen or not (self.training or self.relaxed_eval):
            return discrete_layer(x, wiring.chosen(self.candidates.logits), geometry)
        logits = self.candidates.logits
        if self.relaxation == "soft":
            return soft_layer(x, logits, wiring, geometry, self.recorders, self.price)
        int8 = self.gradients == "int8" and logits.device.type == "cpu" and logits.dtype == torch.float32
        return hard_layer(x, logits, wiring, geometry, self.recorders, self.price, int8=int8)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()}, relaxation={self.relaxation!r})"


def logic_layers(model: nn.Module) -> list[LogicLayer]:
    """The logic layers of a model, first to last.

    >>> from torch import nn
    >>> from gatewright import GroupSum, LogicDense, logic_layers
    >>> model = nn.Sequential(LogicDense(8, 20, candidates=4), LogicDense(20, 10, candidates=4), GroupSum(2))
    >>> [layer.out_features for layer in logic_layers(model)]
    [20, 10]
    """
    return [module for module in model.modules() if isinstance(module, LogicLayer)]


@contextmanager
def relaxed(model: nn.Module) -> Iterator[None]:
    """Let a model in eval mode compute its relaxation rather than its discretized gates, within the context.

    >>> import torch
    >>> from gatewright import LogicDense, relaxed
    >>> layer = LogicDense(8, 20, generator=torch.Generator().manual_seed(0)).eval()
    >>> x = torch.ones(1, 8)
    >>> layer(x).unique().tolist()  # gates give 0 or 1
    [0.0, 1.0]
    >>> with relaxed(layer):
    ...     bool(((layer(x) > 0) & (layer(x) < 1)).all())  # mixtures of gates lie in between
    True
    """
    layers = [layer for layer in logic_layers(model) if not layer.relaxed_eval]
    for layer in layers:
        layer.relaxed_eval = True
    try:
        yield
    finally:
        for layer in layers:
            layer.relaxed_eval = False
