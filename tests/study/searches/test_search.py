"""Searches: what they are made of, which trials they have, and the study that confirms them."""

from __future__ import annotations

from typing import Any

import pytest

from paribus import Choice, Float, Int, Search
from paribus.recipe import RecipeError
from paribus.study import StudyError
from paribus.study.searches.search_document import read_search, write_search
from paribus.study.settings import settings_of

RATE = {"optimizer.lr": Float(1e-3, 1.0, log=True)}


def search(**fields: Any) -> Search:
    return Search(**{"name": "rate", "space": RATE, **fields})


def test_its_trials_are_judged_on_held_out_data_and_its_confirmation_on_the_evaluation_split() -> None:
    made = search(holdout=0.25)
    trial = made.recipe_of({"optimizer.lr": 0.5})
    assert trial.data.holdout == 0.25
    study = made.confirmation([{"optimizer.lr": 0.5}, {"optimizer.lr": 0.02}])
    assert [arm.as_dict() for arm in study.arms] == [{"optimizer.lr": rate} for rate in (0.1, 0.5, 0.02)]
    assert all(study.recipe_of(arm).data.holdout == 0.0 for arm in study.arms)
    assert study.baselines == (study.arms[0],)
    assert study.name == "rate-confirmed"
    assert (study.replicates, study.metric, study.margin) == (made.confirm, made.metric, made.margin)


def test_no_seed_of_the_confirmation_is_one_of_the_search() -> None:
    from paribus.recipe import Seeds

    made = search()
    searched = {made.seeds_of(number).order for number in range(50)}
    confirmed = {Seeds.draw(made.confirmation([]).seed, replicate).order for replicate in range(1, 51)}
    assert len(searched) == 50
    assert not searched & confirmed


def test_what_decides_which_trials_there_are_makes_another_search_and_what_does_not_goes_on() -> None:
    own = settings_of(search()).digest
    for other in (
        {"space": {"optimizer.lr": Float(1e-3, 2.0, log=True)}},
        {"sampler": "random"},
        {"scheduler": "asha"},
        {"scheduler": "none"},
        {"seed": 1},
        {"metric": "log_likelihood", "margin": 0.1},
        {"fixed": {"budget": "7 epochs"}},
        {"holdout": 0.3},
        {"constraints": ("total_s < 5",)},
        {"start": ({"optimizer.lr": 0.3},)},
    ):
        assert settings_of(search(**other)).digest != own, other
        assert search(**other).seeds_of(0) != search().seeds_of(0), other
    for same in ({"trials": 50}, {"confirm": 9}, {"top": 5}, {"margin": 1.0}, {"question": "Why?"}):
        assert settings_of(search(**same)).digest == own, same
    assert settings_of(search(fixed={"budget": "7 epochs"}), search()).name == "budget=7 epochs"


def test_arms_that_set_other_fields_are_compared_with_one_baseline() -> None:
    made = search(
        space={
            "optimizer.kind": Choice("sgd", "adamw"),
            "optimizer.momentum": Float(0.0, 0.95, when={"optimizer.kind": "sgd"}),
            "optimizer.beta1": Float(0.8, 0.95, when={"optimizer.kind": "adamw"}),
        }
    )
    adam = {"optimizer.kind": "adamw", "optimizer.beta1": 0.85}
    study = made.confirmation([adam, {"optimizer.kind": "sgd", "optimizer.momentum": 0.5}])
    assert [dict(arm.levels) for arm in study.arms][1] == adam
    assert {study.baseline_of(arm).name for arm in study.arms} == {study.arms[0].name}
    assert study.recipe_of(study.arms[1]).optimizer.kind == "adamw"


@pytest.mark.parametrize(
    ("space", "baseline", "found"),
    [
        # A condition on something else than the kind of a part.
        (
            {"model.norm": Choice("batch", "none"), "model.dropout": Float(0.0, 0.5, when={"model.norm": "none"})},
            None,
            {"model.norm": "none", "model.dropout": 0.2},
        ),
        (
            {"model.norm": Choice("batch", "none"), "model.dropout": Float(0.0, 0.5, when={"model.norm": "none"})},
            {"model.norm": "none", "model.dropout": 0.3},
            {"model.norm": "batch"},
        ),
        # A baseline that names some of the fields, or one that is not searched.
        (
            {**RATE, "data.batch_size": Choice(32, 64)},
            {"optimizer.lr": 0.1},
            {"optimizer.lr": 0.3, "data.batch_size": 32},
        ),
        (RATE, {"model.depth": 10, "optimizer.lr": 0.1}, {"optimizer.lr": 0.3}),
    ],
)
def test_the_confirmation_trains_what_was_found_and_says_which_arm_it_is(
    space: dict[str, Any], baseline: dict[str, Any] | None, found: dict[str, Any]
) -> None:
    made = search(space=space, baseline=baseline)
    study = made.confirmation([found])
    assert len(study.arms) == 2
    arm = made.confirmed_arm(found)
    assert arm in study.arms
    assert study.recipe_of(arm) == made.final_recipe.replace(found)
    assert study.baseline_of(arm) == study.arms[0]
    assert study.recipe_of(study.arms[0]) == made.final_recipe.replace(baseline or {})


def test_the_baseline_comes_first_where_the_space_has_it() -> None:
    assert search(start=({"optimizer.lr": 0.3},)).first == ({"optimizer.lr": 0.1}, {"optimizer.lr": 0.3})
    assert search(space={"optimizer.lr": Float(0.2, 1.0)}).first == ()
    assert search(baseline={"optimizer.lr": 0.5}).first == ({"optimizer.lr": 0.5},)


def test_a_budget_is_read_in_words() -> None:
    assert search(budget="90 minutes").seconds is not None
    assert search(budget="1.5 hours").seconds == search(budget="90 minutes").seconds
    gpu = search(budget="8 GPU-hours", fixed={"resources.gpus": 0.5}).seconds
    assert gpu is not None
    assert (gpu.seconds, gpu.of_gpus) == (8 * 3600, True)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "a b"}, "use letters, digits"),
        ({"name": "a" * 115}, "at most 120"),
        ({"metric": "top2"}, "metric 'top2': allowed are"),
        ({"against": ("parameters",)}, "against 'parameters': allowed are"),
        ({"against": "flops"}, "a tuple of metrics or costs"),
        ({"trials": 0}, "trials = 0: a whole number from 1"),
        ({"trials": True}, "trials = True"),
        ({"confirm": -1}, "confirm = -1"),
        ({"top": 0}, "top = 0"),
        ({"holdout": 0.6}, "holdout = 0.6"),
        ({"fixed": {"data.holdout": 0.2}}, "data.holdout is the search's own"),
        ({"space": {**RATE, "data.holdout": Choice(0.1, 0.2)}}, "data.holdout is the search's own"),
        ({"budget": "8 GPU-hours"}, "and resources.gpus = 0: give hours of workers"),
        ({"constraints": ("peak_memory_mib < 2000",)}, "the most that a worker has held since it began"),
        ({"against": ("peak_memory_mib",)}, "the most that a worker has held since it began"),
        (
            {"space": {"optimizer.kind": Choice("sgd", "adamw")}, "fixed": {"optimizer.weight_decay": 0.01}},
            "'optimizer.weight_decay' is fixed at 0.01, and optimizer.kind = 'adamw' begins that part afresh",
        ),
        ({"holdout": 0}, "nothing that it has not seen would be left to confirm on"),
        ({"budget": "2 bananas"}, "such as '30 minutes'"),
        ({"budget": "0 hours"}, "such as '30 minutes'"),
        ({"constraints": ("memory",)}, "as 'peak_memory_mib < 2000'"),
        ({"constraints": ("memory < 3",)}, "the constraint's 'memory': allowed are"),
        ({"constraints": "flops < 3"}, "constraints = 'flops < 3': give a tuple"),
        ({"start": ({"optimizer.lr": 5.0},)}, "optimizer.lr = 5.0 is none of Float(0.001, 1, log=True)"),
        ({"fixed": {"optimizer.lr": 0.1}}, "'optimizer.lr' is in the space and is fixed"),
        ({"sampler": ""}, "sampler = ''"),
        ({"sampler": "tpe(3)"}, "write arguments by name"),
        ({"base": 3}, "give a preset's name"),
        ({"seed": 0.5}, "seed = 0.5"),
        ({"space": {"optimizer.lr": Float(0.0, 1.0)}}, "the space has optimizer.lr = 0"),
    ],
)
def test_a_search_that_cannot_be_is_refused_in_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises((StudyError, RecipeError)) as refused:
        search(**fields)
    assert sentence in str(refused.value)


def test_a_search_goes_through_its_document() -> None:
    made = search(
        space={
            "optimizer.kind": Choice("sgd", "adamw"),
            "optimizer.momentum": Float(0.0, 0.95, step=0.05, when={"optimizer.kind": ("sgd",)}),
            "optimizer.lr": Float(1e-3, 1.0, log=True),
            "schedule.warmup_epochs": Int(0, 4),
            "model.width": (0.25, 0.5),
        },
        fixed={"budget": "9 epochs", "model.depth": 10},
        start=({"optimizer.kind": "adamw", "optimizer.lr": 0.01, "schedule.warmup_epochs": 1, "model.width": 0.25},),
        against=("num_params",),
        constraints=("total_s < 5",),
        budget="2 hours",
        scheduler="asha(eta=3)",
    )
    again = read_search(write_search(made))
    assert again.settled == made.settled
    assert again.seeds_of(3) == made.seeds_of(3)
    assert settings_of(again.confirmation([])) == settings_of(made.confirmation([]))
    assert write_search(again) == write_search(made)
    for text in ("{}", "[]", "no JSON", '{"space": {"optimizer.lr": "Float(0.1, 1)"}}'):
        with pytest.raises(StudyError, match="this is no search document"):
            read_search(text)
