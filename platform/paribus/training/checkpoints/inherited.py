"""A trial that goes on from another one's checkpoint, at its own settings: what they must have in common, and how."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from paribus.models.build import outline
from paribus.recipe import Recipe, Seeds, trial_id
from paribus.training.checkpoints.checkpoint import Checkpoints
from paribus.training.checkpoints.saved_state import fault_of
from paribus.training.errors import CheckpointError
from paribus.training.feed_protocol import Feed
from paribus.training.flat import parameter_groups
from paribus.training.loop import StepCounts
from paribus.training.optimizers import make_optimizer, state_names
from paribus.training.progress import Progress
from paribus.training.train_state import TrainState


def form_of(recipe: Recipe, in_channels: int, num_classes: int) -> dict[str, str]:
    """The form of what a checkpoint of `recipe` holds of the net, its average and its optimizer, by name.

    Of two recipes with equal forms the one can go on from the other's checkpoint. Nothing is computed: the net is built
    on the meta device.
    """
    net = outline(recipe.model, in_channels, num_classes)
    tensors = {name: f"{str(each.dtype)[6:]} {list(each.shape)}" for name, each in net.state_dict().items()}
    decayed, undecayed = parameter_groups(net, recipe.optimizer.decay_norms_and_biases)
    optimizer = make_optimizer(recipe.optimizer, decayed, undecayed, net)
    groups = [(sorted(group), [list(each.shape) for each in group["params"]]) for group in optimizer.param_groups]
    return {
        **tensors,
        "the optimizer": type(optimizer).__name__,
        "the optimizer's state": str(state_names(optimizer)),
        "the optimizer's groups": str(groups),
        "the scale of the loss": "kept" if recipe.numerics.precision == "float16" else "none",
        "the average of the weights": "none" if recipe.training.ema_decay is None else "kept",
    }


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> str:
    """What has one form in the one and another in the other, the first by name; "" where all have the same."""
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return f"{names[0]} is {one.get(names[0], 'not there')} or {other.get(names[0], 'not there')}" if names else ""


def inherit(checkpoints: Checkpoints, parent: Path, step: int, recipe: Recipe, seeds: Seeds, feed: Feed) -> None:
    """Make the checkpoint of `step` steps in `parent` one of this trial, unless it has a whole one of its own already.

    Weights, averages, the optimizer's state and the history go over as they are; what the optimizer is set to, and the
    times, are the trial's own.

    Raises:
        CheckpointError: no whole checkpoint of so many steps is there, or it does not fit this trial.
    """
    plan, progress = StepCounts.of(recipe, feed), Progress(recipe.training.divergence_loss)
    # It is compared with a net and moved into none: where that lies does not matter.
    train_state = TrainState(recipe, seeds, feed, torch.device("cpu"))

    def fault(state: Any) -> str | None:
        return fault_of(state, train_state, progress, plan.span, plan.num_epochs)

    if Checkpoints(checkpoints.folder).load(fault) is not None:
        return
    state = Checkpoints(parent).load(_stepless)
    found = state["progress"]["step"] if state else 0
    if state is None or found != step:
        raise CheckpointError(
            f"the trial goes on from a checkpoint of {step} steps in {parent}, and "
            f"{f'the newest whole one there has {found}' if found else 'there is none'}: PARIBUS_HOME has to lie on "
            "storage that all nodes share, with room on it"
        )
    groups = train_state.optimizer.state_dict()["param_groups"]
    learner = {**state["learner"], "optimizer": {**state["learner"]["optimizer"], "param_groups": groups}}
    history = {**state["progress"], "durations": dict.fromkeys(state["progress"]["durations"], 0.0)}
    own = {"trial": trial_id(recipe, seeds, feed.digest), "learner": learner, "progress": history}
    if misfit := fault(own):
        raise CheckpointError(
            f"the checkpoint of {step} steps in {parent} does not fit this trial's settings: {misfit}"
        )
    checkpoints.save(step, own)


def _stepless(state: Any) -> str | None:
    """Why one cannot tell what the state holds; None where one can."""
    try:
        known = (state["progress"]["step"], state["progress"]["durations"], state["learner"]["optimizer"])
    except (KeyError, TypeError, IndexError):
        return "it does not hold learner and progress"
    return None if isinstance(known[1], Mapping) and isinstance(known[2], Mapping) else "its parts are none"
