"""The training loop: steps, evaluations, and a state from which a killed run resumes to the same bits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

import torch

from gatewright import nn
from gatewright.errors import DataError, FormatError, shown
from gatewright.learning.optimizer_state import check_moments
from gatewright.learning.state import entry, real, whole
from gatewright.runtime.memory import keep_freed_memory
from gatewright.training.batches import Feed
from gatewright.training.config import TrainOptions
from gatewright.training.cuda_graph import GraphedStep
from gatewright.training.evaluate import evaluate
from gatewright.training.learners import Learner
from gatewright.training.objective import CLASSES, Objective
from gatewright.training.processes import Ranks
from gatewright.training.sampler import DataOrder
from gatewright.training.sink import MemorySink, Sink
from gatewright.training.unsharing import Unsharing


class Best(NamedTuple):
    """The evaluation whose weights are kept: its step, and its hard validation accuracy."""

    step: int
    accuracy: float


Watcher = Callable[[int, dict[str, Any]], None]
"""Called after each step, with the step and the latest metrics."""


class Trainer:
    """Trains one network.

    Args:
        model: The network, on its device.
        optimizer: Its optimizer. The learning rates of its parameter groups (`peak` if present, `lr` otherwise) are
            those that `schedule` multiplies.
        learners: What is stepped after the optimizer, by name, in order.
        train: Training samples.
        validation: Validation samples, or None to keep the last weights.
        options: Steps, batch, intervals, precision, and which weights are kept.
        generator: The run's one source of randomness.
        schedule: From a step to the factor of the learning rates.
        clip: Greatest norm of the gradient, or None.
        sink: Where metrics, checkpoints and best weights go; None for a `MemorySink`.
        processes: The processes that train together; `train` and `validation` are the full splits in each. Only the
            main process uses its sink.
        objective: What is minimised, and what evaluations add up.
        unsharing: When the positions of convolutions get gates of their own, or None for never.

    Raises:
        OptionError: There are no training samples.
        DataError: There is a validation split, without samples.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        learners: Mapping[str, Learner],
        train: Feed,
        validation: Feed | None,
        options: TrainOptions,
        generator: torch.Generator,
        *,
        schedule: Callable[[int], float] = lambda step: 1.0,  # noqa: ARG005 - the signature of schedules
        clip: float | None = None,
        sink: Sink | None = None,
        processes: Ranks = Ranks(),  # noqa: B008 - immutable
        objective: Objective = CLASSES,
        unsharing: Unsharing | None = None,
    ) -> None:
        if validation is not None and not validation.decisions:
            raise DataError("the validation split has no samples; pass validation=None to keep the last weights")
        self.model = model
        self.optimizer = optimizer
        self.learners = learners
        self.options = options
        self.sink = (sink or MemorySink()) if processes.main else Sink()
        self.step = 0
        self.seconds = 0.0
        self.rate = 0.0
        self.best: Best | None = None
        self._train = train
        self._validation = validation
        self._generator = generator
        self._schedule = schedule
        self._clip = clip
        self._objective = objective
        self._processes = processes
        self._device = next(model.parameters()).device
        self._unsharing = unsharing
        self._shared = unsharing is not None
        self._set_peaks()
        self.order = DataOrder(len(train), options.batch, generator, train.weight)
        self._share = processes.share(self.order.batch)
        graphed = self._device.type == "cuda" and options.graph
        self._graph = GraphedStep(model, self._learn, processes.mean_, self._update) if graphed else None
        self._losses = torch.zeros(options.log_every, device=self._device)
        self._unread = 0

    def _set_peaks(self) -> None:
        for group in self.optimizer.param_groups:
            group.setdefault("peak", float(group["lr"]))

    def _unshare(self, unsharing: Unsharing) -> None:
        """Go on with gates of their own at each position; the best weights are those from now on."""
        x, _ = next(self._train.all())
        self.optimizer, self.learners = unsharing.begin(self.model, x[:1], self.optimizer, self.learners)
        self._shared, self.best = False, None
        self._set_peaks()
        if self._graph is not None:
            self._graph.renew()

    def fit(self, *, watch: Watcher | None = None, stop: Callable[[], bool] = lambda: False) -> bool:
        """Train from the present step to the last one.

        Args:
            watch: Called after each step.
            stop: Called after each step; true ends training with a checkpoint. Several processes agree on it with every
                line of metrics.

        Returns:
            Whether the run is complete (false if it was stopped).

        Raises:
            DataError: The loss or a weight is not finite; the message names the step, and the layer of the weight.
        """
        options = self.options
        latest: dict[str, Any] = {}
        begin, before = time.monotonic(), self.seconds
        self.sink.begin(self.step)
        try:
            with self.computing():
                while self.step < options.steps:
                    self.one_step()
                    done = self.step == options.steps
                    log_now = self.step % options.log_every == 0 or done
                    asked = log_now or self._processes.size == 1
                    halt = not done and asked and self._processes.agree(stop(), self._device)
                    evaluate_now = self.step % options.evaluation_interval == 0 or done
                    checkpoint_now = self.step % options.checkpoint_interval == 0 or done or halt
                    if log_now or evaluate_now or checkpoint_now:
                        self.seconds = before + time.monotonic() - begin
                        values = self.read_losses()
                        if evaluate_now:
                            values |= self._evaluate()
                        if log_now or evaluate_now:
                            latest |= values
                            self.sink.metrics(self.step, values)
                        if checkpoint_now:
                            # All processes take part, as some learners' state is spread over them.
                            self.sink.checkpoint(self.state_dict())
                    if watch is not None:
                        watch(self.step, latest)
                    if halt:
                        return False
        finally:
            self.sink.end()
        return True

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Where `one_step` may be called: in training mode, on a stream of its own if steps are recorded."""
        if self._device.type == "cpu":
            keep_freed_memory()
        self.model.train()
        with self._graph.stream(self._device) if self._graph is not None else nullcontext():
            yield

    def one_step(self) -> None:
        """One step, without evaluation and bookkeeping; call `read_losses` at least every `log_every` steps."""
        if self._shared and self._unsharing is not None and self.step >= self._unsharing.step:
            self._unshare(self._unsharing)
        self._set_rate(self._schedule(self.step))
        x, y = self._train.batch(self.order.next()[self._share])
        if self._graph is None:
            loss = self._learn(x, y)
            self._processes.mean_([p.grad for p in self.model.parameters() if p.grad is not None])
            self._update()
        else:
            loss = self._graph(x, y, tuple(learner.observing for learner in self.learners.values()))
        for learner in self.learners.values():
            learner.decide()
        self._losses[self._unread] = loss
        self._unread += 1
        self.step += 1

    def _learn(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Forward and backward; returns the loss."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self._device.type, torch.bfloat16, enabled=self.options.precision == "bfloat16"):
            loss = self._objective.loss(self.model(x), y)
        if loss.requires_grad:  # not where every layer is frozen
            loss.backward()
        return loss.detach()

    def _update(self) -> None:
        """Use the gradients, and let the learners observe; nothing is read back to the host."""
        if self._clip is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self._clip)
        self.optimizer.step()
        for learner in self.learners.values():
            learner.observe()

    def _set_rate(self, factor: float) -> None:
        groups = self.optimizer.param_groups
        for group in groups:
            rate = group["peak"] * factor
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self.rate = groups[0]["peak"] * factor

    def read_losses(self) -> dict[str, Any]:
        """Metrics since the last reading; only here are losses read back, so that the host never waits for a GPU.

        Raises:
            DataError: A loss or a weight is not finite. So no such weight is evaluated, kept or saved.
        """
        values: dict[str, Any] = {"seconds": round(self.seconds, 3), "lr": self.rate}
        if self._unread:
            losses = self._losses[: self._unread].clone()
            self._processes.mean_([losses])
            losses = losses.cpu()
            bad = (~torch.isfinite(losses)).nonzero()
            if len(bad):
                first = int(bad[0])
                at = self.step - self._unread + first + 1
                raise DataError(
                    f"the loss became {float(losses[first])} at step {at}; lower optimizer.lr or set optimizer.clip"
                )
            values["loss"] = float(losses.mean())
            self._check_weights()
            self._unread = 0
        return values | {name: learner.statistics for name, learner in self.learners.items()}

    def _check_weights(self) -> None:
        """Refuse weights that are not finite: with the hard relaxation, the loss can be finite nevertheless."""
        for name, parameter in self.model.named_parameters():
            low, high = parameter.detach().aminmax()  # NaN, if there is one
            if not torch.isfinite(torch.stack((low, high))).all():
                layer = self.model.get_submodule(name.split(".", 1)[0]) if "." in name else self.model
                first = self.step - self._unread + 1
                at = f"step {self.step}" if first == self.step else f"one of the steps {first} to {self.step}"
                raise DataError(
                    f"the weights {name!r} of {layer} became NaN or infinite at {at}; lower optimizer.lr or set "
                    "optimizer.clip"
                )

    def _evaluate(self) -> dict[str, Any]:
        layers = nn.logic_layers(self.model)
        values: dict[str, Any] = {
            "entropy": [round(float(layer.candidates.entropy().mean()), 6) for layer in layers],
            "frozen": sum(layer.frozen for layer in layers),
        }
        if self._validation is not None:
            accuracy = evaluate(self.model, self._validation, self._processes, self._objective)
            values["validation"] = accuracy._asdict()
            if self.options.keep == "best" and (self.best is None or accuracy.hard >= self.best.accuracy):
                self.best = Best(self.step, accuracy.hard)
                self.sink.keep(self.step, self.model.state_dict())
        return values

    def load_best(self) -> int:
        """Put the weights to keep into the model; returns the step they are from. For the main process."""
        if self.best is None:
            return self.step
        self.model.load_state_dict(self.sink.kept(self.best.step))
        return self.best.step

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume to the same bits."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "best": None if self.best is None else list(self.best),
            "generator": self._generator.get_state(),
            "order": self.order.state_dict(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "learners": {name: learner.state_dict() for name, learner in self.learners.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from a saved state.

        Raises:
            KeyError: An entry is missing.
            ValueError: An entry does not fit this run; RuntimeError and TypeError where torch finds it.
        """
        step, seconds = whole(state, "step", 0, self.options.steps), real(state, "seconds")
        best = self._checked_best(state["best"], step)
        if self._unsharing is not None:
            if step > self._unsharing.step and self._shared:
                self._unshare(self._unsharing)
            elif step <= self._unsharing.step and not self._shared:
                since = self._unsharing.step
                raise FormatError(f"the state is of step {step}, but the convolutions are unshared since step {since}")
        check_moments(self.optimizer, state["optimizer"], step)
        learners = {name: entry(entry(state, "learners"), name) for name in self.learners}
        for name, saved in learners.items():
            if entry({"steps": step} | dict(saved), "steps") != step:
                raise FormatError(f"the learner {name!r} is at step {shown(saved['steps'])}, but the run at {step}")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for name, learner in self.learners.items():
            learner.load_state_dict(learners[name])
        self.order.load_state_dict(state["order"])
        self.order.check_step(step)
        self._generator.set_state(state["generator"])
        self.step, self.seconds, self.best = step, seconds, best

    def _checked_best(self, saved: Any, step: int) -> Best | None:
        if saved is None:
            return None
        if not isinstance(saved, (list, tuple)) or len(saved) != len(Best._fields):
            raise FormatError(f"the entry 'best' is {shown(saved)}, expected a step and an accuracy")
        values = dict(zip(Best._fields, saved, strict=True))
        return Best(whole(values, "step", 1, step), real(values, "accuracy"))
