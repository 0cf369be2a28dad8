"""Tuned comparisons: what is tuned in each arm, and the study at what was found."""

from __future__ import annotations

from typing import Any

import pytest

from paribus import Float, Study, Tuning
from paribus.recipe import RecipeError
from paribus.study import StudyError
from paribus.study.document import read_study, write_study
from paribus.study.searches.arm_search import search_of
from paribus.study.searches.tuning import tuned_study
from paribus.study.settings import settings_of

RATE = {"optimizer.lr": Float(0.01, 2.0, log=True)}


def study(**fields: Any) -> Study:
    return Study(**{"name": "fair", "factors": {"model.residual_scale": (0.1, 1.0)}, "nuisance": RATE, **fields})


def test_every_arm_is_tuned_by_as_much_on_data_and_seeds_that_the_judgement_never_sees() -> None:
    made = study(tuning=Tuning(trials=7, sampler="random", holdout=0.3))
    searches = [search_of(made, arm) for arm in made.arms]
    assert [each.trials for each in searches] == [7, 7]
    assert [each.base_recipe.model.residual_scale for each in searches] == [0.1, 1.0]
    assert {each.base_recipe.data.holdout for each in searches} == {0.3}
    assert {each.name for each in searches} == {"fair-tuning"}
    assert all(each.confirm == 0 and each.metric == made.metric for each in searches)
    seeds = {each.seeds_of(number).order for each in searches for number in range(7)}
    assert len(seeds) == 14, "each arm has seeds of its own"
    assert settings_of(searches[0]).digest != settings_of(searches[1]).digest


def test_no_arm_is_tuned_by_a_schedule_of_settings() -> None:
    made = study(tuning=Tuning(trials=8, sampler="random", scheduler="pbt"))
    with pytest.raises(StudyError, match="an arm is judged at one setting: take another scheduler"):
        search_of(made, made.arms[0])


def test_the_tuned_study_trains_each_arm_at_its_own_setting_and_compares_the_same_arms() -> None:
    plain = study()
    found = {plain.arms[0]: {"optimizer.lr": 0.5}, plain.arms[1]: {"optimizer.lr": 0.02}}
    tuned = tuned_study(plain, found)
    assert [tuned.recipe_of(arm).optimizer.lr for arm in tuned.arms] == [0.5, 0.02]
    assert [arm.name for arm in tuned.arms] == [arm.name for arm in plain.arms]
    assert all(tuned.recipe_of(arm).data.holdout == 0 for arm in tuned.arms)
    assert tuned.baselines == plain.baselines
    assert "optimizer.lr" not in tuned.caveats()
    assert settings_of(tuned) == settings_of(plain), "a study run goes on from its tuning"
    assert tuned.vary(fixed={"budget": "20 epochs"}).tuned == {}, "at other settings it is tuned anew"
    floor = tuned_study(study(noise_floor=True), found)
    assert [floor.recipe_of(arm).optimizer.lr for arm in floor.trained] == [0.5, 0.02, 0.02], "the baseline's, again"


def test_a_tuned_study_goes_through_its_document() -> None:
    plain = study(nuisance={**RATE, "data.batch_size": (32, 64)}, tuning=Tuning(trials=5, scheduler="asha"))
    tuned = tuned_study(plain, {arm: {"optimizer.lr": 0.3, "data.batch_size": 32} for arm in plain.arms})
    for made in (plain, tuned):
        again = read_study(write_study(made))
        assert again.tuned == made.tuned
        assert again.tuning == made.tuning
        assert [again.recipe_of(arm) for arm in again.arms] == [made.recipe_of(arm) for arm in made.arms]
        assert write_study(again) == write_study(made)
    assert "nuisance" not in write_study(Study(name="plain", factors={"model.width": (1.0, 2.0)}))


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"nuisance": {"model.residual_scale": Float(0.1, 1.0)}}, "is to be tuned in every arm and is a factor"),
        ({"fixed": {"optimizer.lr": 0.1}}, "is to be tuned in every arm and is fixed"),
        ({"nuisance": {"optimizer.beta1": Float(0.1, 0.9)}}, "arm 'residual_scale=0.1', nuisance: the space has"),
        ({"nuisance": {"optimizer.lr": 0.1}}, "give Float(low, high)"),
        ({"nuisance": [1]}, "map paths to what they may take"),
        ({"fixed": {"data.holdout": 0.2}}, "data.holdout is the tuning's own"),
        (
            {"nuisance": {"optimizer.kind": ("sgd", "adamw")}, "fixed": {"optimizer.weight_decay": 0.01}},
            "'optimizer.weight_decay' is fixed at 0.01, and optimizer.kind = 'adamw' begins that part afresh",
        ),
        (
            {"match": "params", "free": "model.width", "nuisance": {"model.dropout": Float(0.0, 0.5)}},
            "would undo what matches the arms",
        ),
        ({"tuning": 12}, "tuning = 12: give Tuning(trials=12"),
    ],
)
def test_what_cannot_be_tuned_is_refused_in_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises((StudyError, RecipeError)) as refused:
        study(**fields)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"trials": 0}, "Tuning(trials=0): settings tried in each arm, at least 1"),
        ({"holdout": 0}, "above 0 and at most 0.5"),
        ({"holdout": 0.9}, "above 0 and at most 0.5"),
    ],
)
def test_a_tuning_that_cannot_be_is_refused_in_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(StudyError) as refused:
        Tuning(**fields)
    assert sentence in str(refused.value)
