"""A training step as CUDA graphs: recorded once, then started with two calls, so that the host keeps ahead of the GPU.

A small network's step is hundreds of short kernels, which take longer to start than to run. A graph starts them all,
but it repeats exactly the launches it was recorded from, on the same memory. So all that changes the launches (a layer is
frozen, candidate sums are collected for connection learning or not) is part of a key, and each key has a recording of its
own, made after a few ordinary steps with that key (which compile the kernels and allocate lasting memory).

A step is two graphs because Python runs in between: the layers' recorders, and the average over processes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from gatewright.nn import LogicLayer, logic_layers
from gatewright.nn.functional import Recorded

Launches = Callable[[], None]
"""Starts kernels and reads no values."""

WARM_STEPS = 3
"""Ordinary steps under a key before they are recorded."""


def capture_cuda(launches: Launches) -> Launches:
    """Record launches on the current stream, which must not be the default one, as a CUDA graph."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        launches()
    replay: Launches = graph.replay
    return replay


@dataclass
class _Recording:
    """One recorded step: its own input memory, what it leaves, and how to repeat its halves."""

    x: Tensor
    y: Tensor
    loss: Tensor | None = None
    left: list[tuple[LogicLayer, Recorded]] = field(default_factory=list)
    grads: list[Tensor] = field(default_factory=list)
    learn: Launches = lambda: None
    update: Launches = lambda: None


class GraphedStep:
    """Steps: for a few times as they are, then by repeating a recording.

    Args:
        model: The network; its layers' recorders are also called with what a repeated backward pass leaves.
        learn: From samples and labels to the loss, with gradients left in the parameters; reads no values.
        between: Changes the gradients in place, before they are used.
        update: Uses the gradients.
        capture: From launches to what repeats them.
    """

    def __init__(
        self,
        model: nn.Module,
        learn: Callable[[Tensor, Tensor], Tensor],
        between: Callable[[Sequence[Tensor]], None],
        update: Launches,
        capture: Callable[[Launches], Launches] = capture_cuda,
    ) -> None:
        self._model = model
        self._layers = logic_layers(model)
        self._learn, self._between, self._update = learn, between, update
        self._capture = capture
        self._seen: dict[Hashable, int] = {}
        self._recordings: dict[tuple[Hashable, ...], _Recording] = {}

    def renew(self) -> None:
        """Forget all recordings, since layers of the network were replaced."""
        self._layers = logic_layers(self._model)
        self._seen, self._recordings = {}, {}

    def __call__(self, x: Tensor, y: Tensor, key: Hashable) -> Tensor:
        """One step.

        Args:
            x: Samples.
            y: Labels.
            key: All that decides what is launched, apart from shapes, frozen layers and recorders, which are looked at
                here.

        Returns:
            The loss; only until the next call, if the step was a repeated one.
        """
        frozen = tuple(layer.frozen for layer in self._layers)
        recorders = tuple(bool(layer.recorders) for layer in self._layers)
        full_key = (frozen, recorders, key, x.shape, x.dtype)
        if full_key not in self._recordings:
            seen = self._seen[full_key] = self._seen.get(full_key, 0) + 1
            if seen <= WARM_STEPS:
                loss = self._learn(x, y)
                self._between(self._gradients())
                self._update()
                return loss
            # Recordings from before a layer was frozen never come back; their memory is better used.
            self._recordings = {k: r for k, r in self._recordings.items() if k[0] == frozen}
            self._recordings[full_key] = self._record(x, y)
        recording = self._recordings[full_key]
        recording.x.copy_(x)
        recording.y.copy_(y)
        recording.learn()
        for layer, left in recording.left:
            for record in layer.recorders:
                record(left)
        self._between(recording.grads)
        recording.update()
        assert recording.loss is not None  # noqa: S101 - recorded with it
        return recording.loss

    def _gradients(self) -> list[Tensor]:
        return [p.grad for p in self._model.parameters() if p.grad is not None]

    @staticmethod
    @contextmanager
    def stream(device: torch.device) -> Iterator[None]:
        """A stream for all steps: graphs cannot be recorded on the default one, and so nothing has to cross streams."""
        if device.type != "cuda":
            yield
            return
        own, outer = torch.cuda.Stream(device), torch.cuda.current_stream(device)
        own.wait_stream(outer)
        with torch.cuda.stream(own):
            yield
        outer.wait_stream(own)

    def _record(self, x: Tensor, y: Tensor) -> _Recording:
        recording = _Recording(x.clone(), y.clone())

        def learn() -> None:
            recording.loss = self._learn(recording.x, recording.y)

        with ExitStack() as diverted:
            for layer in self._layers:
                if layer.recorders:
                    diverted.enter_context(layer.divert_recorders(_keeper(recording, layer)))
            recording.learn = self._capture(learn)
        recording.grads = self._gradients()
        recording.update = self._capture(self._update)
        return recording


def _keeper(recording: _Recording, layer: LogicLayer) -> Callable[[Recorded], None]:
    return lambda recorded: recording.left.append((layer, recorded))
