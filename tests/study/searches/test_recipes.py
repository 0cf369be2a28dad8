"""Recipes of many settings are those that the base makes one by one, validated once."""

from __future__ import annotations

from typing import Any

import pytest

from paribus import Choice, Float, Search
from paribus.engine.samplers.drawn import Random
from paribus.recipe import Recipe, RecipeError

SEARCH = Search(
    name="kinds",
    space={
        "optimizer.kind": Choice("sgd", "muon"),
        "optimizer.lr": Float(1e-3, 1.0, log=True),
        "schedule.kind": Choice("cosine", "step"),
        "schedule.milestones": Choice((0.3,), (0.5, 0.8), when={"schedule.kind": "step"}),
        "model": Choice("ResNet-18", "WRN-16-1"),
        "model.norm": Choice("batch", "none"),
    },
    trials=4,
    confirm=0,
)


def test_each_setting_has_the_recipe_that_the_base_makes_of_it() -> None:
    sampler, kinds = Random(SEARCH.domains, 0), set()
    for number in range(60):
        levels = sampler.propose(number, []).levels
        assert SEARCH.recipe_of(levels) == SEARCH.base_recipe.replace(levels)
        kinds.add((levels["optimizer.kind"], levels["schedule.kind"], levels["model"]))
    assert len(kinds) == 8


def test_what_does_not_fit_is_refused_in_the_same_words() -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"optimizer.kind": "muon", "optimizer.lr": -1.0},
        {"optimizer.kind": "mun", "optimizer.lr": 1.0},
        {"schedule.kind": "cosine", "schedule.milestones": (0.3,)},
        {"data.size": 8, "augment.cutout": 9},
    )
    for levels in wrong:
        with pytest.raises(RecipeError) as wanted:
            SEARCH.base_recipe.replace(levels)
        for _ in range(2):
            with pytest.raises(RecipeError) as refused:
                SEARCH.recipe_of(levels)
            assert str(refused.value) == str(wanted.value)


def test_a_part_that_is_whole_with_the_other_settings_alone_is_no_misfit() -> None:
    """Inception-v4 wants more pixels than digits have: the size comes with it."""
    levels: dict[str, Any] = {"model": "Inception-v4", "model.dropout": 0.1, "data.size": 299}
    assert SEARCH.recipe_of(levels) == SEARCH.base_recipe.replace(levels)


def test_a_setting_is_validated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    validated = 0
    real = Recipe.model_validate_json

    def counted(*args: Any, **more: Any) -> Recipe:
        nonlocal validated
        validated += 1
        return real(*args, **more)

    monkeypatch.setattr(Recipe, "model_validate_json", counted)
    sampler = Random(SEARCH.domains, 1)
    settings = [sampler.propose(number, []).levels for number in range(50)]
    for levels in settings:
        SEARCH.recipe_of(levels)
    assert validated <= 50 + 8
