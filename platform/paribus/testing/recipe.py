"""All contracts that one recipe asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from paribus.models.build import outline
from paribus.plugins import has_own
from paribus.recipe import Recipe, RecipeError
from paribus.recipe.components.component import as_text, components, kind_of
from paribus.recipe.components.own import is_own
from paribus.testing.components import (
    check_activation,
    check_attention,
    check_augmentation,
    check_block,
    check_loss,
    check_mix,
    check_names,
    check_norm,
    check_optimizer,
    check_schedule,
)
from paribus.testing.dataset import check_dataset
from paribus.testing.metric import check_metric
from paribus.testing.sentences import said

_CLASSES = 4
# Transforms of single images.
_SINGLE = ("augment.policy", "augment.colour", "augment.erasing")


def check_recipe(recipe: Recipe, tried: set[object] | None = None) -> None:
    """Every component from outside that a recipe names, and its net on two images, without values (the meta device).

    What is in `tried`, which other recipes of a study have filled, is not tried again.
    """
    tried = set() if tried is None else tried
    for what, check in _checks_of(recipe):
        if what not in tried:
            check()
            tried.add(what)


def _checks_of(recipe: Recipe) -> Iterator[tuple[object, Callable[[], object]]]:
    """Each check that `recipe` asks for, and by what it is known again."""
    checks: dict[str, Callable[..., None]] = {
        "model.activation": check_activation,
        "model.norm": check_norm,
        "model.se.module": check_attention,
        "model.block": check_block,
        "loss": check_loss,
        "augment.policy": check_augmentation,
        "augment.colour": check_augmentation,
        "augment.erasing": check_augmentation,
        "augment.mix": check_mix,
    }
    for path, _, value in components(recipe):
        if is_own(kind_of(value)) and path in checks:
            options: dict[str, Any] = {"field": path.rpartition(".")[2]} if path in _SINGLE else {}
            if path == "loss":
                options["soft"] = recipe.training.label_smoothing > 0 or recipe.augment.mix != "none"
            yield (path, as_text(value), options.get("soft")), partial(checks[path], as_text(value), **options)
    if is_own(recipe.optimizer.kind):
        found = recipe.optimizer
        yield found.model_dump_json(), partial(check_optimizer, found.kind, **_set(found))
    if is_own(recipe.schedule.kind):
        schedule = recipe.schedule
        yield schedule.model_dump_json(), partial(check_schedule, schedule.kind, **_set(schedule))
    if is_own(recipe.data.name) and recipe.data.shards is None:
        for split in (recipe.data.train_split, recipe.data.eval_split):
            yield (recipe.data.name, split), partial(check_dataset, recipe.data.name, split)
    if recipe.data.stages:
        from paribus.data.own_stages import load_stages

        yield recipe.data.stages, partial(load_stages, recipe.data.stages)
    for reference in recipe.metrics:
        yield ("metric", reference), partial(check_metric, reference)
    size = recipe.data.size or max(32, recipe.model.min_size)
    if has_own(recipe.model):
        yield (recipe.model.model_dump_json(), size), partial(_check_net, recipe, size)


def _check_net(recipe: Recipe, size: int) -> None:
    check_names(recipe.model)
    with said(f"the net {recipe.model.name}"):
        net = outline(recipe.model, 3, _CLASSES).eval()
        with torch.no_grad():
            logits = net(torch.empty(2, 3, size, size, device="meta"))
    if logits.shape != (2, _CLASSES):
        raise RecipeError(
            f"the net {recipe.model.name} gives {tuple(logits.shape)} for two images, four classes: (2, 4)"
        )


def _set(part: Any) -> dict[str, Any]:
    return {name: value for name, value in part if name != "kind"}
