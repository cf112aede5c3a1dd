"""From options to a trainer."""

from __future__ import annotations

from functools import partial

import torch

from gatewright.errors import OptionError
from gatewright.training.batches import Feed
from gatewright.training.config import Recipe
from gatewright.training.config.values import at_step
from gatewright.training.learners import Learner, Learning
from gatewright.training.objective import CLASSES, Objective
from gatewright.training.processes import Ranks
from gatewright.training.sink import Sink
from gatewright.training.trainer import Trainer
from gatewright.training.unsharing import Unsharing


def build_trainer(
    recipe: Recipe,
    model: torch.nn.Sequential,
    train: Feed,
    validation: Feed | None,
    generator: torch.Generator,
    sink: Sink | None = None,
    processes: Ranks = Ranks(),  # noqa: B008 - immutable
    objective: Objective = CLASSES,
) -> Trainer:
    """Build optimizer and learners from their options, and the trainer around them; the arguments are `Trainer`'s."""

    def equip() -> tuple[torch.optim.Optimizer, dict[str, Learner]]:
        optimizer = recipe.optimizer.build(model, recipe.model)
        learning = Learning(model, optimizer, recipe.train.steps, generator, processes.mean_)
        built = {
            "connections": recipe.connections.build(learning),
            "discretization": recipe.discretization.build(learning),
            "cost": recipe.cost.build(learning),
        }
        return optimizer, {name: learner for name, learner in built.items() if learner is not None}

    moment = recipe.model.unshare
    optimizer, learners = equip()
    for name, learner in learners.items():
        if moment is not None and not hasattr(learner, "remove"):  # of another package, perhaps
            raise OptionError(f"the learner {name!r} has no method `remove`, which model.unshare needs")
    return Trainer(
        model,
        optimizer,
        learners,
        train,
        validation,
        recipe.train,
        generator,
        schedule=partial(recipe.optimizer.factor, steps=recipe.train.steps),
        clip=recipe.optimizer.clip,
        sink=sink,
        objective=objective,
        processes=processes,
        unsharing=None if moment is None else Unsharing(at_step(moment, recipe.train.steps), equip),
    )


def training_generator(seed: int, device: torch.device, generator: torch.Generator) -> torch.Generator:
    """The generator to train with: on a GPU one of its own, so that the host never waits and never copies."""
    return generator if device.type == "cpu" else torch.Generator(device).manual_seed(seed)
