"""The training loop: steps, evaluations, checkpoints, and going on exactly where a killed run stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy

from gatewright import nn
from gatewright.errors import DataError, FormatError, GatewrightError
from gatewright.runtime.memory import keep_freed_memory
from gatewright.training.batches import Feed
from gatewright.training.build import parameter_groups
from gatewright.training.checkpoint import load_state, save_state
from gatewright.training.config import RunConfig
from gatewright.training.cuda_graph import GraphedStep
from gatewright.training.evaluate import Accuracy, evaluate
from gatewright.training.learners import build_learners
from gatewright.training.metrics import MetricsLog
from gatewright.training.processes import Ranks
from gatewright.training.sampler import DataOrder
from gatewright.training.schedule import rate_factor

CHECKPOINT = "checkpoint.safetensors"

FREE_ON_RESUME = frozenset({"description", "train.checkpoint_every", "train.device", "train.graph", "train.log_every"})
"""Options that may differ between a checkpoint and the run that goes on from it: they do not change the result."""


class Best(NamedTuple):
    """The evaluation whose weights are kept: its step, and its hard validation accuracy."""

    step: int
    accuracy: float


Watcher = Callable[[int, dict[str, Any]], None]
"""Called after each step that has something to tell, with the step and the latest metrics."""


class Trainer:
    """Trains one network in one folder.

    Args:
        config: The run's options.
        model: The network, on its device.
        train: Training samples.
        validation: Validation samples, or None to keep the last weights.
        generator: The run's one source of randomness.
        folder: Where checkpoints and metrics go; exists.
        ranks: The processes that train together; `train` and `validation` are the whole splits in each.
    """

    def __init__(
        self,
        config: RunConfig,
        model: torch.nn.Module,
        train: Feed,
        validation: Feed | None,
        generator: torch.Generator,
        folder: Path,
        ranks: Ranks = Ranks(),  # noqa: B008 - immutable
    ) -> None:
        self.config = config
        self.model = model
        self.folder = folder
        self.step = 0
        self.seconds = 0.0
        self.rate = 0.0
        self.best: Best | None = None
        self._train = train
        self._validation = validation
        self._generator = generator
        self._ranks = ranks
        self._device = next(model.parameters()).device
        on_gpu = self._device.type == "cuda"
        self.optimizer = torch.optim.Adam(
            self._parameter_groups(on_gpu),
            betas=(config.optimizer.betas[0], config.optimizer.betas[1]),
            fused=True,
            capturable=on_gpu,
        )
        self.learners = build_learners(config, model, self.optimizer, generator, ranks.mean_)
        self.order = DataOrder(len(train), config.train.batch, generator)
        self._share = ranks.share(self.order.batch)
        self._graph = (
            GraphedStep(model, self._learn, ranks.mean_, self._update) if on_gpu and config.train.graph else None
        )
        self._losses = torch.zeros(config.train.log_every, device=self._device)
        self._unread = 0

    def fit(
        self, *, tensorboard: bool = False, watch: Watcher | None = None, stop: Callable[[], bool] = lambda: False
    ) -> bool:
        """Train from the present step to the last one.

        Args:
            tensorboard: Whether to write TensorBoard events, too.
            watch: Told about progress.
            stop: Asked after each step; once true, a checkpoint is written and training ends. Several processes agree
                on it
                with every line of metrics.

        Returns:
            Whether the run is complete (false if it was stopped).

        Raises:
            DataError: The loss is not finite; the message names the step.
        """
        options = self.config.train
        log = MetricsLog(self.folder, self.step, tensorboard=tensorboard) if self._ranks.main else None
        latest: dict[str, Any] = {}
        begin, before = time.monotonic(), self.seconds
        leave = ExitStack()
        try:
            leave.enter_context(self.computing())
            while self.step < options.steps:
                self.one_step()
                done = self.step == options.steps
                log_now = self.step % options.log_every == 0 or done
                asked = log_now or self._ranks.size == 1
                halt = not done and asked and self._ranks.agree(stop(), self._device)
                evaluate_now = self.step % options.evaluation_interval == 0 or done
                checkpoint_now = self.step % options.checkpoint_interval == 0 or done or halt
                if log_now or evaluate_now or checkpoint_now:
                    self.seconds = before + time.monotonic() - begin
                    values = self.read_losses()
                    if evaluate_now:
                        values |= self._evaluate()
                    if log_now or evaluate_now:
                        latest |= values
                        if log is not None:
                            log.write(self.step, values)
                    if checkpoint_now:
                        self.save()
                if watch is not None:
                    watch(self.step, latest)
                if halt:
                    return False
        finally:
            leave.close()
            if log is not None:
                log.close()
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
        """One step, without evaluation and bookkeeping; `read_losses` at least every `log_every` of them."""
        self._set_rate(rate_factor(self.config.optimizer, self.step, self.config.train.steps))
        x, y = self._train.batch(self.order.next()[self._share])
        if self._graph is None:
            loss = self._learn(x, y)
            self._ranks.mean_([p.grad for p in self.model.parameters() if p.grad is not None])
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
        short = self.config.train.precision == "bfloat16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=short):
            loss = cross_entropy(self.model(x), y)
        if loss.requires_grad:  # not where every layer is frozen
            loss.backward()
        return loss.detach()

    def _update(self) -> None:
        """Use the gradients, and let the learners look; none of it asks what came out."""
        if self.config.optimizer.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip)
        self.optimizer.step()
        for learner in self.learners.values():
            learner.observe()

    def _parameter_groups(self, on_gpu: bool) -> list[dict[str, Any]]:
        groups = parameter_groups(self.config, self.model)
        if on_gpu:
            for group in groups:  # a rate that a graph can read has to be a tensor
                group["lr"] = torch.tensor(group["lr"], device=self._device)
        return groups

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
        """Metrics since the last reading; the losses are only looked at here, so that a GPU never waits for us."""
        values: dict[str, Any] = {"seconds": round(self.seconds, 3), "lr": self.rate}
        if self._unread:
            losses = self._losses[: self._unread].clone()
            self._ranks.mean_([losses])
            losses = losses.cpu()
            bad = (~torch.isfinite(losses)).nonzero()
            if len(bad):
                first = int(bad[0])
                at = self.step - self._unread + first + 1
                raise DataError(
                    f"the loss became {float(losses[first])} at step {at}; lower optimizer.lr or set optimizer.clip "
                    f"(the last good checkpoint is kept in {self.folder})"
                )
            values["loss"] = float(losses.mean())
            self._unread = 0
        return values | {name: learner.statistics for name, learner in self.learners.items()}

    def _evaluate(self) -> dict[str, Any]:
        layers = nn.logic_layers(self.model)
        values: dict[str, Any] = {
            "entropy": [round(float(layer.candidates.entropy().mean()), 6) for layer in layers],
            "frozen": sum(layer.frozen for layer in layers),
        }
        if self._validation is not None:
            accuracy: Accuracy = evaluate(self.model, self._validation, self._ranks)
            values["validation"] = accuracy._asdict()
            if self.config.train.keep == "best" and (self.best is None or accuracy.hard >= self.best.accuracy):
                self.best = Best(self.step, accuracy.hard)
                if self._ranks.main:
                    save_state(self._best_path(self.step), {"model": self.model.state_dict()}, "weights")
        return values

    def _best_path(self, step: int) -> Path:
        return self.folder / f"best-{step:08d}.safetensors"

    def load_best(self) -> int:
        """Put the weights to keep into the model; returns the step they are from. For the main process."""
        if self.best is None:
            return self.step
        self.model.load_state_dict(load_state(self._best_path(self.best.step), "weights")["model"])
        return self.best.step

    def save(self) -> None:
        """Write the checkpoint, then remove best weights that it no longer refers to.

        All processes call it, as those of the others are part of some state; the main one writes.
        """
        state = {
            "config": self.config.as_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "best": None if self.best is None else list(self.best),
            "generator": self._generator.get_state(),
            "order": self.order.state_dict(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "learners": {name: learner.state_dict() for name, learner in self.learners.items()},
        }
        if not self._ranks.main:
            return
        save_state(self.folder / CHECKPOINT, state, "checkpoint")
        for path in self.folder.glob("best-*.safetensors"):
            if self.best is None or path != self._best_path(self.best.step):
                path.unlink()

    def resume(self) -> None:
        """Go on from the folder's checkpoint, which the main process reads for all.

        Raises:
            FormatError: The checkpoint is missing, damaged, or of a run with other options; the message
                names the entry.
        """
        path = self.folder / CHECKPOINT
        state = self._ranks.from_main(load_state(path, "checkpoint") if self._ranks.main else {})
        try:
            check_same_run(state["config"], self.config.as_dict(), path)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            for name, learner in self.learners.items():
                learner.load_state_dict(state["learners"][name])
            self.order.load_state_dict(state["order"])
            self._generator.set_state(state["generator"])
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            self.best = None if state["best"] is None else Best(*state["best"])
        except FormatError:
            raise
        except KeyError as error:
            raise FormatError(f"{path} has no entry {error}") from error
        except (GatewrightError, RuntimeError, TypeError, ValueError) as error:
            raise FormatError(f"{path} does not fit this run: {error}") from error
        if self._ranks.main and self.best is not None and not self._best_path(self.best.step).exists():
            raise FormatError(f"the best weights so far are missing: {self._best_path(self.best.step)}")


def check_same_run(saved: dict[str, Any], wanted: dict[str, Any], path: Path) -> None:
    """Refuse to go on with a run under options that would change its result, naming the first that differs."""
    # Options that a later version has added are at their defaults in what an earlier one has saved.
    one, two = _flat(RunConfig.model_validate(saved).as_dict()), _flat(wanted)
    for key in sorted(set(one) | set(two)):
        if key not in FREE_ON_RESUME and one.get(key) != two.get(key):
            raise FormatError(
                f"{path} is of a run with {key} = {one.get(key)!r}, but {two.get(key)!r} is asked for now; resume with "
                "the same options, or train into another folder"
            )


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
